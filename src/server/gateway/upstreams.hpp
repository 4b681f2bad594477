#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"
#include "io/epoll/address.hpp"
#include "io/epoll/timer_wheel.hpp"
#include "io/prometheus/histogram.hpp"
#include "server/gateway/counters.hpp"

namespace liminal::gateway {

/// What one thread passed on to an upstream and back: that thread counts, any reads.
struct alignas(64) UpstreamTally {
  std::array<Count, 2> messages{};  ///< [Direction]; what limits dropped is not among them
  std::array<Count, 2> bytes{};     ///< of their frames
  Count error_answers{};            ///< of those out, that matched the error pattern
  /// From the upgrade request to the upstream's answer, whatever it was.
  prometheus::LiveHistogram answer_seconds;
};

/// The same of all threads.
struct UpstreamTotals {
  std::array<std::uint64_t, 2> messages{}, bytes{};
  std::uint64_t error_answers = 0;
  prometheus::Histogram answer_seconds{};
};

/// One server behind the gateway. Shared by threads; lives as long as a connection to it.
class Upstream {
 public:
  Upstream(std::string name, std::string host, std::vector<epoll::Address> addresses, bool ciphered)
      : name_(std::move(name)),
        host_(std::move(host)),
        addresses_(std::move(addresses)),
        ciphered_(ciphered) {}

  /// As configured: "ws://chat-1:9000", "unix:/run/chat.sock".
  [[nodiscard]] const std::string& name() const { return name_; }
  /// The name or address in its URL, which its certificate must be for; empty for a Unix socket.
  [[nodiscard]] const std::string& host() const { return host_; }
  /// Where to connect to; the next one at each failure, where a name has several.
  [[nodiscard]] const epoll::Address& address() const;
  [[nodiscard]] bool ciphered() const { return ciphered_; }  ///< wss://

  [[nodiscard]] std::uint32_t connections() const { return connections_.load(kRelaxed); }
  void joined() { connections_.fetch_add(1, kRelaxed); }
  void left() { connections_.fetch_sub(1, kRelaxed); }

  /// A failure to connect or to answer keeps it out of the choice for a while: 250 ms, then twice
  /// as long each time up to 16 s. After that one connection tries; a success clears it.
  void failed(epoll::LoopTime now);
  void succeeded();
  /// Neither kept out nor found down.
  [[nodiscard]] bool healthy(epoll::LoopTime now) const;
  /// What active checks found; well until they say otherwise.
  void set_up(bool up) { up_.store(up, kRelaxed); }
  [[nodiscard]] bool up() const { return up_.load(kRelaxed); }
  /// Connections that it failed since the start.
  [[nodiscard]] std::uint64_t errors() const { return errors_.load(kRelaxed); }
  /// What the thread of that index counts; lives as long as this.
  [[nodiscard]] UpstreamTally& tally(std::size_t thread);
  [[nodiscard]] UpstreamTotals totals() const;
  /// Since when it is to be tried again; zero when nothing is wrong.
  [[nodiscard]] epoll::LoopTime out_until() const { return Duration{out_until_.load(kRelaxed)}; }

 private:
  static constexpr auto kRelaxed = std::memory_order_relaxed;
  const std::string name_, host_;
  const std::vector<epoll::Address> addresses_;
  const bool ciphered_;
  std::atomic<std::uint32_t> connections_{0};
  std::atomic<std::uint32_t> failures_{0};  ///< in a row
  std::atomic<Duration::rep> out_until_{0};
  std::atomic<std::uint64_t> errors_{0};
  std::atomic<bool> up_{true};
  mutable std::mutex mutex_;                             // of the list, not of what threads count
  std::vector<std::unique_ptr<UpstreamTally>> tallies_;  ///< by thread; null before its first
};

/// The servers behind the gateway, immutable as a list: a reload makes another list that shares
/// those that stay. Thread-safe.
class Upstreams {
 public:
  /// Reads and resolves "ws://HOST:PORT", "wss://HOST:PORT" or "unix:PATH" (blocks: start-up and
  /// reload). Keeps the state of what is also in `before`. Fails with the position of the first
  /// URL that cannot be used.
  [[nodiscard]] static Result<std::shared_ptr<const Upstreams>> make(
      const std::vector<std::string>& urls, const Upstreams* before);

  /// The healthy one with the fewest connections that is not in `tried`; when none is healthy, the
  /// one whose time-out ends first, of those that checks found well if there are any. Null when all
  /// were tried.
  [[nodiscard]] std::shared_ptr<Upstream> pick(epoll::LoopTime now,
                                               const std::vector<const Upstream*>& tried) const;

  [[nodiscard]] bool empty() const { return all_.empty(); }
  [[nodiscard]] const std::vector<std::shared_ptr<Upstream>>& all() const { return all_; }

 private:
  std::vector<std::shared_ptr<Upstream>> all_;
};

}  // namespace liminal::gateway
