#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <unordered_map>

#include "app/event_source.hpp"
#include "app/play_message.hpp"
#include "core/base/time.hpp"
#include "io/epoll/loop.hpp"
#include "server/player/crowd.hpp"

namespace liminal::app {

struct PlayOptions {
  double speed = 1;  ///< as many times as fast as the events' times
  PlayFormat format = PlayFormat::kHub;
  std::size_t connections_max = 10'000;
};

/// How far it is.
struct PlayProgress {
  std::uint64_t events = 0;
  std::size_t connections = 0;  ///< now
  Duration position{};          ///< in the events' time, since the first
  Duration behind{};            ///< of the schedule, in real time
};

/// Plays events through a crowd of WebSocket clients at their times. A user that connects again, or
/// turns up at another address, leaves the connection it had.
class Player {
 public:
  Player(player::Target target, const PlayOptions& options)
      : options_(options),
        crowd_(loop_, std::move(target), {.connections_max = options.connections_max, .seed = 1}) {}

  using Report = std::function<void(const PlayProgress&, const player::CrowdCounts&)>;

  /// Plays until the source ends, `stopped` says so, or it is clear that nobody answers (`opened`
  /// is then zero); then everybody says goodbye. `report` is called some ten times a second and at
  /// the end.
  const player::CrowdCounts& run(EventSource& source,
                                 const Report& report,
                                 const std::function<bool()>& stopped);

  [[nodiscard]] const PlayProgress& progress() const { return progress_; }

 private:
  void play(const traffic::Event& event);
  bool wait_until(Duration due, const Report& report, const std::function<bool()>& stopped);
  void tell(const Report& report);
  [[nodiscard]] bool nobody_answers() const;
  [[nodiscard]] Duration elapsed() const { return std::chrono::steady_clock::now() - start_; }

  PlayOptions options_;
  epoll::Loop loop_;
  player::Crowd crowd_;
  std::unordered_map<std::uint64_t, std::uint64_t> addresses_;  ///< last of each user, by hash
  PlayProgress progress_;
  std::chrono::steady_clock::time_point start_;
  Duration told_{};
};

}  // namespace liminal::app
