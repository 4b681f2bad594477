#include "core/traffic/finding.hpp"

#include "core/base/check.hpp"

namespace liminal::traffic {
namespace {

using enum FindingType;
using enum Severity;
using enum Action;

constexpr std::array<std::string_view, 4> kSeverityNames{"low", "medium", "high", "critical"};
constexpr std::array<std::string_view, 3> kModeNames{"observe", "shadow", "enforce"};
constexpr std::array<std::string_view, 5> kActionNames{
    "watch", "limit", "drop", "close", "investigate"};

constexpr std::array<FindingInfo, kFindingTypes> kFindings{{
    {kMessageFlood,
     "message_flood",
     kHigh,
     kLimit,
     "far more messages than this user or anybody usually sends"},
    {kSlowFlood,
     "slow_flood",
     kMedium,
     kLimit,
     "a rate that stays above the usual, or keeps growing"},
    {kErrorSpike, "error_spike", kMedium, kInvestigate, "many of the user's messages fail"},
    {kRateLimitAbuse, "rate_limit_abuse", kHigh, kLimit, "keeps sending although limits refuse it"},
    {kSuspiciousChannels,
     "suspicious_channels",
     kMedium,
     kInvestigate,
     "uses unusually many channels"},
    {kChannelPatternChange,
     "channel_pattern_change",
     kMedium,
     kInvestigate,
     "joins new channels faster than users do"},
    {kReconnectStorm, "reconnect_storm", kMedium, kLimit, "opens connections again and again"},
    {kConnectionLoop,
     "connection_loop",
     kLow,
     kWatch,
     "reconnects steadily like a broken client, without sending"},
    {kAddressRing,
     "address_ring",
     kHigh,
     kInvestigate,
     "many new users of one address behave alike"},
    {kContentSpam, "content_spam", kMedium, kLimit, "repeats the same contents"},
    {kOversizedMessages,
     "oversized_messages",
     kMedium,
     kDrop,
     "messages larger on average than a rule allows"},
    {kSizeChange,
     "size_change",
     kMedium,
     kInvestigate,
     "messages much larger than this user's and the population's"},
    {kBehaviorDeviation,
     "behavior_deviation",
     kMedium,
     kInvestigate,
     "sends at a rate far from this user's own reference"},
    {kAutomatedClient, "automated_client", kLow, kWatch, "sends as regularly as a machine"},
    {kAccountTakeover,
     "account_takeover",
     kHigh,
     kInvestigate,
     "several habits of this user changed together"},
    {kUnusualHours, "unusual_hours", kLow, kWatch, "active at hours at which this user never was"},
    {kPopulationShift,
     "population_shift",
     kLow,
     kWatch,
     "half of the users changed together: the service changed, not a user"},
    {kModelAnomaly,
     "model_anomaly",
     kMedium,
     kInvestigate,
     "the champion model finds this user's features abnormal"},
    {kModelUnavailable,
     "model_unavailable",
     kHigh,
     kInvestigate,
     "a model was taken out of the decision path because it failed or was too slow"},
}};

constexpr std::array<std::string_view, kDetectors> kDetectorNames{"rule",
                                                                  "rate_surprise_10s",
                                                                  "rate_surprise_60s",
                                                                  "rate_surprise_300s",
                                                                  "rate_surprise_900s",
                                                                  "rate_cusum",
                                                                  "error_cusum",
                                                                  "repeat_cusum",
                                                                  "size_up",
                                                                  "reconnects",
                                                                  "new_channels",
                                                                  "metronome",
                                                                  "ring",
                                                                  "takeover",
                                                                  "hour_of_day",
                                                                  "population",
                                                                  "model"};

struct SignalInfo {
  std::string_view name;
  std::string_view unit;
};
constexpr std::array<SignalInfo, kSignals - kFeatureCount> kStatisticSignals{{
    {"messages_10s", "1"},      {"messages_60s", "1"},           {"messages_300s", "1"},
    {"messages_900s", "1"},     {"error_evidence", "nat"},       {"repeat_evidence", "nat"},
    {"size_evidence", "nat"},   {"message_bytes", "B"},          {"reconnects_300s", "1"},
    {"new_channels_120s", "1"}, {"gap_spread", "nat"},           {"new_users_600s", "1"},
    {"size_likeness", "nat"},   {"shared_content", "nat"},       {"unseen_channels", "nat"},
    {"new_address", "1"},       {"active_users_ratio", "ratio"}, {"model_score", "1"},
    {"model_row_seconds", "s"}, {"model_failures", "1"},
}};

template <class T, std::size_t N>
std::optional<T> by_name(const std::array<std::string_view, N>& names, std::string_view name) {
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i] == name) return T{static_cast<std::uint8_t>(i)};
  }
  return std::nullopt;
}

}  // namespace

std::string_view name(Severity severity) {
  return kSeverityNames[static_cast<std::size_t>(severity)];
}
std::string_view name(Mode mode) { return kModeNames[static_cast<std::size_t>(mode)]; }
std::string_view name(Action action) { return kActionNames[static_cast<std::size_t>(action)]; }
std::string_view name(Detector detector) {
  return kDetectorNames[static_cast<std::size_t>(detector)];
}
std::optional<Severity> severity_by_name(std::string_view name) {
  return by_name<Severity>(kSeverityNames, name);
}
std::optional<Mode> mode_by_name(std::string_view name) { return by_name<Mode>(kModeNames, name); }
std::optional<Action> action_by_name(std::string_view name) {
  return by_name<Action>(kActionNames, name);
}

std::optional<Detector> detector_by_name(std::string_view name) {
  return by_name<Detector>(kDetectorNames, name);
}

std::span<const FindingInfo, kFindingTypes> finding_table() { return kFindings; }

const FindingInfo& info(FindingType type) {
  LIMINAL_DCHECK(static_cast<std::size_t>(type) < kFindingTypes);
  return kFindings[static_cast<std::size_t>(type)];
}

std::optional<FindingType> finding_by_name(std::string_view name) {
  for (const FindingInfo& finding : kFindings) {
    if (finding.name == name) return finding.type;
  }
  return std::nullopt;
}

std::string_view name(Signal signal) {
  const auto at = static_cast<std::size_t>(signal);
  LIMINAL_DCHECK(at < kSignals);
  return at < kFeatureCount ? info(FeatureId{static_cast<std::uint8_t>(at)}).name
                            : kStatisticSignals[at - kFeatureCount].name;
}

std::optional<Signal> signal_by_name(std::string_view name) {
  for (std::size_t i = 0; i < kSignals; ++i) {
    const Signal signal{static_cast<std::uint8_t>(i)};
    if (traffic::name(signal) == name) return signal;
  }
  return std::nullopt;
}

std::string_view unit(Signal signal) {
  const auto at = static_cast<std::size_t>(signal);
  LIMINAL_DCHECK(at < kSignals);
  return at < kFeatureCount ? info(FeatureId{static_cast<std::uint8_t>(at)}).unit
                            : kStatisticSignals[at - kFeatureCount].unit;
}

}  // namespace liminal::traffic
