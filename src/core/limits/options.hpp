#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/problem.hpp"
#include "core/base/time.hpp"
#include "core/traffic/finding.hpp"

namespace liminal::limits {

using traffic::Mode;

/// "Ten a second, twenty at once."
struct RateOptions {
  double per_second = 0;       ///< units a second, 1e-5 (bytes: 1) to 1e9; 0: no limit
  std::uint32_t burst = 0;     ///< units that may come at once, ≥ 1 unless there is no limit
  std::optional<Mode> mode{};  ///< none: that of all limits
};

struct CapOptions {
  std::uint32_t max = 0;       ///< 0: no limit
  std::optional<Mode> mode{};  ///< none: that of all limits
};

/// What one user, address or connection may send. A burst and a sustained rate hold together: "ten
/// a second, but not more than two thousand an hour".
struct SubjectOptions {
  RateOptions messages{};
  RateOptions messages_sustained{};
  RateOptions bytes{};
  RateOptions bytes_sustained{};
};

/// How each user's rate moves between floor and ceiling (controller.hpp has the formulas).
struct ControllerOptions {
  bool enabled = true;

  /// Of the configured rate: never below, never above. 1/64 to 1, and 1 to 64.
  double floor_ratio = .1;
  double ceiling_ratio = 4;

  /// The anomaly score (1 = the alarm line) from which on a user is slowed down, and that at which
  /// the floor is the target. From .7 on a message also teaches the baseline less.
  double calm_score = .7;
  double worst_score = 2;

  /// Time constants: to the floor within half a minute of real abuse; back, when calm, over tens of
  /// minutes, so that an attacker who pauses gains little.
  Duration slow_down = std::chrono::seconds{10};
  Duration recover = std::chrono::minutes{10};

  /// The personal limit is so many times the given quantile of the user's own messages per active
  /// minute, once there are enough such minutes. Ordinary users need far less than the configured
  /// rate: half of it is as far down as their habits alone move them.
  bool personal = true;
  double personal_quantile = .98;
  double personal_headroom = 3;
  double personal_floor_ratio = .5;
  std::uint32_t personal_minutes_min = 60;  ///< 1 to 100
  /// Time constant with which the personal limit follows: days, so that it cannot be taught fast.
  Duration personal_follow = std::chrono::hours{24};
};

/// Everything that limits; the defaults of a fresh install.
struct Options {
  /// Nothing is enforced before it was shown.
  Mode mode = Mode::kShadow;

  /// People send at most 6 messages in 10 s (5,700 chat users): ten a second is nobody's talk.
  /// Bytes are bounded by messages × size already, so they have no rate of their own by default.
  SubjectOptions user{.messages = {.per_second = 10, .burst = 20}};
  /// Ten users' worth behind one address: homes, offices and mobile networks share one.
  SubjectOptions address{.messages = {.per_second = 100, .burst = 200}};
  SubjectOptions connection{};

  CapOptions user_connections{.max = 10};
  CapOptions address_connections{.max = 50};
  CapOptions message_bytes{.max = 64 * 1024};

  /// A message that is early by no more than this is held back and not dropped; 0: never held.
  Duration delay_max = std::chrono::seconds{1};
  /// More dropped messages than this rate and burst close the connection; 0 a second: never.
  RateOptions close_after{.per_second = 1, .burst = 100};

  /// Never limited, whatever else is configured, learnt or overridden. Exact texts.
  std::vector<std::string> allow_users{};
  std::vector<std::string> allow_addresses{};

  ControllerOptions controller{};
};

/// All that is wrong, with paths below `at`: "limits.user.messages.burst".
[[nodiscard]] Problems validate(const Options& options, std::string_view at = "limits");

}  // namespace liminal::limits
