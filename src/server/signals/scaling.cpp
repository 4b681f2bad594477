#include "server/signals/scaling.hpp"

#include <algorithm>
#include <utility>

#include "core/base/check.hpp"

namespace liminal::signals {
namespace {

/// Rows that whoever asks learns itself: some hundred microseconds.
constexpr std::size_t kInlineRows = 64;
/// Services that whoever asks lists itself: two milliseconds.
constexpr std::size_t kInlineServices = 64;

}  // namespace

Problems validate(const ScalingOptions& options, std::string_view at) {
  Problems problems;
  const std::string prefix = at.empty() ? "" : std::string(at) + ".";
  if (options.services_max < 1 || options.services_max > 100'000)
    problems.push_back({prefix + "services_max", "must be 1 to 100000"});
  return problems;
}

Scaling::Scaling(ScalingOptions options, files::FileSystem& file_system)
    : options_(std::move(options)),
      files_(file_system),
      work_(options_.work_max),
      backtests_(options_.work_max, kNiceOfLongWork) {
  load();
}

Scaling::~Scaling() {
  finish();
  (void)save();
}

void Scaling::finish() {
  work_.finish();
  backtests_.finish();
}

bool Scaling::run(std::function<void()> task) { return work_.run(std::move(task)); }

Scaling::EntryPtr Scaling::find(const std::string& service) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_name_.find(service);
  return found == by_name_.end() ? nullptr : *found->second;
}

bool Scaling::is_kept(const Entry& entry) const {
  const auto is_in = [&entry](const std::vector<std::string>& names) {
    return std::find(names.begin(), names.end(), entry.name) != names.end();
  };
  return entry.shown || is_in(options_.kept) || is_in(kept_);
}

void Scaling::keep(std::vector<std::string> names) {
  const std::lock_guard lock(mutex_);
  kept_ = std::move(names);
}

Result<Scaling::EntryPtr> Scaling::find_or_add(const std::string& service, bool& is_new) {
  EntryPtr forgotten, entry;
  const auto kept = find(service) ? Result<EntryPtr>(EntryPtr()) : read_left_out(service);
  if (!kept) return tl::unexpected(kept.error());
  {
    const std::lock_guard lock(mutex_);
    const auto found = by_name_.find(service);
    is_new = found == by_name_.end();
    if (!is_new) {
      recent_.splice(recent_.begin(), recent_, found->second);
      return *found->second;
    }
    const std::string here = path(options_.folder, service);
    // It may have been forgotten while it was read.
    if (left_out_.contains(here)) entry = *kept;
    is_new = entry == nullptr;
    if (recent_.size() >= options_.services_max) {
      const auto last = std::find_if(
          recent_.rbegin(), recent_.rend(), [this](const auto& one) { return !is_kept(*one); });
      if (last == recent_.rend()) return failure(ErrorCode::kTooLarge);
      forgotten = take_out((*last)->name);
      ++evicted_;
    }
    if (is_new) {
      entry = std::make_shared<Entry>(service);
      entry->begun = true;
      entry->said = Said{};  // nothing is known yet
      entry->said->summary.name = service;
    }
    left_out_.erase(here);
    recent_.push_front(entry);
    by_name_.emplace(service, recent_.begin());
  }
  if (forgotten) remove_file(*forgotten);
  return entry;
}

/// Out of the table, which is locked; null when it is not there.
Scaling::EntryPtr Scaling::take_out(const std::string& service) {
  const auto found = by_name_.find(service);
  if (found == by_name_.end()) return nullptr;
  EntryPtr entry = *found->second;
  recent_.erase(found->second);
  by_name_.erase(found);
  return entry;
}

/// To look at: what was not loaded is read, and not kept.
Result<Scaling::EntryPtr> Scaling::find_or_peek(const std::string& service) const {
  if (EntryPtr entry = find(service)) return entry;
  auto entry = read_left_out(service);
  if (entry && *entry == nullptr) return failure(ErrorCode::kMissing);
  return entry;
}

/// Of an entry that is in the table no more: nothing is kept of it from now on.
void Scaling::tell_forgotten(Entry& entry) {
  const std::lock_guard lock(entry.mutex);
  entry.forgotten = true;
  // Another one of that name tells its load anew itself.
  if (on_load_ && !find(entry.name)) on_load_(entry.name, {}, true);
}

/// Removes the file of an entry that is in the table no more.
void Scaling::remove_file(Entry& entry) {
  const std::lock_guard file(file_mutex_);
  tell_forgotten(entry);
  const std::string here = path(options_.folder, entry.name);
  // It may be another entry's by now, of the same name.
  if (!find(entry.name) && !left_alone_.contains(here)) (void)files_.remove(here);
}

std::vector<Scaling::EntryPtr> Scaling::entries() const {
  const std::lock_guard lock(mutex_);
  return {recent_.begin(), recent_.end()};
}

scaling::Advice Scaling::learn(Entry& entry, const scaling::Report& report) {
  const scaling::Learnt learnt = scaling::learn(entry.service, report, entry.options);
  rows_ += learnt.rows;
  rows_late_ += learnt.late;
  entry.changed = true;
  if (on_load_ && !entry.forgotten) tell_load(entry, learnt.anew);
  const EventTime now = report.rows.empty() ? EventTime{} : report.rows.back().at;
  scaling::Advice advice = entry.service.advise(now, entry.options);
  if (learnt.past > 0)
    advice.reasons.push_back(
        {scaling::Reason::Kind::kPastUntold, static_cast<double>(learnt.past), 0});
  ++advices_[static_cast<std::size_t>(advice.action)];
  entry.bytes = entry.service.memory_bytes();
  return say(entry, std::move(advice)).advice;
}

/// The entry is locked.
Scaling::Said Scaling::say(const Entry& entry, scaling::Advice advice) {
  scaling::ServiceSummary summary = scaling::summary_of(entry.name, entry.service, advice);
  const std::lock_guard lock(entry.said_mutex);
  entry.said = Said{std::move(advice), std::move(summary)};
  return *entry.said;
}

/// Without waiting for a report that is being learnt.
Scaling::Said Scaling::said_by(const Entry& entry, EventTime now) {
  std::unique_lock lock(entry.mutex, std::try_to_lock);
  if (!lock) {
    const std::lock_guard said(entry.said_mutex);
    if (entry.said) return *entry.said;
  }
  // Nothing was said since the start: of what is learnt or saved first, this once is waited for.
  if (!lock) lock.lock();
  return say(entry, entry.service.advise(now, entry.options));
}

void Scaling::tell_load(Entry& entry, bool learnt_anew) const {
  const scaling::LoadHistory& history = entry.service.model().history();
  if (history.minutes() == 0) return;
  const std::int64_t last = history.last_minute();
  const std::int64_t first = last + 1 - static_cast<std::int64_t>(history.minutes());
  const scaling::Service::LoadKind kind = entry.service.load_kind();
  const auto told = std::exchange(entry.told, Entry::Told{first, last, kind});
  // Its past was told of later, or its load is of another kind from now on. After a pause of more
  // than the week that the service keeps, it is the same load still.
  const bool anew = learnt_anew || (told ? first < told->first || kind != told->kind : entry.begun);
  const std::int64_t from = told && !anew ? std::max(first, told->last + 1) : first;
  std::vector<LoadMinute> minutes;
  for (std::int64_t minute = std::max(from, last - std::int64_t{scaling::LoadHistory::kWeek});
       minute <= last;
       ++minute) {
    if (const auto load = history.load_before(static_cast<std::uint32_t>(last - minute)))
      minutes.push_back({EventTime{std::chrono::minutes{minute + 1}}, *load});
  }
  if (!minutes.empty() || anew) on_load_(entry.name, minutes, anew);
}

void Scaling::advise(scaling::Report report, Done<scaling::Advice> done) {
  bool is_new = false;
  const Result<EntryPtr> found = find_or_add(report.service, is_new);
  if (!found) return done(tl::unexpected(found.error()));
  const EntryPtr& entry = *found;
  if (report.rows.size() <= kInlineRows) {
    std::unique_lock lock(entry->mutex, std::try_to_lock);
    // Another horizon means that a week is learnt anew.
    const auto& horizon = report.horizon_minutes;
    if (lock && (!horizon || *horizon == entry->service.model().horizon())) {
      scaling::Advice advice = learn(*entry, report);
      lock.unlock();
      return done(std::move(advice));
    }
  }
  auto shared = std::make_shared<std::pair<scaling::Report, Done<scaling::Advice>>>(
      std::move(report), std::move(done));
  const bool taken = run([this, entry, shared] {
    std::unique_lock lock(entry->mutex);
    scaling::Advice advice = learn(*entry, shared->first);
    lock.unlock();
    shared->second(std::move(advice));
  });
  if (!taken) shared->second(failure(ErrorCode::kUnavailable));
}

std::vector<scaling::ServiceSummary> Scaling::services(EventTime now, std::size_t count_max) const {
  std::vector<scaling::ServiceSummary> all;
  for (const EntryPtr& entry : entries()) {
    if (all.size() >= count_max) break;
    all.push_back(said_by(*entry, now).summary);
  }
  return all;
}

void Scaling::services(EventTime now,
                       std::size_t count_max,
                       Done<std::vector<scaling::ServiceSummary>> done) {
  std::size_t known = 0;
  {
    const std::lock_guard lock(mutex_);
    known = recent_.size();
  }
  if (std::min(known, count_max) <= kInlineServices) return done(services(now, count_max));
  using Shared = Done<std::vector<scaling::ServiceSummary>>;
  const auto shared = std::make_shared<Shared>(std::move(done));
  if (!run([this, now, count_max, shared] { (*shared)(services(now, count_max)); }))
    (*shared)(failure(ErrorCode::kUnavailable));
}

Result<scaling::ServiceState> Scaling::state(const std::string& service) const {
  const auto found = find_or_peek(service);
  if (!found) return tl::unexpected(found.error());
  const Entry& entry = **found;
  const std::lock_guard lock(entry.mutex);
  return scaling::ServiceState{entry.name, entry.options, entry.service};
}

void Scaling::state(const std::string& service, Done<scaling::ServiceState> done) {
  const auto found = find_or_peek(service);
  if (!found) return done(tl::unexpected(found.error()));
  const EntryPtr& entry = *found;
  if (std::unique_lock lock(entry->mutex, std::try_to_lock); lock) {
    scaling::ServiceState state{entry->name, entry->options, entry->service};
    lock.unlock();
    return done(std::move(state));
  }
  const auto shared = std::make_shared<Done<scaling::ServiceState>>(std::move(done));
  if (!run([this, service, shared] { (*shared)(state(service)); }))
    (*shared)(failure(ErrorCode::kUnavailable));
}

Result<scaling::Advice> Scaling::advice(const std::string& service, EventTime now) const {
  const auto found = find_or_peek(service);
  if (!found) return tl::unexpected(found.error());
  return said_by(**found, now).advice;
}

void Scaling::backtest(std::string service, Done<scaling::Backtest> done) {
  auto shared = std::make_shared<Done<scaling::Backtest>>(std::move(done));
  const bool taken = backtests_.run([this, service = std::move(service), shared] {
    const auto seen = state(service);  // a copy: the service goes on learning meanwhile
    if (!seen) return (*shared)(tl::unexpected(seen.error()));
    auto found = scaling::backtest(seen->service, seen->options);
    if (!found && found.error().code == ErrorCode::kMissing)
      return (*shared)(failure(ErrorCode::kOutOfRange));
    (*shared)(std::move(found));
  });
  if (!taken) (*shared)(failure(ErrorCode::kUnavailable));
}

Result<scaling::OptionsChanged> Scaling::change_options(const std::string& service,
                                                        const scaling::ChangeOptions& change) {
  const std::lock_guard one_at_a_time(options_mutex_);
  scaling::OptionsChanged out;
  if (const auto seen = find_or_peek(service)) {
    const std::lock_guard lock((*seen)->mutex);
    out.options = (*seen)->options;
  }
  change(out.options);
  out.problems = scaling::validate(out.options);
  if (!out.problems.empty()) return out;
  const Result<EntryPtr> found = find_or_add(service, out.is_new);
  if (!found) return tl::unexpected(found.error());
  Entry& entry = **found;
  const auto put_in = [&entry](const scaling::ServiceOptions& told, bool configured) {
    const std::lock_guard lock(entry.mutex);
    const std::pair before(entry.options, entry.configured);
    entry.options = told;
    entry.configured = entry.shown = configured;
    entry.changed = true;
    return before;
  };
  const auto before = put_in(out.options, true);
  // What was set is kept before it is acknowledged.
  if (save(entry) && sync_folder()) return out;
  put_in(before.first, before.second);
  if (out.is_new) drop(entry);
  return failure(ErrorCode::kIo);
}

Result<bool> Scaling::set_options(const std::string& service,
                                  const scaling::ServiceOptions& options) {
  const auto changed = change_options(service, [&](auto& into) { into = options; });
  if (!changed) return tl::unexpected(changed.error());
  LIMINAL_CHECK(changed->problems.empty());
  return changed->is_new;
}

/// Forgets an entry of which nothing is kept; what lies on the disk of it may stay.
void Scaling::drop(Entry& entry) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = by_name_.find(entry.name);
    if (found == by_name_.end() || found->second->get() != &entry) return;
    (void)take_out(entry.name);
  }
  remove_file(entry);
}

