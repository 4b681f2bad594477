#include "server/registry/jobs.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "server/registry/retention.hpp"

namespace liminal::registry {
namespace {

using learn::Asked;
using learn::JobState;
using learn::refusal;
using learn::TrainingJob;

constexpr int kNice = 10;

}  // namespace

bool Jobs::Watch::cancelled() const {
  const std::lock_guard lock(mutex_);
  return cancelled_;
}

void Jobs::Watch::tell(double progress, std::vector<learn::JobLine> leaderboard) {
  const std::lock_guard lock(mutex_);
  progress_ = std::clamp(progress, progress_, 1.);
  leaderboard_ = std::move(leaderboard);
}

Jobs::Jobs(Registry& registry, Now now, Ended ended)
    : registry_(registry), now_(std::move(now)), ended_(std::move(ended)) {
  thread_ = std::thread([this] { run(); });
}

Jobs::~Jobs() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    if (running_) {
      const std::lock_guard watch(running_->watch->mutex_);
      running_->watch->cancelled_ = true;
    }
  }
  changed_.notify_all();
  thread_.join();
}

TrainingJob Jobs::shown(const Active& active) {
  TrainingJob job = active.job;
  if (!learn::ended(job.state)) {
    const std::lock_guard lock(active.watch->mutex_);
    job.progress = active.watch->progress_;
    job.leaderboard = active.watch->leaderboard_;
  }
  return job;
}

bool Jobs::busy(const std::string& model) const {
  const std::lock_guard lock(mutex_);
  const auto is = [&](const ActivePtr& active) { return active->job.request.model == model; };
  return (running_ && is(running_)) || std::any_of(waiting_.begin(), waiting_.end(), is);
}

std::size_t Jobs::unfinished() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size() + (running_ && !learn::ended(running_->job.state) ? 1 : 0);
}

Asked<TrainingJob> Jobs::submit(const learn::TrainRequest& request, Work work) {
  const std::lock_guard lock(mutex_);
  const auto is = [&](const ActivePtr& active) {
    return active->job.request.model == request.model;
  };
  if ((running_ && is(running_)) || std::any_of(waiting_.begin(), waiting_.end(), is))
    return refusal(ErrorCode::kConflict, "a training of " + request.model + " is under way");
  if (waiting_.size() >= kWaitingMax)
    return refusal(ErrorCode::kUnavailable, "too many trainings wait");
  auto active = std::make_shared<Active>();
  active->job.request = request;
  active->job.created = now_();
  active->work = std::move(work);
  const auto id =
      registry_.with_records([&](Records& records) { return records.add(active->job); });
  if (!id) return refusal(ErrorCode::kUnavailable, "the job cannot be written down");
  (void)registry_.with_records([](Records& records) { return records.forget_jobs(kJobsKept); });
  active->job.id = *id;
  waiting_.push_back(active);
  changed_.notify_all();
  return active->job;
}

std::vector<TrainingJob> Jobs::list(std::size_t limit) const {
  // What is at hand is newer than what is written.
  std::map<std::uint64_t, TrainingJob> at_hand;
  {
    const std::lock_guard lock(mutex_);
    for (const ActivePtr& active : waiting_) at_hand[active->job.id] = shown(*active);
    if (running_) at_hand[running_->job.id] = shown(*running_);
  }
  auto kept = registry_.with_records([&](Records& records) { return records.jobs(limit); });
  std::vector<TrainingJob> list = kept ? std::move(*kept) : std::vector<TrainingJob>{};
  for (TrainingJob& job : list) {
    if (const auto newer = at_hand.find(job.id); newer != at_hand.end() && !learn::ended(job.state))
      job = newer->second;
  }
  return list;
}

Asked<TrainingJob> Jobs::job(std::uint64_t id) const {
  {
    const std::lock_guard lock(mutex_);
    for (const ActivePtr& active : waiting_)
      if (active->job.id == id) return shown(*active);
    if (running_ && running_->job.id == id) return shown(*running_);
  }
  auto kept = registry_.with_records([&](Records& records) { return records.job(id); });
  if (!kept) return refusal(ErrorCode::kUnavailable, "the jobs cannot be read");
  if (!*kept) return refusal(ErrorCode::kMissing, fmt::format("there is no job {}", id));
  return std::move(**kept);
}

