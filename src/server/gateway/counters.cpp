#include "server/gateway/counters.hpp"

namespace liminal::gateway {
namespace {

constexpr std::array<std::string_view, kRejections> kRejectionNames = {"handshake_timeout",
                                                                       "bad_request",
                                                                       "unauthorized",
                                                                       "rate_limited",
                                                                       "blocked",
                                                                       "too_many_connections",
                                                                       "upstream_unavailable",
                                                                       "upstream_refused",
                                                                       "overloaded",
                                                                       "shutting_down",
                                                                       "tls_failed"};

constexpr std::array<std::string_view, kClosings> kClosingNames = {"rate_limited",
                                                                   "blocked",
                                                                   "protocol_error",
                                                                   "message_too_large",
                                                                   "invalid_content",
                                                                   "slow_reader",
                                                                   "idle",
                                                                   "upstream_fault",
                                                                   "shutting_down",
                                                                   "service",
                                                                   "client",
                                                                   "finding",
                                                                   "upstream_drained"};

constexpr std::array<std::string_view, kMessageTypes> kTypeNames = {
    "text", "binary", "ping", "pong", "close"};

template <std::size_t N>
void add_all(std::array<std::uint64_t, N>& totals, const std::array<Count, N>& counts) {
  for (std::size_t i = 0; i < N; ++i) totals[i] += counts[i].value();
}

}  // namespace

std::string_view name(Rejection reason) {
  return kRejectionNames[static_cast<std::size_t>(reason)];
}
std::string_view name(Closing reason) { return kClosingNames[static_cast<std::size_t>(reason)]; }
std::string_view name(MessageType type) { return kTypeNames[static_cast<std::size_t>(type)]; }

void add_to(Totals& totals, const Counters& counters) {
  totals.opened += counters.opened.value();
  totals.closed += counters.closed.value();
  totals.handshakes_begun += counters.handshakes_begun.value();
  totals.handshakes_ended += counters.handshakes_ended.value();
  for (std::size_t i = 0; i < totals.messages.size(); ++i)
    add_all(totals.messages[i], counters.messages[i]);
  add_all(totals.bytes, counters.bytes);
  add_all(totals.delayed, counters.delayed);
  add_all(totals.dropped, counters.dropped);
  add_all(totals.closed_by_limit, counters.closed_by_limit);
  totals.delays_dropped += counters.delays_dropped.value();
  totals.delays_closed += counters.delays_closed.value();
  add_all(totals.shadow, counters.shadow);
  add_all(totals.rejections, counters.rejections);
  add_all(totals.closings, counters.closings);
  totals.upstream_errors += counters.upstream_errors.value();
  totals.upstream_failures += counters.upstream_failures.value();
  totals.handed_over += counters.handed_over.value();
}

}  // namespace liminal::gateway
