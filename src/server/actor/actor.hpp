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
class Actor {
 public:
  /// What is advised for a service now. Called on the actor's thread.
  using Advise = std::function<Result<scaling::Advice>(const std::string& service)>;
  /// A line for the audit log. Called on the actor's thread.
  using Audit =
      std::function<void(std::string_view action, const std::string& service, std::string detail)>;
  using Clock = std::function<SteadyTime()>;

  /// `options` must be valid.
  Actor(Options options, Advise advise, Audit audit, Clock clock);
  /// Ends the attempt that is under way.
  ~Actor();
  Actor(const Actor&) = delete;
  Actor& operator=(const Actor&) = delete;

  /// Calls `each(service, counters)` for every target, in their order. Any thread.
  void counters(const std::function<void(const std::string&, const Counters&)>& each) const;

 private:
  struct State {
    Pacer pacer;
    Counters counters;
  };
  void run();
  void look(std::size_t which);
  [[nodiscard]] Outcome act(const Target& target,
                            const scaling::Advice& advice,
                            SteadyTime now,
                            std::string& detail);

  const Options options_;
  const Advise advise_;
  const Audit audit_;
  const Clock clock_;
  http::Client client_;
  mutable std::mutex mutex_;  // of what follows; the pacers are the thread's
  std::condition_variable stop_;
  bool stopping_ = false;
  std::vector<State> states_;
  std::thread thread_;
};

}  // namespace liminal::actor
