#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "core/learn/search.hpp"
#include "server/training/fitting.hpp"

namespace liminal::training {

/// Carries out a search on threads of its own, which wait where fits are carried out elsewhere.
///
/// Thread rule: all members may be called from any thread. The destructor cancels and waits for the
/// fits under way, which end within a round of boosting.
class Runner {
 public:
  struct Options {
    std::uint32_t workers = 2;
    int nice = 0;  ///< how much the threads give way to others, 0–19
    /// When the time budget began; so that reading the data counts too.
    std::chrono::steady_clock::time_point begun = std::chrono::steady_clock::now();
  };

  Runner(learn::Search search, MakeFitter make_fitter, Options options);
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  /// Asks for an end at once; `outcome` then says what there is.
  void cancel();
  [[nodiscard]] bool done() const;
  /// Waits for the end, at most so long; whether it came.
  [[nodiscard]] bool wait_for(std::chrono::milliseconds longest);

  [[nodiscard]] double progress() const;  ///< 0–1
  [[nodiscard]] std::vector<learn::LeaderboardLine> leaderboard() const;
  [[nodiscard]] double elapsed_s() const;

  /// Waits for the end. `kUnavailable` when nothing was found.
  [[nodiscard]] Result<learn::Outcome> outcome();
  /// The same under another budget for the path of messages.
  [[nodiscard]] Result<learn::Outcome> outcome(const learn::Cost& budget);
  /// What it was about. Does not change.
  [[nodiscard]] const learn::Material& material() const { return search_.material(); }
  [[nodiscard]] learn::Validation validation() const { return search_.validation(); }

 private:
  void work(const MakeFitter& make_fitter);

  learn::Search search_;
  Options options_;
  mutable std::mutex mutex_;  ///< of `search_` and `cancelled_`
  std::condition_variable changed_;
  bool cancelled_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace liminal::training