Result<void> Scaling::forget(const std::string& service) {
  const std::lock_guard file(file_mutex_);
  const std::string here = path(options_.folder, service);
  {
    const std::lock_guard lock(mutex_);
    if (!by_name_.contains(service) && !left_out_.contains(here))
      return failure(ErrorCode::kMissing);
  }
  if (left_alone_.contains(here)) return failure(ErrorCode::kIo);
  const Result<void> removed = files_.remove(here);
  if (!removed && removed.error().code != ErrorCode::kMissing) {
    ++save_errors_;
    return failure(ErrorCode::kIo);
  }
  EntryPtr entry;
  {
    const std::lock_guard lock(mutex_);
    left_out_.erase(here);
    entry = take_out(service);
  }
  if (entry) {
    tell_forgotten(*entry);
  } else if (on_load_) {
    on_load_(service, {}, true);
  }
  return sync_folder() ? Result<void>() : failure(ErrorCode::kIo);
}

std::vector<Scaling::Line> Scaling::lines(EventTime now, std::size_t count_max) const {
  std::vector<Line> out;
  for (const EntryPtr& entry : entries()) {
    if (out.size() >= count_max) break;
    if (entry->shown) out.push_back({entry->name, said_by(*entry, now).advice});
  }
  return out;
}

Scaling::Counters Scaling::counters() const {
  Counters out;
  for (const EntryPtr& entry : entries()) {
    ++out.services;
    out.bytes += entry->bytes;
  }
  out.evicted = evicted_;
  out.rows = rows_;
  out.rows_late = rows_late_;
  for (std::size_t i = 0; i < std::size(out.advices); ++i) out.advices[i] = advices_[i];
  out.saved = saved_;
  out.save_errors = save_errors_;
  out.load_errors = load_errors_;
  {
    const std::lock_guard lock(mutex_);
    out.left_out = left_out_.size();
  }
  out.refused = work_.refused() + backtests_.refused();
  return out;
}

void Scaling::second() {
  if (saving_.exchange(true)) return;
  if (!run([this] {
        save_changed();
        saving_ = false;
      }))
    saving_ = false;
}

}  // namespace liminal::signals
