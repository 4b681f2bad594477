#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/random.hpp"
#include "trace.hpp"

namespace liminal::bench {

enum class Abuse : std::uint8_t {
  kFlood,
  kSlowFlood,
  kGrowingBot,
  kErrorStorm,
  kContentSpam,
  kOversized,
  kReconnect,
  kChannelSpray,
  kMetronome,
  kRing,
  kTakeover,
};
inline constexpr std::size_t kAbuses = 11;
[[nodiscard]] std::string_view name(Abuse abuse);

/// Slow kinds count as found in time within ten minutes, fast ones within ten events or 15 s.
[[nodiscard]] bool slow(Abuse abuse);

/// One abuse that was put into a trace.
struct Injection {
  Abuse abuse{};
  double subtlety = 0;             ///< 0 blatant … 1 subtle
  std::vector<std::string> users;  ///< several for a ring
  double from = 0, to = 0;         ///< seconds
  double tenth_event = 0;          ///< time of the abusers' tenth event
};

/// Real chat has no channels, contents or failures: gives every event plausible ones. Users have
/// one to three channels and stray to others with 3 % of their messages, repeat 2 % of their
/// contents and short words of all, fail with 1.2 % (some with 5), and in one of five traces the
/// server fails for three minutes. Adds a subscription when a user arrives.
void enrich(Trace& trace, Random& random);

/// Puts one abuse of the kind into a trace that ends at `end`, at a random place. The trace must be
/// sorted again. None when there is no place for it (a take-over needs a user with a past).
[[nodiscard]] std::optional<Injection> inject(
    Trace& trace, Abuse abuse, double end, Random& random, int serial);

/// Game traffic: `players` clients that send 5 to 20 messages a second on a jittering tick, in
/// sessions of 15 to 25 minutes, with calm and busy phases, one channel a match.
[[nodiscard]] Trace game(int players, double duration_s, Random& random);

/// The kinds that make sense among such clients, one player each, who first plays like others for
/// a minute; floods are 4 to 12 times a player's rate. The trace must be sorted again.
[[nodiscard]] std::vector<Injection> inject_game(Trace& trace, double end, Random& random);

}  // namespace liminal::bench
