#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/learn/registered.hpp"
#include "io/prometheus/snapshot.hpp"
#include "server/registry/registry.hpp"

namespace liminal::registry {

/// Trainings, one at a time, on a thread of its own that gives way to all others; what they make
/// goes into the registry.
///
/// Guarantees: at most one job of a model waits or runs. States and results are durable when they
/// are shown; a job that the end of the process interrupted is found failed at the next start. A
/// cancelled job is cancelled when `cancel` returns, whenever its work stops.
/// Thread-safe. The destructor cancels what runs and waits for it.
class Jobs {
 public:
  /// What work tells while it runs, and asks. Any thread.
  class Watch {
   public:
    [[nodiscard]] bool cancelled() const;
    void tell(double progress, std::vector<learn::JobLine> leaderboard);

   private:
    friend class Jobs;
    mutable std::mutex mutex_;
    bool cancelled_ = false;
    double progress_ = 0;
    std::vector<learn::JobLine> leaderboard_;
  };

  /// Trains, and returns soon after it was cancelled.
  using Work = std::function<learn::Asked<learn::TrainedModel>(Watch&)>;
  using Now = std::function<SteadyTime()>;
  /// Is told when a job has ended, on the jobs' thread. May be empty.
  using Ended = std::function<void(const learn::TrainingJob&)>;

  static constexpr std::size_t kWaitingMax = 8;

  Jobs(Registry& registry, Now now, Ended ended = {});
  ~Jobs();
  Jobs(const Jobs&) = delete;
  Jobs& operator=(const Jobs&) = delete;

  /// Queues a job, durably. kConflict while another one of the model has not ended; kUnavailable
  /// when too many wait.
  [[nodiscard]] learn::Asked<learn::TrainingJob> submit(const learn::TrainRequest& request,
                                                        Work work);
  /// Whether one of the model waits or runs.
  [[nodiscard]] bool busy(const std::string& model) const;

  /// Newest first.
  [[nodiscard]] std::vector<learn::TrainingJob> list(std::size_t limit) const;
  [[nodiscard]] learn::Asked<learn::TrainingJob> job(std::uint64_t id) const;
  /// Cancels what has not ended; kConflict when it has.
  [[nodiscard]] learn::Asked<learn::TrainingJob> cancel(std::uint64_t id);

  [[nodiscard]] std::size_t unfinished() const;
  void add_metrics(prometheus::Snapshot& out) const;

 private:
  struct Active {
    learn::TrainingJob job;
    Work work;
    std::shared_ptr<Watch> watch = std::make_shared<Watch>();
    bool ending = false;  ///< its result is being published: too late to cancel
  };
  using ActivePtr = std::shared_ptr<Active>;

  void run();
  void carry_out(const ActivePtr& active);
  void finish(const ActivePtr& active, learn::Asked<learn::TrainedModel> trained, Duration took);
  void keep(const learn::TrainingJob& job);
  [[nodiscard]] static learn::TrainingJob shown(const Active& active);

  Registry& registry_;
  const Now now_;
  const Ended ended_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<ActivePtr> waiting_;
  ActivePtr running_;
  bool stopping_ = false;
  struct Counts {
    std::uint64_t succeeded = 0, failed = 0, cancelled = 0;
    prometheus::Histogram seconds;
  };
  std::map<std::string, Counts> counts_;
  std::thread thread_;
};

}  // namespace liminal::registry
