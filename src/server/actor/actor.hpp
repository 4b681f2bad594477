#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/base/result.hpp"
#include "core/scaling/service.hpp"
#include "io/http/client.hpp"
#include "server/actor/options.hpp"
#include "server/actor/pacer.hpp"

namespace liminal::actor {

/// What became of actions on one target.
struct Counters {
  std::uint64_t observed = 0;  ///< would have been done, in observe
  std::uint64_t shadowed = 0;  ///< the same in shadow
  std::uint64_t done = 0;
  std::uint64_t failed = 0;    ///< attempts that are made again
  std::uint64_t rejected = 0;  ///< refused by the target
};

/// Tells targets how many instances are advised, when that changes and their mode allows it.
///
/// Opt-in: only configured services. One thread of its own looks at the advice, asks one target
/// after the other and waits for its answer, so nobody else waits; a target that does not answer
/// holds up the others for its time-out at most. The newest number counts: nothing is queued.
///
/// What was told lives as long as the process: after a restart each target is told once more.
/// The audit log gets what a target took or would be told when that is another number, and of
/// failures in a row the first of each kind: a target that is away for a day is two lines.
class Actor {
 public:
  /// What is advised for a service now. Called on the actor's thread.
  using Advise = std::function<Result<scaling::Advice>(const std::string& service)>;
  /// A line for the audit log. Called on the actor's thread.
  using Audit =
      std::function<void(std::string_view action, const std::string& service, std::string detail)>;
  using Clock = std::function<SteadyTime()>;

  /// `options` must be valid. Tells nobody before `start`.
  Actor(Options options, Advise advise, Audit audit, Clock clock);
  /// Stops.
  ~Actor();
  Actor(const Actor&) = delete;
  Actor& operator=(const Actor&) = delete;

  /// Once.
  void start();
  /// Ends the attempt that is under way; none follows. Counters stay.
  void stop();

  /// Sets the mode of a service's target from the next look on; what was told so far is forgotten,
  /// so that enforcing begins with telling it. Any thread; no-op for a service that is not told of.
  void set_mode(const std::string& service, traffic::Mode mode);

  /// Calls `each(service, counters)` for every target, in their order. Any thread.
  void counters(const std::function<void(const std::string&, const Counters&)>& each) const;

 private:
  struct State {
    Pacer pacer;
    traffic::Mode mode;  ///< that the pacer was made for
    http::Outcome::Kind last = http::Outcome::Kind::kDone;
    // Under the mutex, the rest is the thread's.
    traffic::Mode mode_wanted;
    Counters counters;
  };
  void run();
  void take_mode(State& state);
  void look(std::size_t which);
  static void count(Counters& counters, traffic::Mode mode, http::Outcome::Kind outcome);
  [[nodiscard]] http::Outcome act(const Target& target,
                                  const scaling::Advice& advice,
                                  SteadyTime now,
                                  std::string& detail);

  const Options options_;
  const Advise advise_;
  const Audit audit_;
  const Clock clock_;
  http::Client client_;
  mutable std::mutex mutex_;  // of what follows, as far as `State` says
  std::condition_variable stop_;
  bool stopping_ = false;
  std::vector<State> states_;
  std::thread thread_;
};

}  // namespace liminal::actor
