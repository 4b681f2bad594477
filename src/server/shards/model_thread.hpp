#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "core/base/problem.hpp"
#include "core/engine/champion.hpp"
#include "io/prometheus/histogram.hpp"

namespace liminal::shards {

struct InferenceOptions {
  /// What a model may take for one row. A batch counts as of sixteen rows at least: what a lone row
  /// takes is the caches', and harmless.
  Duration row_budget = std::chrono::microseconds{5};
  /// The same of a foreign model, which holds up no shard but has one thread to keep up on.
  Duration foreign_row_budget = std::chrono::microseconds{200};
  /// An answer that takes longer is dropped and counted; a model that does not come back for so
  /// long is taken out.
  Duration patience = std::chrono::seconds{1};
  std::size_t queue_max = 4096;  ///< asks that may wait for the thread; more are dropped, counted
};
[[nodiscard]] Problems validate(const InferenceOptions& options);

/// Holds what batches take against the budget: a model is over it when most of 32 batches in a row
/// were, so that a thread that lost its processor now and then condemns nobody.
class BudgetWatch {
 public:
  /// Whether the model is to be taken out, after this batch.
  [[nodiscard]] bool over(Duration took, std::size_t rows, Duration row_budget);

 private:
  static constexpr unsigned kBatches = 32;
  unsigned batches_ = 0, slow_ = 0;
};

/// Answers beside the shards' threads what would hold them up: what foreign models say, and why own
/// ones say it. The queue is bounded; what is late is dropped.
///
/// Thread rule: `put` and `look` from any thread. The callbacks run on the thread of its own.
class ModelThread {
 public:
  struct Task {
    std::shared_ptr<const engine::Champion> champion;
    engine::Ask ask;
    std::optional<float> score;  ///< known: it only has to be explained
    std::chrono::steady_clock::time_point asked;
  };
  struct Callbacks {
    /// Takes an answer to the shard; false when there is no room for it.
    std::function<bool(ShardId shard, engine::Answer answer)> answered;
    std::function<void(const engine::Champion* champion, const engine::ModelFault& fault)> failed;
  };

  ModelThread(const InferenceOptions& options, Callbacks callbacks);
  /// Stops. A model that does not come back is left behind.
  ~ModelThread();
  ModelThread(const ModelThread&) = delete;
  ModelThread& operator=(const ModelThread&) = delete;

  /// False when the queue is full or it has stopped. Never waits for a model.
  [[nodiscard]] bool put(Task task);
  /// Leaves a model behind that has not come back for `patience`. Once a second.
  void look();
  /// Nothing is answered any more.
  void stop();

  /// Asks that were not answered in time.
  [[nodiscard]] std::uint64_t late() const { return late_.load(std::memory_order_relaxed); }
  void count_late() { late_.fetch_add(1, std::memory_order_relaxed); }
  /// What batches of foreign models took.
  [[nodiscard]] prometheus::Histogram seconds() const;

 private:
  struct Crew;
  [[nodiscard]] std::shared_ptr<Crew> crew() const;
  void hire();

  const InferenceOptions options_;
  const std::shared_ptr<const Callbacks> callbacks_;
  std::atomic<std::uint64_t> late_{0};
  mutable std::mutex mutex_;  // of what follows
  std::shared_ptr<Crew> crew_;
  std::thread thread_;
  prometheus::Histogram seconds_before_;  ///< of those that were left behind
  bool stopped_ = false;
};

}  // namespace liminal::shards