Asked<TrainingJob> Jobs::cancel(std::uint64_t id) {
  std::unique_lock lock(mutex_);
  ActivePtr found;
  if (running_ && running_->job.id == id && !running_->ending && !learn::ended(running_->job.state))
    found = running_;
  const auto place = std::find_if(waiting_.begin(), waiting_.end(), [&](const ActivePtr& active) {
    return active->job.id == id;
  });
  if (place != waiting_.end()) {
    found = *place;
    waiting_.erase(place);
  }
  if (!found) {
    lock.unlock();
    auto known = job(id);
    if (!known) return known;
    return refusal(ErrorCode::kConflict, fmt::format("job {} has ended already", id));
  }
  TrainingJob cancelled = shown(*found);
  cancelled.state = JobState::kCancelled;
  cancelled.finished = now_();
  found->job = cancelled;
  {
    const std::lock_guard watch(found->watch->mutex_);
    found->watch->cancelled_ = true;
  }
  ++counts_[cancelled.request.model].cancelled;
  keep(cancelled);
  return cancelled;
}

void Jobs::keep(const TrainingJob& job) {
  (void)registry_.with_records([&](Records& records) { return records.update(job); });
}

void Jobs::run() {
  // The priority of a thread is its own on Linux; threads that it begins inherit it.
  static_cast<void>(setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice));
  for (;;) {
    ActivePtr next;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (stopping_) return;
      next = waiting_.front();
      waiting_.pop_front();
      running_ = next;
      next->job.state = JobState::kRunning;
      next->job.started = now_();
      keep(next->job);
    }
    carry_out(next);
    const std::lock_guard lock(mutex_);
    running_.reset();
  }
}

void Jobs::carry_out(const ActivePtr& active) {
  Asked<learn::TrainedModel> trained =
      refusal(ErrorCode::kUnavailable, "the training ended without a word");
  const auto begun = std::chrono::steady_clock::now();
  try {
    trained = active->work(*active->watch);
  } catch (const std::exception& thrown) {
    // Memory, most likely; or a library that throws.
    trained = refusal(ErrorCode::kUnavailable, thrown.what());
  }
  active->work = nullptr;  // and the rows that it holds
  finish(active, std::move(trained), std::chrono::steady_clock::now() - begun);
}

void Jobs::finish(const ActivePtr& active, Asked<learn::TrainedModel> trained, Duration took) {
  TrainingJob job;
  {
    const std::lock_guard lock(mutex_);
    if (learn::ended(active->job.state)) return;  // cancelled
    active->ending = true;
    job = shown(*active);
    if (stopping_) return keep(job);  // found interrupted at the next start, with how far it came
  }
  job.finished = now_();
  if (trained) {
    job.state = JobState::kSucceeded;
    job.progress = 1;
    job.reasons = trained->reasons;
    if (!trained->leaderboard.empty()) job.leaderboard = trained->leaderboard;
    const bool champion = job.request.auto_deploy && trained->better;
    if (!job.request.auto_deploy)
      job.reasons.insert(job.reasons.begin(), "promotion was not asked for");
    trained->reasons = job.reasons;
    const auto published =
        registry_.publish(*trained,
                          champion ? learn::Alias::kChampion : learn::Alias::kChallenger,
                          job,
                          *job.finished);
    if (!published) trained = tl::unexpected(published.error());
  }
  if (!trained) {
    job.state = JobState::kFailed;
    job.version.reset();
    job.alias.reset();
    job.problem = trained.error().text;
    keep(job);
  }
  {
    const std::lock_guard lock(mutex_);
    active->job = job;
    Counts& counts = counts_[job.request.model];
    ++(job.state == JobState::kSucceeded ? counts.succeeded : counts.failed);
    counts.seconds.observe(took);
  }
  if (ended_) ended_(job);
}

void Jobs::add_metrics(prometheus::Snapshot& out) const {
  using prometheus::Family;
  const std::lock_guard lock(mutex_);
  for (const auto& [model, counts] : counts_) {
    out.add(Family::kTrainingRuns, counts.succeeded, {model, "succeeded"});
    out.add(Family::kTrainingRuns, counts.failed, {model, "failed"});
    out.add(Family::kTrainingRuns, counts.cancelled, {model, "cancelled"});
    out.add(Family::kTrainingSeconds, counts.seconds, {model});
  }
}

}  // namespace liminal::registry
