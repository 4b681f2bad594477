#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/traffic/schema.hpp"

namespace liminal::traffic {

enum class Severity : std::uint8_t { kLow, kMedium, kHigh, kCritical };
[[nodiscard]] std::string_view name(Severity severity);
[[nodiscard]] std::optional<Severity> severity_by_name(std::string_view name);

/// How far a rule or policy is trusted: observe counts, shadow also says what it would have done,
/// enforce does it.
enum class Mode : std::uint8_t { kObserve, kShadow, kEnforce };
[[nodiscard]] std::string_view name(Mode mode);
[[nodiscard]] std::optional<Mode> mode_by_name(std::string_view name);

/// What a person (or, in enforce, Liminal) should do about a finding.
enum class Action : std::uint8_t { kWatch, kLimit, kDrop, kClose, kInvestigate };
[[nodiscard]] std::string_view name(Action action);
[[nodiscard]] std::optional<Action> action_by_name(std::string_view name);

/// What is wrong, in the words of the API. Stored: append only.
enum class FindingType : std::uint8_t {
  kMessageFlood,
  kSlowFlood,
  kErrorSpike,
  kRateLimitAbuse,
  kSuspiciousChannels,
  kChannelPatternChange,
  kReconnectStorm,
  kConnectionLoop,
  kAddressRing,
  kContentSpam,
  kOversizedMessages,
  kSizeChange,
  kBehaviorDeviation,
  kAutomatedClient,
  kAccountTakeover,
  kUnusualHours,
  kPopulationShift,
  kModelAnomaly,
  kModelUnavailable,
};
inline constexpr std::size_t kFindingTypes = 19;

/// Who says so: a configured rule, one of the statistics, or a model. Stored: append only.
enum class Detector : std::uint8_t {
  kRule,
  kRateSurprise10s,
  kRateSurprise60s,
  kRateSurprise300s,
  kRateSurprise900s,
  kRateCusum,
  kErrorCusum,
  kRepeatCusum,
  kSizeUp,
  kReconnects,
  kNewChannels,
  kMetronome,
  kRing,
  kTakeover,
  kHourOfDay,
  kPopulation,
  kModel,
};
inline constexpr std::size_t kDetectors = 17;
[[nodiscard]] std::string_view name(Detector detector);
[[nodiscard]] std::optional<Detector> detector_by_name(std::string_view name);

/// The closed table of docs/detections.md.
struct FindingInfo {
  FindingType type;
  std::string_view name;
  Severity severity;  ///< before escalation
  Action action;      ///< recommended
  std::string_view meaning;
};
[[nodiscard]] const FindingInfo& info(FindingType type);
[[nodiscard]] std::span<const FindingInfo, kFindingTypes> finding_table();
[[nodiscard]] std::optional<FindingType> finding_by_name(std::string_view name);

/// What was measured. The first `kFeatureCount` are the features; then what statistics look at.
enum class Signal : std::uint8_t {
  kMessages10s = kFeatureCount,  ///< decayed count, time constant 10 s
  kMessages60s,
  kMessages300s,
  kMessages900s,
  kErrorEvidence,     ///< log-likelihood ratio of the error CUSUM
  kRepeatEvidence,    ///< the same of repeated contents
  kSizeEvidence,      ///< the same of large messages
  kMessageBytes,      ///< the size of this message
  kReconnects300s,    ///< decayed count
  kNewChannels120s,   ///< decayed count
  kGapSpread,         ///< spread of the logarithm of recent gaps between messages
  kNewUsers600s,      ///< of one address, decayed count
  kSizeLikeness,      ///< of the new users of one address
  kSharedContent,     ///< of the new users of one address
  kUnseenChannels,    ///< evidence of channels never used by this user before
  kNewAddress,        ///< the user's address changed within the hour
  kActiveUsersRatio,  ///< share of the active users that exceed a rate statistic
  kModelScore,
  kModelRowSeconds,  ///< what a model takes for one row of features
  kModelFailures,    ///< answers of a model that were none
};
inline constexpr std::size_t kSignals = kFeatureCount + 20;
[[nodiscard]] constexpr Signal signal(FeatureId id) {
  return Signal{static_cast<std::uint8_t>(id)};
}
[[nodiscard]] std::string_view name(Signal signal);
[[nodiscard]] std::optional<Signal> signal_by_name(std::string_view name);
[[nodiscard]] std::string_view unit(Signal signal);

/// One line of an explanation: what was seen, what was to be expected, and how much of the score
/// it makes (contributions of one finding sum to its score).
struct Evidence {
  Signal signal{};
  float observed = 0;
  float expected_low = 0;
  float expected_high = 0;
  float contribution = 0;
  friend bool operator==(const Evidence&, const Evidence&) = default;
};

/// Of a model: its score, and what each feature makes of it.
inline constexpr std::size_t kEvidenceMax = kFeatureCount + 1;

/// A configured rule by its place in the configuration; 255 when no rule spoke.
inline constexpr std::uint8_t kNoRule = 255;

/// One detector's word about one user at one moment.
struct Finding {
  FindingType type{};
  Detector detector{};
  Severity severity = Severity::kLow;
  Mode mode = Mode::kShadow;
  Action action = Action::kWatch;  ///< what enforce would do
  std::uint8_t rule = kNoRule;
  std::uint8_t evidence_count = 0;
  std::uint32_t model_version = 0;  ///< of the model that spoke; 0 when none did
  float score = 0;                  ///< 1 = the alarm line
  float confidence = 0;  ///< 0–1: the share of such findings that were true (docs/detections.md)
  std::array<Evidence, kEvidenceMax> evidence{};

  void add(const Evidence& line) {
    if (evidence_count < kEvidenceMax) evidence[evidence_count++] = line;
  }
  [[nodiscard]] std::span<const Evidence> lines() const {
    return {evidence.data(), evidence_count};
  }
};

}  // namespace liminal::traffic
