#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "app/event_source.hpp"
#include "app/play_message.hpp"
#include "core/base/random.hpp"
#include "core/base/time.hpp"
#include "io/epoll/loop.hpp"

namespace liminal::app {

struct PlayOptions {
  epoll::Address target;
  std::string host;        ///< for the Host field
  std::string path = "/";  ///< with its query
  double speed = 1;        ///< as many times as fast as the events' times
  PlayFormat format = PlayFormat::kHub;
};

/// What was played so far.
struct PlayCounts {
  std::uint64_t events = 0;
  std::uint64_t messages = 0;  ///< sent, subscriptions too
  std::uint64_t unsent = 0;    ///< given up because their connection was refused or had ended
  std::uint64_t answers = 0;   ///< messages received
  std::uint64_t opened = 0;    ///< connections that became WebSockets
  std::uint64_t refused = 0;   ///< answered with something else than 101
  std::uint64_t failed = 0;    ///< could not be connected, or broke off
  std::uint64_t closed = 0;    ///< by the server
  std::size_t open = 0;        ///< connections now
  Duration position{};         ///< in the events' time, since the first
  Duration behind{};           ///< of the schedule, in real time
};

/// Plays events as real WebSocket clients, one connection each, at their times. User and address of
/// each travel in X-User-Id and X-Forwarded-For.
///
/// A user without an open connection gets one with the next thing that it does; a user that
/// connects again gets a new connection and leaves the old one. What is to be sent waits until the
/// connection is open, at most 1 MiB each. One thread, never blocking: a server that does not
/// answer holds up only its own connection.
class Player {
 public:
  explicit Player(PlayOptions options);
  ~Player();
  Player(const Player&) = delete;
  Player& operator=(const Player&) = delete;

  /// Plays until the source ends, `stopped` says so, or it is clear that nobody answers (`opened`
  /// is then zero); then takes leave of everybody. `report` is called some ten times a second.
  PlayCounts run(EventSource& source,
                 const std::function<void(const PlayCounts&)>& report,
                 const std::function<bool()>& stopped);

 private:
  class Client;
  using Key = std::uint64_t;

  static Key key_of(const traffic::Event& event);
  void play(const traffic::Event& event);
  Client& open(Key key, const traffic::Event& event);
  void ended(Client& client);
  bool wait_until(Duration due,
                  const std::function<void(const PlayCounts&)>& report,
                  const std::function<bool()>& stopped);
  void leave_all();
  [[nodiscard]] Duration elapsed() const;

  PlayOptions options_;
  epoll::Loop loop_;
  Random random_{0x11111111};  ///< mask keys: any will do, they hide nothing here
  std::unordered_map<Key, std::unique_ptr<Client>> clients_;
  std::unordered_map<Client*, std::unique_ptr<Client>> leaving_;
  PlayCounts counts_;
  std::chrono::steady_clock::time_point start_;
  Duration reported_{};
};

}  // namespace liminal::app
