#include "server/signals/scaling.hpp"

#include <algorithm>
#include <utility>

#include "core/base/hash.hpp"
#include "core/base/hex.hpp"
#include "io/files/crc32c.hpp"
#include "io/files/replace.hpp"

namespace liminal::signals {
namespace {

/// Rows that whoever asks learns itself: some hundred microseconds.
constexpr std::size_t kInlineRows = 64;
/// Services that whoever asks lists itself: two milliseconds.
constexpr std::size_t kInlineServices = 64;
constexpr std::size_t kSavedAtOnce = 4;
constexpr std::size_t kFileBytesMax = 4 << 20;
constexpr std::string_view kSuffix = ".service";

void put(const scaling::ServiceOptions& options, Writer& out) {
  out.put(options.replicas_min);
  out.put(options.replicas_max);
  out.put(options.shortage_cost);
  out.put(options.cooldown.count());
  out.put(options.stabilisation_minutes);
  out.put(options.reactive_target_ratio);
  out.put(options.capacity.cpu_max_ratio);
  out.put(options.capacity.memory_max_ratio);
  out.put(options.capacity.saturation_max_ratio);
  out.put(options.capacity.response_time_max_s);
}

void get(scaling::ServiceOptions& options, Reader& in) {
  in.get(options.replicas_min);
  in.get(options.replicas_max);
  in.get(options.shortage_cost);
  options.cooldown = Duration{in.get<Duration::rep>()};
  in.get(options.stabilisation_minutes);
  in.get(options.reactive_target_ratio);
  in.get(options.capacity.cpu_max_ratio);
  in.get(options.capacity.memory_max_ratio);
  in.get(options.capacity.saturation_max_ratio);
  in.get(options.capacity.response_time_max_s);
  if (!scaling::validate(options).empty()) in.fail();
}

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
  for (const EntryPtr& entry : entries()) {
    if (entry->changed) (void)save(*entry);
  }
  (void)files_.sync_folder(options_.folder);
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
  {
    const std::lock_guard lock(mutex_);
    const auto found = by_name_.find(service);
    is_new = found == by_name_.end();
    if (!is_new) {
      recent_.splice(recent_.begin(), recent_, found->second);
      return *found->second;
    }
    if (recent_.size() >= options_.services_max) {
      const auto last = std::find_if(
          recent_.rbegin(), recent_.rend(), [this](const auto& one) { return !is_kept(*one); });
      if (last == recent_.rend()) return failure(ErrorCode::kTooLarge);
      forgotten = *last;
      by_name_.erase(forgotten->name);
      recent_.erase(std::next(last).base());
      ++evicted_;
    }
    entry = std::make_shared<Entry>(service);
    entry->said = Said{};  // nothing is known yet
    entry->said->summary.name = service;
    recent_.push_front(entry);
    by_name_.emplace(service, recent_.begin());
  }
  if (forgotten) remove_file(*forgotten);
  return entry;
}

/// Removes the file of an entry that is in the table no more.
void Scaling::remove_file(Entry& entry) {
  const std::lock_guard file(file_mutex_);
  {
    const std::lock_guard lock(entry.mutex);
    entry.forgotten = true;
  }
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
  if (on_load_) tell_load(entry);
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

void Scaling::tell_load(Entry& entry) const {
  const scaling::LoadHistory& history = entry.service.model().history();
  if (history.minutes() == 0) return;
  const std::int64_t last = history.last_minute();
  const std::int64_t first = last + 1 - static_cast<std::int64_t>(history.minutes());
  // Its past was told of later, or its load is of another kind from now on.
  const bool anew = entry.told && (first < entry.told->first || first > entry.told->second);
  const std::int64_t from = entry.told && !anew ? entry.told->second + 1 : first;
  entry.told.emplace(first, last);
  std::vector<LoadMinute> minutes;
  for (std::int64_t minute = std::max(from, last - std::int64_t{scaling::LoadHistory::kWeek});
       minute <= last;
       ++minute) {
    if (const auto load = history.load_before(static_cast<std::uint32_t>(last - minute)))
      minutes.push_back({EventTime{std::chrono::minutes{minute + 1}}, *load});
  }
  if (!minutes.empty()) on_load_(entry.name, minutes, anew);
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
  const EntryPtr entry = find(service);
  if (!entry) return failure(ErrorCode::kMissing);
  const std::lock_guard lock(entry->mutex);
  return scaling::ServiceState{entry->name, entry->options, entry->service};
}

void Scaling::state(const std::string& service, Done<scaling::ServiceState> done) {
  const EntryPtr entry = find(service);
  if (!entry) return done(failure(ErrorCode::kMissing));
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
  const EntryPtr entry = find(service);
  if (!entry) return failure(ErrorCode::kMissing);
  return said_by(*entry, now).advice;
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

Result<bool> Scaling::set_options(const std::string& service,
                                  const scaling::ServiceOptions& options) {
  bool is_new = false;
  const Result<EntryPtr> found = find_or_add(service, is_new);
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
  const auto before = put_in(options, true);
  // What was set is kept before it is acknowledged.
  if (save(entry) && sync_folder()) return is_new;
  put_in(before.first, before.second);
  if (is_new) forget(service);
  return failure(ErrorCode::kIo);
}

bool Scaling::forget(const std::string& service) {
  EntryPtr entry;
  {
    const std::lock_guard lock(mutex_);
    const auto found = by_name_.find(service);
    if (found == by_name_.end()) return false;
    entry = *found->second;
    recent_.erase(found->second);
    by_name_.erase(found);
  }
  remove_file(*entry);
  return true;
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
  out.refused = work_.refused() + backtests_.refused();
  return out;
}

void Scaling::second() {
  if (saving_.exchange(true)) return;
  if (!run([this] {
        save_changed(kSavedAtOnce);
        saving_ = false;
      }))
    saving_ = false;
}

void Scaling::save_changed(std::size_t count_max) {
  const auto now = std::chrono::steady_clock::now();
  // The longest unsaved first.
  std::vector<std::pair<std::chrono::steady_clock::time_point, EntryPtr>> due;
  for (const EntryPtr& entry : entries()) {
    const std::lock_guard lock(entry->mutex);
    if (entry->changed && now - entry->saved_at >= options_.save_interval)
      due.emplace_back(entry->saved_at, entry);
  }
  std::stable_sort(
      due.begin(), due.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::size_t saved = 0;
  for (const auto& [at, entry] : due) {
    if (saved == count_max) break;
    saved += save(*entry) ? 1U : 0U;
  }
  if (saved > 0) (void)sync_folder();
}

bool Scaling::sync_folder() {
  if (files_.sync_folder(options_.folder)) return true;
  ++save_errors_;
  return false;
}

std::string Scaling::path(const std::string& folder, std::string_view service) {
  return folder + "/" + hex(hash64(service)) + std::string(kSuffix);
}

/// File: magic, format, CRC-32C of the rest; name, whether configured, options, service.
bool Scaling::save(Entry& entry) {
  const std::lock_guard file(file_mutex_);
  Writer body;
  {
    const std::lock_guard lock(entry.mutex);
    if (entry.forgotten) return false;
    body.put_text(entry.name);
    body.put(entry.configured);
    put(entry.options, body);
    entry.service.save(body);
    entry.saved_at = std::chrono::steady_clock::now();
    entry.changed = false;
  }
  Writer out;
  out.put(kMagic);
  out.put(kFormat);
  out.put(files::crc32c(0, body.bytes()));
  const std::string here = path(options_.folder, entry.name);
  if (left_alone_.contains(here) ||
      !files::replace_file_unsynced(files_, here, out.bytes() + body.bytes())) {
    ++save_errors_;
    const std::lock_guard lock(entry.mutex);
    entry.changed = true;
    return false;
  }
  ++saved_;
  return true;
}

/// Null for what is damaged.
Scaling::EntryPtr Scaling::read(std::string_view bytes) {
  Reader in(bytes);
  const bool known = in.get<std::uint32_t>() == kMagic && in.get<std::uint32_t>() == kFormat;
  const auto sum = in.get<std::uint32_t>();
  if (!known || !in.ok() || files::crc32c(0, bytes.substr(in.position())) != sum) return nullptr;
  auto entry = std::make_shared<Entry>(std::string(in.get_text()));
  entry->configured = in.get<std::uint8_t>() != 0;
  get(entry->options, in);
  if (!in.ok() || entry->name.empty()) return nullptr;
  // Of another version of the program it may be: then what was set for it still holds.
  if (!entry->service.load(in) || !in.at_end()) {
    ++load_errors_;
    entry->service = scaling::Service();
  }
  entry->shown = entry->configured;
  entry->bytes = entry->service.memory_bytes();
  return entry;
}

void Scaling::load() {
  if (!files_.create_folder(options_.folder)) ++load_errors_;
  const auto listed = files_.list(options_.folder);
  if (!listed) return;
  for (const files::FileEntry& file : *listed) {
    if (!std::string_view(file.name).ends_with(kSuffix)) continue;
    if (by_name_.size() >= options_.services_max) break;
    const std::string here = options_.folder + "/" + file.name;
    const auto bytes = files_.read(here, kFileBytesMax);
    // One that is too large is none of ours; others may be good, and readable another time.
    if (!bytes && bytes.error().code != ErrorCode::kTooLarge) {
      ++load_errors_;
      left_alone_.insert(here);
      continue;
    }
    const EntryPtr entry = bytes ? read(*bytes) : nullptr;
    if (!entry || path(options_.folder, entry->name) != here) {
      ++load_errors_;
      if (!files::set_aside(files_, here)) {
        ++load_errors_;
        left_alone_.insert(here);
      }
      continue;
    }
    recent_.push_front(entry);
    by_name_.emplace(entry->name, recent_.begin());
  }
}

}  // namespace liminal::signals
