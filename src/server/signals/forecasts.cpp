#include "server/signals/forecasts.hpp"

#include <algorithm>
#include <chrono>

#include "io/files/snapshot.hpp"

namespace liminal::signals {

void Forecasts::observe(const novelty::Batch& batch, EventTime now) {
  {
    const std::lock_guard lock(mutex_);
    for (const novelty::Batch::Row& row : batch.rows) {
      for (const novelty::Source::Value& value : row.values) {
        if (Entry* const entry = find_or_add({batch.source, batch.metrics[value.metric]}, now))
          learn(*entry, {row.at, value.value});
      }
    }
  }
  wake();
}

void Forecasts::observe(const std::string& source,
                        const std::string& metric,
                        std::span<const Point> points,
                        bool anew,
                        EventTime now) {
  if (points.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    Entry* const entry = find_or_add({source, metric}, now);
    if (entry == nullptr) return;
    if (anew) *entry = {.own = entry->own, .life = ++lives_, .heard = now};
    for (const Point& point : points) {
      if (!entry->series.last() || point.at > *entry->series.last()) learn(*entry, point);
    }
  }
  wake();
}

void Forecasts::forget(const std::string& source, const std::string& metric) {
  const std::lock_guard lock(mutex_);
  if (series_.erase({source, metric}) > 0) changed_ = true;
}

Forecasts::Entry* Forecasts::find_or_add(const Name& name, EventTime now) {
  const auto found = series_.find(name);
  if (found != series_.end()) {
    found->second.heard = now;
    return &found->second;
  }
  const bool own = is_own(name.first);
  if (!make_room(own, now)) {
    ++counters_.refused;
    return nullptr;
  }
  return &(series_[name] = {.own = own, .life = ++lives_, .heard = now});
}

bool Forecasts::make_room(bool own, EventTime now) {
  std::size_t alike = 0;
  auto silent = series_.end();
  for (auto one = series_.begin(); one != series_.end(); ++one) {
    if (one->second.own != own) continue;
    ++alike;
    if (silent == series_.end() || one->second.heard < silent->second.heard) silent = one;
  }
  if (alike < (own ? options_.own_max : options_.series_max)) return true;
  if (silent == series_.end() || now - silent->second.heard < options_.silent) return false;
  series_.erase(silent);
  return true;
}

void Forecasts::learn(Entry& entry, const Point& point) {
  changed_ = true;
  const forecast::Forecaster& forecaster = entry.series.forecaster();
  const std::uint64_t before = forecaster.points();
  const bool ended = entry.series.observe(point.value, point.at);
  if (forecaster.points() < before) {  // it began anew by itself
    entry.life = ++lives_;
    entry.due = false;
  }
  if (!forecaster.model()) entry.outlook = nullptr;
  if (!ended) return;
  ++counters_.points;
  entry.due = forecaster.model() || forecaster.refit_due();
}

void Forecasts::wake() {
  {
    const std::lock_guard lock(mutex_);
    if (working_) return;
    working_ =
        std::any_of(series_.begin(), series_.end(), [](const auto& one) { return one.second.due; });
    if (!working_) return;
  }
  if (run_([this] { work(); })) return;
  const std::lock_guard lock(mutex_);
  working_ = false;
}

/// One series a task, so that others who compute have their turn in between.
void Forecasts::work() {
  if (std::optional<Task> task = next()) {
    if (task->forecaster.refit_due()) refit(*task);
    const auto outlook = outlook_of(task->forecaster, task->begins);
    finish(std::move(*task), outlook);
  }
  {
    const std::lock_guard lock(mutex_);
    working_ = false;
  }
  wake();
}

/// What fails has too few values among those that are kept, and goes on as it was.
void Forecasts::refit(Task& task) const {
  const auto begun = std::chrono::steady_clock::now();
  task.refitted = options_.refit(task.forecaster).has_value();
  task.refit_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
}

std::optional<Forecasts::Task> Forecasts::next() {
  const std::lock_guard lock(mutex_);
  const auto due =
      std::find_if(series_.begin(), series_.end(), [](const auto& one) { return one.second.due; });
  if (due == series_.end()) return std::nullopt;
  due->second.due = false;
  const Entry& entry = due->second;
  return Task{due->first, entry.life, entry.series.forecaster(), entry.series.begins()};
}

void Forecasts::finish(Task task, const Result<forecast::Outlook>& outlook) {
  const auto made = outlook ? std::make_shared<const forecast::Outlook>(*outlook) : nullptr;
  const std::lock_guard lock(mutex_);
  if (task.refitted) ++(*task.refitted ? counters_.refits : counters_.refits_failed);
  counters_.refit_seconds += task.refit_seconds;
  const auto found = series_.find(task.name);
  // It may have gone, or begun anew, meanwhile.
  if (found == series_.end() || found->second.life != task.life) return;
  if (task.refitted.value_or(false)) found->second.series.take(std::move(task.forecaster));
  found->second.outlook = made;
}

Result<std::uint64_t> Forecasts::save(EventTime now) {
  std::vector<Name> names;
  {
    const std::lock_guard lock(mutex_);
    if (!changed_) return 0;
    changed_ = false;
    for (const auto& one : series_) names.push_back(one.first);
  }
  std::string bytes;
  // In one piece of about the right size: to grow by doubling would take it three times over.
  bytes.reserve(saved_bytes_ + saved_bytes_ / 8 + files::kSnapshotEnvelopeBytes);
  Writer out;
  out.put_varint(names.size());
  for (const Name& name : names) {
    // A copy is quicker than its text, for which nobody shall wait; of one that went, none.
    forecast::TimedForecaster copy;
    {
      const std::lock_guard lock(mutex_);
      if (const auto found = series_.find(name); found != series_.end())
        copy = found->second.series;
    }
    out.put_text(name.first);
    out.put_text(name.second);
    copy.save(out);
    bytes += out.bytes();
    out.clear();
  }
  bytes += out.bytes();
  const std::uint64_t size = bytes.size();
  saved_bytes_ = size;
  const Result<void> written = file_.write(now, std::move(bytes));
  if (written) return size;
  const std::lock_guard lock(mutex_);
  changed_ = true;
  return tl::unexpected(written.error());
}

Result<void> Forecasts::load() {
  auto loaded = file_.load([this](std::string_view bytes, std::uint64_t) { return take(bytes); });
  if (loaded) {
    const std::lock_guard lock(mutex_);
    for (auto& one : series_) one.second.heard = *loaded;
  }
  wake();
  return loaded.map([](EventTime) {});
}

Result<void> Forecasts::take(std::string_view bytes) {
  Reader in(bytes);
  std::map<Name, Entry> read;
  std::uint64_t lives = 0;
  for (std::uint64_t left = in.get_varint(); left > 0 && in.ok(); --left) {
    std::string source(in.get_text());
    std::string metric(in.get_text());
    if (read.size() >= options_.series_max + options_.own_max)
      return failure(ErrorCode::kTooLarge, in.position());
    Entry entry{.own = is_own(source), .life = ++lives};
    if (auto loaded = entry.series.load(in); !loaded) return loaded;
    if (!entry.series.last()) continue;  // it was forgotten while the file was written
    const forecast::Forecaster& forecaster = entry.series.forecaster();
    entry.due = forecaster.model() || forecaster.refit_due();
    read.insert_or_assign({std::move(source), std::move(metric)}, std::move(entry));
  }
  if (auto done = in.finish(); !done) return done;
  if (!in.at_end()) return failure(ErrorCode::kMalformed, in.position());
  const std::lock_guard lock(mutex_);
  series_ = std::move(read);
  lives_ = lives;
  return {};
}

Forecasts::Line Forecasts::line_of(const Name& name, const Entry& entry) {
  return {name.first,
          name.second,
          entry.series.lacks(),
          entry.series.forecaster().values().size(),
          entry.outlook,
          entry.heard};
}

std::size_t Forecasts::bytes_of(const Entry& entry) {
  std::size_t bytes = sizeof entry + entry.series.forecaster().memory_bytes();
  if (entry.outlook) {
    const forecast::Forecast& ahead = entry.outlook->ahead;
    bytes +=
        sizeof *entry.outlook + ahead.mean.size() * (1 + ahead.quantiles.size()) * sizeof(double);
  }
  return bytes;
}

std::optional<Forecasts::Line> Forecasts::line(const std::string& source,
                                               const std::string& metric) const {
  const std::lock_guard lock(mutex_);
  const auto found = series_.find({source, metric});
  if (found == series_.end()) return std::nullopt;
  return line_of(found->first, found->second);
}

std::vector<Forecasts::Line> Forecasts::lines() const {
  const std::lock_guard lock(mutex_);
  std::vector<Line> out;
  out.reserve(series_.size());
  for (const bool own : {true, false}) {
    for (const auto& [name, entry] : series_) {
      if (entry.own == own) out.push_back(line_of(name, entry));
    }
  }
  return out;
}

Forecasts::Counters Forecasts::counters() const {
  const std::lock_guard lock(mutex_);
  Counters out = counters_;
  out.series = series_.size();
  for (const auto& one : series_) out.bytes += bytes_of(one.second);
  return out;
}

}  // namespace liminal::signals
