#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/time.hpp"
#include "server/hub/options.hpp"
#include "server/hub/protocol.hpp"

namespace liminal::hub {

/// A connection, as the hub sees it. Its address is its identity, from `join` to `leave`.
class Peer {
 public:
  virtual ~Peer() = default;
  [[nodiscard]] virtual std::string_view user() const = 0;
  /// Queues whole frames. False when the peer's bounded queue is full: nothing was queued. Must not
  /// call the hub: what ends a connection is told with `leave` later.
  [[nodiscard]] virtual bool send(std::string_view frames) = 0;
  /// What the peer asked for last was an error of its own.
  virtual void failed() = 0;
};

/// A message on its way to the members of a channel, on any thread.
struct Publication {
  std::string channel;
  std::string frame;
};
using SharedPublication = std::shared_ptr<const Publication>;

/// What happened since the start, and what there is.
struct Counts {
  std::uint64_t published = 0;     ///< publications accepted from members of this thread
  std::uint64_t delivered = 0;     ///< messages handed to members of this thread
  std::uint64_t dropped_slow = 0;  ///< not handed to a member whose queue was full
  std::uint64_t dropped_busy = 0;  ///< publications refused because too many waited
  std::size_t channels = 0;
  std::size_t members = 0;
  std::size_t subscriptions = 0;
  std::size_t waiting = 0;             ///< publications being delivered
  std::uint64_t dropped_forwards = 0;  ///< publications that another thread's full mailbox refused

  Counts& operator+=(const Counts& other);
};

/// The channels of one thread: who is in them, and what is on its way to them.
///
/// Delivery is fair: publications of a channel reach its members in order, and channels that have
/// something to deliver take turns, `slice_members` at a time, so that a crowd does not hold up a
/// conversation. A slow member loses messages (counted) and holds up nobody. A publication is
/// for those who are members when it comes and stay until it is their turn.
///
/// Bounded by `Options` everywhere. Not thread-safe; calls no peer from `join` and `leave`.
/// Cost: subscribing, leaving a channel and each delivery O(1).
class Hub {
 public:
  explicit Hub(const Options& options) : options_(options) {}

  void join(Peer& peer);
  /// Takes the peer out of everything. It may be gone afterwards.
  void leave(Peer& peer);

  /// Handles a text message of a peer that has joined. Gives what other threads must be told, if
  /// anything.
  [[nodiscard]] SharedPublication receive(Peer& peer, std::string_view message, EventTime now);

  /// Takes a publication of another thread.
  void accept(SharedPublication publication);

  /// Hands out up to `deliveries_max` messages. True while more wait.
  bool deliver(std::size_t deliveries_max);

  [[nodiscard]] Counts counts() const;

 private:
  struct Member;
  struct Channel;

  /// A member's place in a channel; the channel's list knows the way back.
  struct Subscription {
    Channel* channel = nullptr;
    std::size_t place = 0;
  };
  struct Member {
    Peer* peer = nullptr;
    std::vector<Subscription> subscriptions;
  };
  struct Seat {
    Member* member = nullptr;
    std::size_t subscription = 0;
    std::uint64_t from = 0;  ///< the number of the first publication that is for this seat
  };
  struct Channel {
    std::string name;
    std::vector<Seat> seats;
    std::deque<SharedPublication> backlog;
    std::uint64_t front = 0;  ///< the number of the backlog's front
    std::size_t served = 0;   ///< seats that have it
    bool busy = false;        ///< is in `busy_`
  };

  void subscribe(Member& member, const std::string& name);
  void unsubscribe(Member& member, std::string_view name);
  [[nodiscard]] SharedPublication publish(Member& member, const Request& request, EventTime now);
  [[nodiscard]] bool enqueue(const SharedPublication& publication);
  void leave_channel(Member& member, std::size_t subscription);
  void free_seat(Channel& channel, std::size_t place);
  void move_seat(Channel& channel, std::size_t from, std::size_t to);
  [[nodiscard]] std::size_t serve(Channel& channel, std::size_t deliveries_max);
  void finish_front(Channel& channel);
  void forget_if_empty(Channel& channel);
  void answer(Member& member, const std::string& frame);
  /// Answers with an error that is the member's own.
  void refuse(Member& member, std::string_view why);

  Options options_;
  RequestReader reader_;
  std::unordered_map<const Peer*, std::unique_ptr<Member>> members_;
  std::unordered_map<std::string_view, std::unique_ptr<Channel>> channels_;  ///< key: its name
  std::deque<Channel*> busy_;  ///< channels with a backlog, the next to serve first
  std::size_t backlog_bytes_ = 0;
  std::size_t subscriptions_ = 0;
  std::size_t waiting_ = 0;
  Counts counts_;
};

}  // namespace liminal::hub
