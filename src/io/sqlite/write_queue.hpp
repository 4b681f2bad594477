#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "io/sqlite/feature_sampler.hpp"
#include "io/sqlite/records.hpp"

namespace liminal::sqlite {

/// Removes feature rows older than a moment; is told how many there were.
struct Forget {
  SteadyTime before;
  std::function<void(Result<std::uint64_t>)> done;
};

/// What waits between any number of threads and the one writer.
///
/// Overflow policy, by what is lost if it cannot be kept:
///   - Feature rows: the newest is dropped and counted when `rows_max` are waiting.
///   - Everything else: the newest is refused with kUnavailable, and counted, when `groups_max` or
///     `bytes_max` are waiting: its sender knows that it is not kept. A newer state of an alert
///     that still waits alone in its group takes the place of the older, so that an alert that
///     changes with every message takes one place; who waits for the older waits for the newer.
///
/// Order: groups are taken in the order they came (a replacing alert keeps its elder's place); rows
/// are on their own. All members are thread-safe.
class WriteQueue {
 public:
  struct Options {
    std::size_t groups_max = 32'768;
    std::size_t bytes_max = std::size_t{64} << 20;  ///< of groups, texts included
    std::size_t rows_max = 8'192;                   ///< eight seconds of all that is sampled
    /// What is not waited for is committed this much later at the latest.
    std::chrono::milliseconds patience{100};
    std::size_t batch_max = 4'096;  ///< groups, and rows, that are taken at once
    FeatureSampler::Options sampling{};
  };

  struct Batch {
    std::vector<Group> groups;
    std::vector<traffic::FeatureRow> rows;
    std::vector<Forget> forgets;
    bool closed = false;   ///< nothing more is accepted
    bool drained = false;  ///< nothing more waits
  };

  struct Counters {
    std::uint64_t rows_taken = 0;
    std::uint64_t rows_thinned = 0;     ///< by the sampler
    std::uint64_t rows_dropped = 0;     ///< because too many were waiting
    std::uint64_t groups_refused = 0;   ///< because too many were waiting, or closed
    std::uint64_t alerts_replaced = 0;  ///< by a newer state while waiting
    std::size_t groups_waiting = 0;
    std::size_t bytes_waiting = 0;
    std::size_t rows_waiting = 0;
  };

  explicit WriteQueue(const Options& options) : options_(options), sampler_(options.sampling) {}

  /// Errors: kUnavailable when full or closed: nothing of the group will be written.
  Result<void> push(Group group);

  /// False when the row was thinned or dropped.
  bool push(traffic::FeatureRow row);

  Result<void> push(Forget forget);

  /// Waits until somebody waits for a write, or the oldest write is `patience` old, or a batch is
  /// full, or it is closed; at most for `longest`. May give an empty batch. Takes rows only when
  /// `want_rows`, groups only when `want_groups`: the writer still holds what it could not write.
  [[nodiscard]] Batch take(std::chrono::milliseconds longest, bool want_groups, bool want_rows);

  /// Sleeps until `pause` is over or the queue is closed.
  void rest(std::chrono::milliseconds pause);

  void close();
  [[nodiscard]] Counters counters() const;

 private:
  using Clock = std::chrono::steady_clock;
  [[nodiscard]] bool replace_waiting_alert(Group& group);
  void note_alerts(const Group& group);
  [[nodiscard]] bool due(Clock::time_point now, bool want_groups, bool want_rows) const;
  [[nodiscard]] Clock::time_point due_at(bool want_groups, bool want_rows) const;
  void take_groups(Batch& batch);

  const Options options_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  FeatureSampler sampler_;
  struct Waiting {
    Group group;
    std::size_t bytes;
    Clock::time_point since;
  };
  std::deque<Waiting> groups_;
  std::uint64_t taken_groups_ = 0;  ///< number of groups_.front(), counted from the start
  std::unordered_map<std::int64_t, std::uint64_t> lone_alerts_;  ///< alert → number of its group
  std::deque<traffic::FeatureRow> rows_;
  Clock::time_point rows_since_{};
  std::vector<Forget> forgets_;
  std::size_t awaited_ = 0;  ///< groups that somebody waits for
  bool closed_ = false;
  Counters counters_;
};

}  // namespace liminal::sqlite
