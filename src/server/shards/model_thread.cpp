#include "server/shards/model_thread.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <utility>
#include <vector>

namespace liminal::shards {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kBatchMax = 64;
/// Rows that a batch counts as at least.
constexpr std::size_t kRowsMin = 16;
/// How long a stop waits for a model that is at work.
constexpr std::chrono::seconds kFarewell{2};

float row_seconds(Duration took, std::size_t rows) {
  return static_cast<float>(seconds(took) / static_cast<double>(std::max(rows, kRowsMin)));
}

}  // namespace

Problems validate(const InferenceOptions& options) {
  Problems problems;
  if (options.row_budget < std::chrono::nanoseconds{100} ||
      options.row_budget > std::chrono::seconds{1})
    problems.push_back({"row_budget", "must be between 100 ns and 1 s"});
  if (options.foreign_row_budget < std::chrono::nanoseconds{100} ||
      options.foreign_row_budget > std::chrono::seconds{1})
    problems.push_back({"foreign_row_budget", "must be between 100 ns and 1 s"});
  if (options.patience < std::chrono::milliseconds{10} ||
      options.patience > std::chrono::minutes{1})
    problems.push_back({"patience", "must be between 10 ms and 1 min"});
  if (options.queue_max < 1 || options.queue_max > (1U << 20))
    problems.push_back({"queue_max", "must be between 1 and 1048576"});
  return problems;
}

bool BudgetWatch::over(Duration took, std::size_t rows, Duration row_budget) {
  const auto counted = static_cast<Duration::rep>(std::max(rows, kRowsMin));
  slow_ += took > row_budget * counted ? 1U : 0U;
  if (++batches_ < kBatches) return false;
  const bool mostly = slow_ > kBatches / 2;
  batches_ = slow_ = 0;
  return mostly;
}

/// A thread's work, which outlives who left it behind.
struct ModelThread::Crew {
  Crew(const InferenceOptions& o, std::shared_ptr<const Callbacks> c, std::atomic<std::uint64_t>& l)
      : options(o), callbacks(std::move(c)), late(l) {}

  void run();
  [[nodiscard]] bool take(std::vector<Task>& batch);
  void work(std::vector<Task>& batch);
  void score(std::vector<Task>& batch);
  void answer(const Task& task);
  [[nodiscard]] bool is_late(const Task& task) const {
    return Clock::now() - task.asked > options.patience;
  }
  void fault(const Task& task, engine::ModelFault::Kind kind, float row);
  template <class Call>
  void tell(Call&& call) {
    const std::lock_guard lock(calling);
    if (!left) call();
  }
  /// From now on it calls nobody.
  void leave() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
      tasks.clear();
    }
    changed.notify_all();
    const std::lock_guard lock(calling);
    left = true;
  }

  const InferenceOptions options;
  const std::shared_ptr<const Callbacks> callbacks;
  std::atomic<std::uint64_t>& late;  ///< used inside `call` only
  BudgetWatch watch;
  const engine::Champion* watched = nullptr;
  prometheus::LiveHistogram took;

  std::mutex calling;  // of what follows; held while a callback runs
  bool left = false;

  std::mutex mutex;  // of what follows
  std::condition_variable changed;
  std::deque<Task> tasks;
  bool stopping = false;
  bool ended = false;
  std::optional<Clock::time_point> began;      ///< what it is at
  std::shared_ptr<const engine::Champion> at;  ///< whose it is
};

void ModelThread::Crew::run() {
  std::vector<Task> batch;
  while (take(batch)) {
    work(batch);
    const std::lock_guard lock(mutex);
    began.reset();
    at.reset();
  }
  {
    const std::lock_guard lock(mutex);
    ended = true;
  }
  changed.notify_all();
}

/// The next asks of one champion, of which either all or none have a score.
bool ModelThread::Crew::take(std::vector<Task>& batch) {
  batch.clear();
  std::unique_lock lock(mutex);
  changed.wait(lock, [this] { return stopping || !tasks.empty(); });
  if (stopping) return false;
  const auto alike = [&] {
    return batch.empty() || (tasks.front().champion == batch.front().champion &&
                             tasks.front().score.has_value() == batch.front().score.has_value());
  };
  while (!tasks.empty() && batch.size() < kBatchMax && alike()) {
    batch.push_back(std::move(tasks.front()));
    tasks.pop_front();
  }
  began = Clock::now();
  at = batch.front().champion;
  return true;
}

