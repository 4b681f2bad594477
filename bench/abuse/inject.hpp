#pragma once

#include <vector>

#include "core/abuse/inject.hpp"
#include "core/base/random.hpp"
#include "trace.hpp"

namespace liminal::bench {

using abuse::Abuse;
using abuse::Injection;
using abuse::kAbuses;

/// Slow kinds count as found in time within ten minutes, fast ones within ten events or 15 s.
[[nodiscard]] bool slow(Abuse abuse);

/// Real chat has no channels, contents or failures: gives every event plausible ones. Users have
/// one to three channels and stray to others with 3 % of their messages, repeat 2 % of their
/// contents and short words of all, fail with 1.2 % (some with 5), and in one of five traces the
/// server fails for three minutes. Adds a subscription when a user arrives.
void enrich(Trace& trace, Random& random);

/// What clients say by themselves.
enum class Chatter : std::uint8_t {
  kNone,
  kHeartbeats,  ///< everybody who is there, every 25 s, of one of three versions (60, 30, 10 %)
  kNamed,       ///< and marks that somebody types, which the gateway is told to be signals
  kAll,         ///< and these, of the channel, as contents like any
};
/// Adds it to such a trace. Of marks there are up to three before every other message.
void add_chatter(Trace& trace, Chatter chatter, Random& random);

/// Game traffic: `players` clients that send 5 to 20 messages a second on a jittering tick, in
/// sessions of 15 to 25 minutes, with calm and busy phases, one channel a match.
[[nodiscard]] Trace game(int players, double duration_s, Random& random);

/// The kinds that make sense among such clients, one player each, who first plays like others for
/// a minute; floods are 4 to 12 times a player's rate. The trace must be sorted again.
[[nodiscard]] std::vector<Injection> inject_game(Trace& trace, double end, Random& random);

}  // namespace liminal::bench
