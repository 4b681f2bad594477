#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

#include "core/traffic/verdict.hpp"
#include "core/wire/opcode.hpp"

namespace liminal::gateway {

/// Why a connection was not let in: labels of `websocket_connection_rejections_total`.
enum class Rejection : std::uint8_t {
  kHandshakeTimeout,
  kBadRequest,
  kUnauthorized,
  kRateLimited,  ///< the engine refused it for now: 429
  kBlocked,      ///< the engine refused it: 403
  kTooManyConnections,
  kUpstreamUnavailable,
  kUpstreamRefused,  ///< the upstream answered with something else than a valid 101
  kOverloaded,       ///< a queue between threads was full, or descriptors ran out
  kShuttingDown,
  kCipherFailed,  ///< no TLS, or none that is accepted
};
inline constexpr std::size_t kRejections = 11;
[[nodiscard]] std::string_view name(Rejection reason);

/// Why the gateway itself ended a connection: labels of `websocket_closes_total`.
enum class Closing : std::uint8_t {
  kRateLimited,
  kBlocked,  ///< the user may not send: an override, or a limit that never lets this pass
  kProtocolError,
  kMessageTooLarge,
  kInvalidContent,
  kSlowReader,
  kIdle,
  kUpstreamFault,  ///< the upstream broke the protocol
  kShuttingDown,
  kService,          ///< the built-in service wanted it
  kClient,           ///< the client took leave of the built-in service
  kFinding,          ///< a rule that closes
  kUpstreamDrained,  ///< a reload took its upstream away, `drain_timeout` ago
};
inline constexpr std::size_t kClosings = 13;
[[nodiscard]] std::string_view name(Closing reason);

enum class Direction : std::uint8_t { kIn, kOut };  ///< from the client; to the client

/// Labels `type` of `websocket_messages_total`.
enum class MessageType : std::uint8_t { kText, kBinary, kPing, kPong, kClose };
inline constexpr std::size_t kMessageTypes = 5;
[[nodiscard]] std::string_view name(MessageType type);
[[nodiscard]] constexpr MessageType message_type(wire::Opcode opcode) {
  switch (opcode) {
    case wire::Opcode::kText:
      return MessageType::kText;
    case wire::Opcode::kPing:
      return MessageType::kPing;
    case wire::Opcode::kPong:
      return MessageType::kPong;
    case wire::Opcode::kClose:
      return MessageType::kClose;
    case wire::Opcode::kBinary:
    case wire::Opcode::kContinuation:
      break;
  }
  return MessageType::kBinary;
}

/// A number that one thread counts and any thread reads: costs what a plain one does.
class Count {
 public:
  void add(std::uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// What happened on one thread, as plain numbers. Adds up over threads. Monotone, but the gauges
/// `connections` and `handshakes`, which are differences.
template <class Number>
struct BasicCounters {
  Number opened{}, closed{};  ///< connections that were let in
  Number handshakes_begun{},
      handshakes_ended{};  ///< accepted sockets, until they are let in or not
  std::array<std::array<Number, kMessageTypes>, 2>
      messages{};                 ///< [Direction][MessageType], relayed
  std::array<Number, 2> bytes{};  ///< of frames relayed, headers too
  std::array<Number, traffic::kReasons> delayed{}, dropped{}, closed_by_limit{};
  /// By what was done of it: delays longer than `delay_max`, connections delayed for
  /// `held_back_max`
  Number delays_dropped{}, delays_closed{};
  std::array<Number, traffic::kReasons> shadow{};  ///< would have been delayed, dropped or closed
  std::array<Number, kRejections> rejections{};
  std::array<Number, kClosings> closings{};
  Number upstream_errors{};    ///< answers of upstreams that matched the error pattern
  Number upstream_failures{};  ///< upstreams that could not be reached
  Number handed_over{};        ///< connections given to the thread that owns their user
};

using Counters = BasicCounters<Count>;
using Totals = BasicCounters<std::uint64_t>;

void add_to(Totals& totals, const Counters& counters);

}  // namespace liminal::gateway