void ModelThread::Crew::work(std::vector<Task>& batch) {
  if (!batch.front().score) {
    const auto end =
        std::remove_if(batch.begin(), batch.end(), [this](const Task& t) { return is_late(t); });
    const auto dropped = static_cast<std::uint64_t>(batch.end() - end);
    batch.erase(end, batch.end());
    if (dropped > 0) tell([&] { late += dropped; });
    if (batch.empty()) return;
    score(batch);
  }
  for (const Task& task : batch) answer(task);
}

/// Fills in the scores; the batch is empty when the model failed.
void ModelThread::Crew::score(std::vector<Task>& batch) {
  std::vector<engine::Ask> asks;
  for (const Task& task : batch) asks.push_back(task.ask);
  std::vector<float> scores(batch.size());
  const engine::Champion& champion = *batch.front().champion;
  const auto begin = Clock::now();
  const bool good = champion.score(asks, scores);
  const Duration duration = Clock::now() - begin;
  took.observe(duration);
  if (watched != &champion) watch = {};
  watched = &champion;
  const float row = row_seconds(duration, batch.size());
  if (!good) {
    fault(batch.front(), engine::ModelFault::Kind::kFailed, row);
    batch.clear();
    return;
  }
  if (watch.over(duration, batch.size(), options.foreign_row_budget))
    fault(batch.front(), engine::ModelFault::Kind::kSlow, row);
  for (std::size_t i = 0; i < batch.size(); ++i) batch[i].score = scores[i];
}

void ModelThread::Crew::answer(const Task& task) {
  const engine::ChampionInfo& info = task.champion->info();
  engine::Answer answer{info.version, task.ask.user, task.ask.time, *task.score, {}};
  if (answer.score >= info.line && !is_late(task))
    answer.why = task.champion->explain(task.ask, answer.score);
  tell([&] {
    if (!callbacks->answered(task.ask.shard, std::move(answer))) ++late;
  });
}

void ModelThread::Crew::fault(const Task& task, engine::ModelFault::Kind kind, float row) {
  const auto budget = static_cast<float>(liminal::seconds(options.foreign_row_budget));
  tell([&] {
    callbacks->failed(task.champion.get(), {kind, task.champion->info().version, row, budget});
  });
}

ModelThread::ModelThread(const InferenceOptions& options, Callbacks callbacks)
    : options_(options), callbacks_(std::make_shared<const Callbacks>(std::move(callbacks))) {
  hire();
}

ModelThread::~ModelThread() { stop(); }

/// With the lock, or alone.
void ModelThread::hire() {
  crew_ = std::make_shared<Crew>(options_, callbacks_, late_);
  thread_ = std::thread([crew = crew_] { crew->run(); });
}

std::shared_ptr<ModelThread::Crew> ModelThread::crew() const {
  const std::lock_guard lock(mutex_);
  return crew_;
}

bool ModelThread::put(Task task) {
  const std::shared_ptr<Crew> crew = this->crew();
  {
    const std::lock_guard lock(crew->mutex);
    if (crew->stopping || crew->tasks.size() >= options_.queue_max) return false;
    crew->tasks.push_back(std::move(task));
  }
  crew->changed.notify_one();
  return true;
}

void ModelThread::look() {
  const std::shared_ptr<Crew> crew = this->crew();
  std::shared_ptr<const engine::Champion> stuck;
  Duration waited{};
  std::size_t waiting = 0;
  {
    const std::lock_guard lock(crew->mutex);
    if (crew->stopping || !crew->began) return;
    waited = Clock::now() - *crew->began;
    if (waited <= options_.patience || crew->at->own()) return;
    stuck = crew->at;
    waiting = crew->tasks.size();
  }
  crew->leave();
  late_ += waiting;
  {
    const std::lock_guard lock(mutex_);
    if (stopped_ || crew_ != crew) return;
    seconds_before_.merge(crew->took.read());
    thread_.detach();
    hire();
  }
  callbacks_->failed(stuck.get(),
                     {engine::ModelFault::Kind::kStuck,
                      stuck->info().version,
                      static_cast<float>(liminal::seconds(waited)),
                      static_cast<float>(liminal::seconds(options_.foreign_row_budget))});
}

void ModelThread::stop() {
  std::thread thread;
  std::shared_ptr<Crew> crew;
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(stopped_, true)) return;
    crew = crew_;
    thread = std::move(thread_);
  }
  crew->leave();
  std::unique_lock lock(crew->mutex);
  const bool ended = crew->changed.wait_for(lock, kFarewell, [&] { return crew->ended; });
  lock.unlock();
  ended ? thread.join() : thread.detach();
}

prometheus::Histogram ModelThread::seconds() const {
  const std::lock_guard lock(mutex_);
  prometheus::Histogram all = seconds_before_;
  all.merge(crew_->took.read());
  return all;
}

}  // namespace liminal::shards
