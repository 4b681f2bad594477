#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/base/ids.hpp"
#include "core/base/time.hpp"
#include "core/traffic/finding.hpp"

namespace liminal::traffic {

enum class AlertStatus : std::uint8_t { kOpen, kResolved };
[[nodiscard]] std::string_view name(AlertStatus status);

enum class FeedbackVerdict : std::uint8_t { kNone, kTruePositive, kFalsePositive, kExpected };
[[nodiscard]] std::string_view name(FeedbackVerdict verdict);
[[nodiscard]] std::optional<FeedbackVerdict> feedback_by_name(std::string_view name);
/// Whether a word about an alert says that it is nothing.
[[nodiscard]] constexpr bool dismisses(FeedbackVerdict word) {
  return word == FeedbackVerdict::kFalsePositive || word == FeedbackVerdict::kExpected;
}
/// Whether a word about an alert says other than the one before: what is said again counts once.
[[nodiscard]] constexpr bool is_news(FeedbackVerdict word, FeedbackVerdict before) {
  constexpr auto kTrue = FeedbackVerdict::kTruePositive;
  return before == FeedbackVerdict::kNone || (before == kTrue) != (word == kTrue);
}

/// Findings of one type about one user that belong together, from the first to the last. Identity
/// is (user, type) while open; a later one is a new alert. `first` says why it was raised;
/// `worst` is the finding with the highest score so far.
struct Alert {
  /// Of one that a gateway told of, whose shard is `kOfGateways`: whose it is, and its id there.
  struct Origin {
    std::string gateway;  ///< empty: it was raised here
    ShardId shard{};
    std::uint64_t number = 0;
    friend bool operator==(const Origin&, const Origin&) = default;
  };
  ShardId shard{};
  std::uint64_t number = 0;  ///< counts up within a shard: with it, the id
  std::string user;
  std::string address;  ///< at the first finding; may be empty
  FindingType type{};
  Severity severity = Severity::kLow;  ///< highest so far, escalation included
  AlertStatus status = AlertStatus::kOpen;
  FeedbackVerdict feedback = FeedbackVerdict::kNone;
  SteadyTime first_seen, last_seen;
  std::uint64_t count = 0;  ///< findings
  Finding first, worst;
  std::uint8_t detectors_agreeing = 1;  ///< distinct detectors with an open alert on this user
  Features features;                    ///< at the first finding
  std::uint64_t input =
      0;  ///< number of the shard's input that raised it: what `explain` replays to
  Origin origin;
};

/// An alert as somebody else is told of it: with when its feedback was given, and the words.
struct JudgedAlert {
  Alert alert;
  SteadyTime judged;  ///< without feedback it means nothing
  std::string note;   ///< may be empty
};

/// A gateway's name, in bytes.
inline constexpr std::size_t kGatewayBytesMax = 32;
/// What an operator says of an alert beside the verdict, in bytes.
inline constexpr std::size_t kNoteBytesMax = 1000;

/// "17-42": shard and number. Unique for the life of a data directory; "64-7" is one that a gateway
/// told of (`kOfGateways`).
[[nodiscard]] std::string alert_id(ShardId shard, std::uint64_t number);
[[nodiscard]] std::string alert_id(const Alert& alert);
[[nodiscard]] std::optional<std::pair<ShardId, std::uint64_t>> parse_alert_id(std::string_view id);

inline constexpr std::uint64_t kAlertNumberMax = (std::uint64_t{1} << 56) - 1;
/// The id as one number, the shard above the number, which is at most `kAlertNumberMax`.
[[nodiscard]] constexpr std::uint64_t alert_key(ShardId shard, std::uint64_t number) {
  return std::uint64_t{index(shard)} << 56 | (number & kAlertNumberMax);
}
/// And taken apart.
[[nodiscard]] constexpr std::pair<ShardId, std::uint64_t> alert_of_key(std::uint64_t key) {
  return {ShardId{static_cast<std::uint8_t>(key >> 56)}, key & kAlertNumberMax};
}

/// One sentence with numbers: what was seen, what was expected, who says so.
[[nodiscard]] std::string explanation(const Finding& finding);

}  // namespace liminal::traffic
