#include "server/training/runner.hpp"

#include <sys/resource.h>
#include <unistd.h>

namespace liminal::training {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begun) {
  return std::chrono::duration<double>(Clock::now() - begun).count();
}

}  // namespace

Runner::Runner(learn::Search search, MakeFitter make_fitter, Options options)
    : search_(std::move(search)), options_(options) {
  for (std::uint32_t i = 0; i < options_.workers; ++i)
    threads_.emplace_back([this, make_fitter] { work(make_fitter); });
}

Runner::~Runner() {
  cancel();
  for (std::thread& thread : threads_) thread.join();
}

void Runner::work(const MakeFitter& make_fitter) {
  // On Linux each thread has a priority of its own; a refusal changes nothing.
  if (options_.nice != 0)
    static_cast<void>(setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), options_.nice));
  const learn::Fitter fitter = make_fitter();
  std::unique_lock lock(mutex_);
  while (!search_.done()) {
    const auto job = search_.next(elapsed_s());
    if (!job) {
      if (search_.done()) break;
      changed_.wait(lock);
      continue;
    }
    lock.unlock();
    const auto begun = Clock::now();
    const double left_s = job->end_s - elapsed_s();
    const auto stop = [&] {
      if (elapsed_s() >= job->end_s) return true;
      const std::lock_guard guard(mutex_);
      return cancelled_;
    };
    auto fit = fitter(search_.material(), *job, left_s, stop);
    const double cost_s = seconds_since(begun);
    lock.lock();
    search_.told(job->id, std::move(fit), cost_s, elapsed_s());
    changed_.notify_all();
  }
  changed_.notify_all();
}

void Runner::cancel() {
  const std::lock_guard guard(mutex_);
  cancelled_ = true;
  search_.cancel();
  changed_.notify_all();
}

bool Runner::done() const {
  const std::lock_guard guard(mutex_);
  return search_.done();
}

bool Runner::wait_for(std::chrono::milliseconds longest) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, longest, [this] { return search_.done(); });
}

double Runner::progress() const {
  const std::lock_guard guard(mutex_);
  return search_.progress(elapsed_s());
}

std::vector<learn::LeaderboardLine> Runner::leaderboard() const {
  const std::lock_guard guard(mutex_);
  return search_.leaderboard();
}

double Runner::elapsed_s() const { return seconds_since(options_.begun); }

Result<learn::Outcome> Runner::outcome() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return search_.done(); });
  return search_.finish();
}

Result<learn::Outcome> Runner::outcome(const learn::Cost& budget) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return search_.done(); });
  return search_.finish(budget);
}

}  // namespace liminal::training
