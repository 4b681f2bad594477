#include "core/detect/rules.hpp"

#include <algorithm>

#include "core/detect/confidence.hpp"

namespace liminal::detect {
namespace {

using traffic::EventKind;
using traffic::FeatureId;

/// The rest of a message has passed: a rule that drops waits for one that it can drop, instead of
/// spending its cool-down.
bool speaks_of(EventKind kind, const RuleOptions& rule) {
  const bool in_vain = kind == EventKind::kContinued && rule.action == traffic::Action::kDrop;
  return can_move(kind, rule.feature) && !in_vain;
}

/// Whether there is something to stop: a message or a connection, not what is told of one.
bool stops(EventKind kind, const RuleOptions& rule) {
  const bool passing =
      kind == EventKind::kMessage || kind == EventKind::kContinued || kind == EventKind::kConnect;
  return passing &&
         (rule.action == traffic::Action::kDrop || rule.action == traffic::Action::kClose);
}

std::uint32_t second_of(SteadyTime now) {
  const Duration::rep s = nanoseconds(now) / 1'000'000'000;
  return static_cast<std::uint32_t>(std::clamp<Duration::rep>(s, 0, 0xfffffffe)) + 1;
}

}  // namespace

bool can_move(EventKind kind, FeatureId feature) {
  switch (feature) {
    case FeatureId::kOpenConnections:
    case FeatureId::kReconnectsPerMinute:
      return kind == EventKind::kConnect;
    case FeatureId::kDistinctAddresses:
      return kind == EventKind::kConnect || kind == EventKind::kMessage;
    case FeatureId::kChannelsCount:
    case FeatureId::kNewChannelsPerMinute:
      return kind == EventKind::kSubscribe || kind == EventKind::kMessage;
    case FeatureId::kRateLimitViolations:
      return kind == EventKind::kRateLimited || kind == EventKind::kMessage ||
             kind == EventKind::kConnect || kind == EventKind::kContinued;
    case FeatureId::kBytesPerMinute:
    case FeatureId::kAvgMessageSize:
    case FeatureId::kMessageSizeSpread:
      return kind == EventKind::kMessage || kind == EventKind::kContinued;
    case FeatureId::kErrorRate:
      return kind == EventKind::kMessage || kind == EventKind::kFailed;
    default:
      return kind == EventKind::kMessage;
  }
}

Rules::Rules(const Options& options) : options_(&options) {
  static_assert(kRulesMax <= 32 && kRulesMax <= Findings::kStandingMax);
  for (std::uint8_t kind = 0; kind < traffic::kEventKinds; ++kind) {
    for (std::size_t i = 0; i < options.rules.size(); ++i) {
      const std::uint32_t bit = std::uint32_t{1} << i;
      if (!speaks_of(EventKind{kind}, options.rules[i])) continue;
      movable_[kind] |= bit;
      if (stops(EventKind{kind}, options.rules[i])) stopping_[kind] |= bit;
    }
  }
}

bool Rules::cooling_down(const RuleState& state, std::size_t rule, SteadyTime now) const {
  const std::uint32_t spoke = state.spoke_s_[rule];
  if (spoke == 0) return false;
  const std::uint32_t at = second_of(now);
  const std::uint32_t since = at > spoke ? at - spoke : 0;
  return std::chrono::seconds{since} < options_->rules[rule].cool_down;
}

bool Rules::ordinary(const RuleOptions& rule,
                     float value,
                     float messages,
                     const Population& population) {
  if (!(rule.ordinary_factor > 0)) return false;
  // What was refused elsewhere is no message, but was sent as one.
  const bool refused = rule.feature == FeatureId::kRateLimitViolations;
  const float own = refused ? std::max(messages, value) : messages;
  return static_cast<double>(own) <= static_cast<double>(rule.ordinary_factor) *
                                         population.ordinary_rate(static_cast<double>(messages));
}

void Rules::report(std::size_t rule,
                   float value,
                   RuleState& state,
                   SteadyTime now,
                   const Population& population,
                   Findings& out) const {
  const RuleOptions& what = options_->rules[rule];
  traffic::Finding* const finding = out.add();
  if (finding == nullptr) return;
  state.spoke_s_[rule] = second_of(now);
  finding->type = what.type;
  finding->detector = traffic::Detector::kRule;
  finding->severity = what.severity;
  finding->mode = what.mode;
  finding->action = what.action;
  finding->rule = static_cast<std::uint8_t>(rule);
  const bool above = what.comparison == Comparison::kAbove;
  float high = what.threshold;
  if (above && what.feature == FeatureId::kMessagesPerMinute) {
    const double ordinary = population.ordinary_rate(static_cast<double>(value));
    high = std::max(high, what.ordinary_factor * static_cast<float>(ordinary));
  }
  // How many times over the line, at most a million where the line is zero.
  const float times = above ? value / std::max(high, 1e-6F) : high / std::max(value, 1e-6F);
  finding->score = std::clamp(times, 1.F, 1e6F);
  finding->confidence = confidence(traffic::Detector::kRule, finding->score);
  const traffic::FeatureInfo& feature = traffic::info(what.feature);
  finding->add({traffic::signal(what.feature),
                value,
                above ? feature.low : high,
                above ? high : feature.high,
                finding->score});
}

void RuleState::save(Writer& out) const {
  for (const std::uint32_t spoke : spoke_s_) out.put(spoke);
}

void RuleState::load(Reader& in) {
  for (std::uint32_t& spoke : spoke_s_) in.get(spoke);
}

}  // namespace liminal::detect
