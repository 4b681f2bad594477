#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
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

/// Asks who a "chat-1:9000" is, as `epoll::resolve` does. May take its time.
using Resolve = std::function<Result<std::vector<epoll::Address>>(std::string_view host_and_port)>;

/// One server behind the gateway. Shared by threads; lives as long as a connection to it.
class Upstream {
 public:
  /// `target`: what names its addresses, "chat-1:9000" or "unix:/run/chat.sock". It has none until
  /// `move_to` gives it some.
  Upstream(std::string name, std::string host, std::string target, bool ciphered)
      : name_(std::move(name)),
        host_(std::move(host)),
        target_(std::move(target)),
        ciphered_(ciphered) {}

  /// As configured: "ws://chat-1:9000", "unix:/run/chat.sock".
  [[nodiscard]] const std::string& name() const { return name_; }
  /// The name or address in its URL, which its certificate must be for; empty for a Unix socket.
  [[nodiscard]] const std::string& host() const { return host_; }
  [[nodiscard]] const std::string& target() const { return target_; }
  /// Where to connect to; the next one at each failure, where a name has several. None while nobody
  /// knows the name.
  [[nodiscard]] std::optional<epoll::Address> address() const;
  [[nodiscard]] bool resolved() const { return resolved_.load(kRelaxed); }
  /// From now on new connections go there. False when that is where they went before; else it is
  /// tried at once, whatever was elsewhere.
  bool move_to(std::vector<epoll::Address> addresses);
  /// All that it has, for an operator: "10.0.0.7:9000, 10.0.0.8:9000".
  [[nodiscard]] std::string addresses_text() const;
  [[nodiscard]] bool ciphered() const { return ciphered_; }  ///< wss://

  [[nodiscard]] std::uint32_t connections() const { return connections_.load(kRelaxed); }
  void joined() { connections_.fetch_add(1, kRelaxed); }
  void left() { connections_.fetch_sub(1, kRelaxed); }

  /// A failure to connect or to answer keeps it out of the choice for a while: 250 ms, then twice
  /// as long each time up to 16 s. After that one connection tries; a success clears it.
  void failed(epoll::LoopTime now);
  void succeeded();
  /// Its addresses may not be the right ones any more. `failed` says so too.
  void doubt() { doubted_.store(true, kRelaxed); }
  /// They are to be asked for at once.
  void ask_again() {
    doubt();
    looked_up_.store(0, kRelaxed);
  }
  /// Whether to ask for its addresses again: nobody knew them, or they are in doubt, and nobody
  /// asked since `pause`. Who is told so asks: it is not said again before the next pause is over.
  [[nodiscard]] bool wants_lookup(epoll::LoopTime now, Duration pause);
  /// Known, and neither kept out nor found down.
  [[nodiscard]] bool healthy(epoll::LoopTime now) const;
  /// What active checks found; well until they say otherwise.
  void set_up(bool up) { up_.store(up, kRelaxed); }
  [[nodiscard]] bool up() const { return up_.load(kRelaxed); }
  /// Connections that it failed since the start.
  [[nodiscard]] std::uint64_t errors() const { return errors_.load(kRelaxed); }
  /// New connections do not go there any more; those that are open stay.
  void drain(epoll::LoopTime now);
  void take_in() { draining_since_.store(0, kRelaxed); }
  /// Since when it is drained; zero while it is not.
  [[nodiscard]] epoll::LoopTime draining_since() const {
    return Duration{draining_since_.load(kRelaxed)};
  }
  /// What the thread of that index counts; lives as long as this.
  [[nodiscard]] UpstreamTally& tally(std::size_t thread);
  [[nodiscard]] UpstreamTotals totals() const;
  /// Since when it is to be tried again; zero when nothing is wrong.
  [[nodiscard]] epoll::LoopTime out_until() const { return Duration{out_until_.load(kRelaxed)}; }

 private:
  static constexpr auto kRelaxed = std::memory_order_relaxed;
  const std::string name_, host_, target_;
  const bool ciphered_;
  std::atomic<bool> resolved_{false}, doubted_{false};
  std::atomic<Duration::rep> looked_up_{0};  ///< when `wants_lookup` said so; 0: never
  std::atomic<std::uint32_t> connections_{0};
  std::atomic<std::uint32_t> failures_{0};  ///< in a row
  std::atomic<Duration::rep> out_until_{0};
  std::atomic<Duration::rep> draining_since_{0};
  std::atomic<std::uint64_t> errors_{0};
  std::atomic<bool> up_{true};
  mutable std::mutex mutex_;  // of the lists, not of what threads count
  std::vector<epoll::Address> addresses_;
  std::vector<std::unique_ptr<UpstreamTally>> tallies_;  ///< by thread; null before its first
};

/// What came of asking for an upstream's addresses, when it is news.
struct Lookup {
  std::string upstream;
  bool known = false;     ///< the name was
  std::string addresses;  ///< that it has now; those of before when the name is not known any more
};

/// The servers behind the gateway, immutable as a list: a reload makes another list that shares
/// those that stay. Thread-safe.
class Upstreams {
 public:
  /// Names are asked for again at most this often while the gateway runs.
  static constexpr Duration kLookupPause = std::chrono::seconds{30};

  /// Reads and resolves "ws://HOST:PORT", "wss://HOST:PORT" or "unix:PATH" (blocks: start-up and
  /// reload). Keeps the state of what is also in `before`, or was drained there, with the addresses
  /// that its name has now; those of before when nobody knows it any more. Adds to `news` what an
  /// operator should hear. Fails with the position of the first URL that cannot be used, or with
  /// `kUnavailable` when no name at all is known.
  [[nodiscard]] static Result<std::shared_ptr<const Upstreams>> make(
      const std::vector<std::string>& urls,
      const Upstreams* before,
      const Resolve& resolve = epoll::resolve,
      std::vector<Lookup>* news = nullptr);

  /// Asks for the addresses of those whose name nobody knew and of those that failed since, each
  /// at most once in `kLookupPause`, and gives what is news. Blocks: never on a gateway's thread.
  [[nodiscard]] std::vector<Lookup> look_up_again(epoll::LoopTime now,
                                                  const Resolve& resolve) const;

  /// The healthy one with the fewest connections that is not in `tried`; when none is healthy, the
  /// one whose time-out ends first, of those whose addresses are known and that checks found well
  /// if there are any. Null when all were tried.
  [[nodiscard]] std::shared_ptr<Upstream> pick(epoll::LoopTime now,
                                               const std::vector<const Upstream*>& tried) const;

  /// Those of lists before that are not in this one, as long as they have connections.
  [[nodiscard]] std::vector<std::shared_ptr<Upstream>> draining() const;
  /// Says of each whether it is drained, from now on if it was not before.
  void mark(epoll::LoopTime now) const;
  [[nodiscard]] bool empty() const { return all_.empty(); }
  [[nodiscard]] const std::vector<std::shared_ptr<Upstream>>& all() const { return all_; }

 private:
  /// The one with that URL, drained ones too; null when there is none.
  [[nodiscard]] std::shared_ptr<Upstream> find(std::string_view name) const;
  void take_over_removed(const Upstreams& before);

  std::vector<std::shared_ptr<Upstream>> all_;
  std::vector<std::weak_ptr<Upstream>> removed_;  ///< while a connection or a handshake has them
};

}  // namespace liminal::gateway
