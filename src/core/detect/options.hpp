#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/base/problem.hpp"
#include "core/base/time.hpp"
#include "core/traffic/finding.hpp"
#include "core/traffic/schema.hpp"

namespace liminal::detect {

/// What traffic looks like before anything was seen of it: where the population's statistics start.
enum class Profile : std::uint8_t {
  kChat,       ///< people who talk: a few messages a minute
  kGame,       ///< clients that send 5 to 20 messages a second
  kTelemetry,  ///< devices that report on a timer
};
[[nodiscard]] std::string_view name(Profile profile);
[[nodiscard]] std::optional<Profile> profile_by_name(std::string_view name);

enum class Comparison : std::uint8_t { kAbove, kBelow };
[[nodiscard]] std::string_view name(Comparison comparison);
[[nodiscard]] std::optional<Comparison> comparison_by_name(std::string_view name);

/// A configured line that one feature of a user must not cross.
struct RuleOptions {
  traffic::FindingType type{};
  traffic::FeatureId feature{};
  Comparison comparison = Comparison::kAbove;
  float threshold = 0;
  /// The rule is silent about who sends no more than this many times the population's ordinary
  /// messages per minute: what everybody does is no abuse. 0: it does not ask.
  float ordinary_factor = 0;
  /// Messages in the last minute below which the rule has too little to go by.
  float messages_min = 0;
  traffic::Severity severity = traffic::Severity::kMedium;
  /// To the next word about the same user: drop and close go on meanwhile.
  Duration cool_down = std::chrono::seconds{60};
  traffic::Action action = traffic::Action::kInvestigate;
  traffic::Mode mode = traffic::Mode::kShadow;
};

/// More rules than this are refused: a user keeps 4 bytes for each.
inline constexpr std::size_t kRulesMax = 16;

/// message_flood, error_spike, rate_limit_abuse, suspicious_channels, reconnect_storm,
/// content_spam, oversized_messages.
[[nodiscard]] std::vector<RuleOptions> default_rules();

/// How one statistic is treated.
struct StatisticOptions {
  traffic::Mode mode = traffic::Mode::kShadow;
  /// Its alarm line as a multiple of the measured one, .25–4: above 1 it speaks later.
  float line_factor = 1;
};

struct RingOptions {
  /// New users of one address within 10 minutes above which the rule speaks, whatever they do.
  float users_max = 20;
  traffic::Severity severity = traffic::Severity::kHigh;
  /// What alerts recommend: it speaks once a second, of no message that it could drop.
  traffic::Action action = traffic::Action::kInvestigate;
  traffic::Mode mode = traffic::Mode::kShadow;
  Duration cool_down = std::chrono::minutes{15};  ///< to the next word about the same address
  std::uint32_t addresses_max = 65'536;           ///< 232 B each; the longest unused goes first
};

/// How the champion of `anomaly_detection` is asked and heard, where there is one. Its alarm line
/// is its own.
struct ModelOptions {
  traffic::Mode mode = traffic::Mode::kShadow;
  /// What enforce does. A model answers after the message: it can slow a user down, not drop.
  traffic::Action action = traffic::Action::kInvestigate;
  /// It is asked about every so many messages of a user.
  std::uint32_t every = 10;
  /// And, once a second, while a feature is beyond this share of a rule's threshold.
  float near_ratio = .8F;
  /// Messages seen of a user below which there is too little to go by; 1 to 255.
  std::uint32_t messages_min = 5;
  Duration cool_down = std::chrono::seconds{60};  ///< to the next word about the same user
};

struct Options {
  Profile profile = Profile::kChat;
  std::vector<RuleOptions> rules = default_rules();
  std::array<StatisticOptions, traffic::kDetectors> statistics{};
  RingOptions ring;
  ModelOptions model;
  /// While nothing is known of the population, statistics relative to it hold back.
  Duration warm_up = std::chrono::minutes{5};

  [[nodiscard]] const StatisticOptions& of(traffic::Detector detector) const {
    return statistics[static_cast<std::size_t>(detector)];
  }
};

/// All problems at once; empty when the options are valid.
[[nodiscard]] Problems validate(const Options& options);

}  // namespace liminal::detect
