#include "io/sqlite/write_queue.hpp"

#include <algorithm>
#include <utility>

#include "core/base/hash.hpp"

namespace liminal::sqlite {
namespace {

std::size_t text_bytes(const traffic::Alert& alert) {
  return alert.user.size() + alert.address.size();
}
std::size_t text_bytes(const Feedback& feedback) {
  return feedback.note.size() + feedback.actor.size();
}
std::size_t text_bytes(const traffic::Override& override_) {
  return override_.user.size() + override_.reason.size();
}
std::size_t text_bytes(const OverrideRemoved& removed) { return removed.user.size(); }
std::size_t text_bytes(const Policy& policy) { return policy.name.size() + policy.json.size(); }
std::size_t text_bytes(const PolicyRemoved& removed) { return removed.name.size(); }
std::size_t text_bytes(const traffic::AuditEntry& entry) {
  return entry.actor.size() + entry.action.size() + entry.subject.size() + entry.detail.size();
}
std::size_t text_bytes(const Meta& meta) { return meta.key.size() + meta.value.size(); }
std::size_t text_bytes(const Answer& answer) {
  return answer.key.size() + answer.headers.size() + answer.body.size();
}

std::size_t bytes_of(const Group& group) {
  std::size_t bytes = sizeof group;
  for (const Write& write : group.writes) bytes += memory_bytes(write);
  return bytes;
}

template <class GroupType>
auto lone_alert(GroupType& group) {
  return group.writes.size() == 1 ? std::get_if<traffic::Alert>(&group.writes.front()) : nullptr;
}

std::int64_t key_of(const traffic::Alert& alert) { return alert_key(alert.shard, alert.number); }

}  // namespace

std::size_t memory_bytes(const Write& write) {
  return sizeof write + std::visit([](const auto& held) { return text_bytes(held); }, write);
}

bool WriteQueue::replace_waiting_alert(Group& group) {
  traffic::Alert* newer = lone_alert(group);
  if (newer == nullptr) return false;
  const auto found = lone_alerts_.find(key_of(*newer));
  if (found == lone_alerts_.end()) return false;
  Waiting& elder = groups_[static_cast<std::size_t>(found->second - taken_groups_)];
  auto& older = std::get<traffic::Alert>(elder.group.writes.front());
  // As the database does it: an alert without feedback leaves the feedback that is there.
  if (newer->feedback == traffic::FeedbackVerdict::kNone) newer->feedback = older.feedback;
  older = std::move(*newer);
  if (elder.group.waiting.empty() && !group.waiting.empty()) ++awaited_;
  std::move(group.waiting.begin(), group.waiting.end(), std::back_inserter(elder.group.waiting));
  ++counters_.alerts_replaced;
  return true;
}

void WriteQueue::note_alerts(const Group& group) {
  for (const Write& write : group.writes) {
    const auto* alert = std::get_if<traffic::Alert>(&write);
    if (alert == nullptr) continue;
    if (group.writes.size() == 1) {
      lone_alerts_[key_of(*alert)] = taken_groups_ + groups_.size();
    } else {
      lone_alerts_.erase(key_of(*alert));  // what comes after this group must not overtake it
    }
  }
}

Result<void> WriteQueue::push(Group group) {
  const std::size_t bytes = bytes_of(group);
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    wake = !group.waiting.empty() || groups_.empty() || groups_.size() + 1 >= options_.batch_max;
    if (closed_ || !replace_waiting_alert(group)) {
      if (closed_ || groups_.size() >= options_.groups_max ||
          counters_.bytes_waiting + bytes > options_.bytes_max) {
        ++counters_.groups_refused;
        return failure(ErrorCode::kUnavailable);
      }
      note_alerts(group);
      if (!group.waiting.empty()) ++awaited_;
      counters_.bytes_waiting += bytes;
      groups_.push_back({std::move(group), bytes, Clock::now()});
    }
  }
  if (wake) wake_.notify_one();
  return {};
}

bool WriteQueue::push(traffic::FeatureRow row) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (closed_ || !sampler_.take(hash64(row.user), row.time)) return false;
    if (rows_.size() >= options_.rows_max) {
      ++counters_.rows_dropped;
      return false;
    }
    if (rows_.empty()) rows_since_ = Clock::now();
    rows_.push_back(std::move(row));
    wake = rows_.size() == 1 || rows_.size() == options_.batch_max;
  }
  if (wake) wake_.notify_one();
  return true;
}

Result<void> WriteQueue::push(Forget forget) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return failure(ErrorCode::kUnavailable);
    forgets_.push_back(std::move(forget));
  }
  wake_.notify_one();
  return {};
}

WriteQueue::Clock::time_point WriteQueue::due_at(bool want_groups, bool want_rows) const {
  auto due = Clock::time_point::max();
  if (want_groups && !groups_.empty()) due = groups_.front().since + options_.patience;
  if (want_rows && !rows_.empty()) due = std::min(due, rows_since_ + options_.patience);
  return due;
}

bool WriteQueue::due(Clock::time_point now, bool want_groups, bool want_rows) const {
  if (closed_ || !forgets_.empty()) return true;
  if (want_groups && (awaited_ > 0 || groups_.size() >= options_.batch_max)) return true;
  if (want_rows && rows_.size() >= options_.batch_max) return true;
  return due_at(want_groups, want_rows) <= now;
}

void WriteQueue::take_groups(Batch& batch) {
  const std::size_t count = std::min(groups_.size(), options_.batch_max);
  batch.groups.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    Waiting& first = groups_.front();
    if (const traffic::Alert* alert = lone_alert(first.group)) {
      const auto found = lone_alerts_.find(key_of(*alert));
      if (found != lone_alerts_.end() && found->second == taken_groups_) lone_alerts_.erase(found);
    }
    if (!first.group.waiting.empty()) --awaited_;
    counters_.bytes_waiting -= first.bytes;
    batch.groups.push_back(std::move(first.group));
    groups_.pop_front();
    ++taken_groups_;
  }
}

WriteQueue::Batch WriteQueue::take(std::chrono::milliseconds longest,
                                   bool want_groups,
                                   bool want_rows) {
  std::unique_lock lock(mutex_);
  const auto give_up = Clock::now() + longest;
  for (auto now = Clock::now(); !due(now, want_groups, want_rows) && now < give_up;
       now = Clock::now())
    wake_.wait_until(lock, std::min(give_up, due_at(want_groups, want_rows)));
  Batch batch;
  if (want_groups) take_groups(batch);
  if (want_rows) {
    const auto end =
        rows_.begin() + static_cast<std::ptrdiff_t>(std::min(rows_.size(), options_.batch_max));
    batch.rows.assign(std::move_iterator(rows_.begin()), std::move_iterator(end));
    rows_.erase(rows_.begin(), end);
    rows_since_ = Clock::now();
  }
  batch.forgets = std::exchange(forgets_, {});
  batch.closed = closed_;
  batch.drained = groups_.empty() && rows_.empty();
  return batch;
}

void WriteQueue::rest(std::chrono::milliseconds pause) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, pause, [this] { return closed_; });
}

void WriteQueue::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  wake_.notify_all();
}

WriteQueue::Counters WriteQueue::counters() const {
  const std::lock_guard lock(mutex_);
  Counters counters = counters_;
  counters.rows_taken = sampler_.taken();
  counters.rows_thinned = sampler_.thinned();
  counters.groups_waiting = groups_.size();
  counters.rows_waiting = rows_.size();
  return counters;
}

}  // namespace liminal::sqlite
