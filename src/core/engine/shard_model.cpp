// The shard and the champion: what it asks, and what it makes of the answers.
#include <algorithm>

#include "core/detect/confidence.hpp"
#include "core/engine/shard.hpp"

namespace liminal::engine {

using traffic::Evidence;
using traffic::Finding;
using traffic::FindingType;
using traffic::Severity;
using traffic::Signal;

namespace {

constexpr std::uint8_t kCountMax = 255;
/// A score is at most so many times the alarm line.
constexpr float kScoreMax = 1e6F;
/// Calibrated probabilities from which on a finding is medium, and high.
constexpr float kMedium = .5F, kHigh = .9F;

std::uint32_t second_of(SteadyTime time) {
  return static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count());
}

bool within(std::uint32_t since_s, std::uint32_t now_s, Duration duration) {
  if (since_s == 0) return false;
  return std::chrono::seconds{now_s > since_s ? now_s - since_s : 0} < duration;
}

Severity severity_of(const ChampionInfo& champion, float score) {
  if (!champion.probability) return traffic::info(FindingType::kModelAnomaly).severity;
  return score >= kHigh ? Severity::kHigh : score >= kMedium ? Severity::kMedium : Severity::kLow;
}

}  // namespace

void Shard::ask_model(
    UserState& user, const traffic::Event& event, bool near, SteadyTime now, Effects& out) {
  if (event.kind != traffic::EventKind::kMessage) return;
  if (user.messages < kCountMax) ++user.messages;
  if (user.messages_unasked < kCountMax) ++user.messages_unasked;
  if (!champion_.there()) return;
  const detect::ModelOptions& options = settings_->options.detect.model;
  const std::uint32_t second = second_of(now);
  const bool due = user.messages_unasked >= options.every || (near && second != user.asked_s);
  if (!due || user.messages < options.messages_min) return;
  if (within(user.model_spoke_s, second, options.cool_down)) return;
  user.asked_s = second;
  user.messages_unasked = 0;
  ++counters_.scores_asked;
  out.asks.push_back({id_, event.user.hash, now, user.features.read(now)});
}

bool Shard::take(const Answer& answer, Effects& out) {
  ++inputs_;
  if (answer.version != champion_.version) return false;
  const traffic::Name name = users_.name_of(answer.user);
  UserState* const user = users_.find(name);
  if (user == nullptr) return false;
  ++counters_.scores_answered;
  const detect::ModelOptions& options = settings_->options.detect.model;
  const std::uint32_t second = second_of(answer.time);
  if (!(answer.score >= champion_.line)) return true;
  if (within(user->model_spoke_s, second, options.cool_down)) return true;
  user->model_spoke_s = second;

  Finding finding;
  finding.type = FindingType::kModelAnomaly;
  finding.detector = traffic::Detector::kModel;
  finding.severity = severity_of(champion_, answer.score);
  finding.mode = options.mode;
  finding.action = options.action;
  finding.model_version = champion_.version;
  finding.score = std::clamp(answer.score / champion_.line, 1.F, kScoreMax);
  finding.confidence = champion_.probability ? std::clamp(answer.score, 0.F, 1.F)
                                             : detect::confidence(finding.detector, finding.score);
  // Beside what the features make of it, which is all of it unless nobody had the time to tell.
  const float rest = answer.why.empty() ? finding.score : 0.F;
  finding.add({Signal::kModelScore, answer.score, 0, champion_.line, rest});
  for (const Evidence& line : answer.why) finding.add(line);

  const bool enforced =
      options.mode == traffic::Mode::kEnforce && options.action == traffic::Action::kLimit;
  if (enforced)
    user->limits.adapt(settings_->policies, finding.score, std::max(answer.time, user->last));
  traffic::Event event;
  event.user = name;
  event.address = addresses_.name_of(user->address);
  raise(finding, event, *user, answer.time, out);
  return true;
}

void Shard::use_champion(const ChampionInfo& champion,
                         const std::optional<ModelFault>& fault,
                         Effects& out) {
  ++inputs_;
  champion_ = champion;
  if (fault && shard_of(traffic::Name(kModelName).hash) == id_) report(*fault, out);
}

void Shard::report(const ModelFault& fault, Effects& out) {
  const traffic::FindingInfo& info = traffic::info(FindingType::kModelUnavailable);
  Finding finding;
  finding.type = info.type;
  finding.detector = traffic::Detector::kModel;
  finding.severity = info.severity;
  finding.mode = settings_->options.detect.model.mode;
  finding.action = info.action;
  finding.model_version = fault.version;
  finding.confidence = 1;
  const bool failed = fault.kind == ModelFault::Kind::kFailed;
  const float budget = std::max(fault.row_seconds_budget, 1e-9F);
  finding.score = failed ? 1.F : std::clamp(fault.row_seconds / budget, 1.F, kScoreMax);
  finding.add(failed ? Evidence{Signal::kModelFailures, 1, 0, 0, 1}
                     : Evidence{Signal::kModelRowSeconds,
                                fault.row_seconds,
                                0,
                                fault.row_seconds_budget,
                                finding.score});
  ++counters_.findings[static_cast<std::size_t>(finding.type)]
                      [static_cast<std::size_t>(finding.severity)];
  alerts_.raise(
      finding,
      {.user = traffic::Name(kModelName), .address = {}, .now = now_, .input = inputs_},
      [] { return traffic::Features{}; },
      out.alerts);
}

}  // namespace liminal::engine
