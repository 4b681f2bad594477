#include "server/signals/forecasts.hpp"

#include <algorithm>
#include <chrono>

namespace liminal::signals {

void Forecasts::observe(const novelty::Batch& batch) {
  {
    const std::lock_guard lock(mutex_);
    for (const novelty::Batch::Row& row : batch.rows) {
      for (const novelty::Source::Value& value : row.values) {
        if (Entry* const entry = find_or_add({batch.source, batch.metrics[value.metric]}, row.at))
          learn(*entry, {row.at, value.value});
      }
    }
  }
  wake();
}

void Forecasts::observe(const std::string& source,
                        const std::string& metric,
                        std::span<const Point> points,
                        bool anew) {
  if (points.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    Entry* const entry = find_or_add({source, metric}, points.back().at);
    if (entry == nullptr) return;
    if (anew) *entry = {};
    for (const Point& point : points) {
      if (!entry->series.last() || point.at > *entry->series.last()) learn(*entry, point);
    }
  }
  wake();
}

Forecasts::Entry* Forecasts::find_or_add(const Name& name, EventTime at) {
  const auto found = series_.find(name);
  if (found != series_.end()) return &found->second;
  if (series_.size() >= options_.series_max && !make_room(at)) {
    ++counters_.refused;
    return nullptr;
  }
  return &series_[name];
}

bool Forecasts::make_room(EventTime at) {
  const auto silent =
      std::min_element(series_.begin(), series_.end(), [](const auto& a, const auto& b) {
        return a.second.series.last() < b.second.series.last();
      });
  if (silent == series_.end()) return false;
  const auto& last = silent->second.series.last();
  if (last && at - *last < options_.silent) return false;
  series_.erase(silent);
  return true;
}

void Forecasts::learn(Entry& entry, const Point& point) {
  changed_ = true;
  if (!entry.series.observe(point.value, point.at)) return;
  ++counters_.points;
  const forecast::Forecaster& forecaster = entry.series.forecaster();
  // Without a model it has just begun, or begun anew.
  if (!forecaster.model()) entry.outlook = nullptr;
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
    double took_s = 0;
    if (task->forecaster.refit_due()) {
      const auto begun = std::chrono::steady_clock::now();
      // What fails has too few values among those that are kept, and goes on as it was.
      (void)task->forecaster.refit();
      took_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    }
    const auto outlook = outlook_of(task->forecaster, task->begins);
    finish(std::move(*task), outlook, took_s);
  }
  {
    const std::lock_guard lock(mutex_);
    working_ = false;
  }
  wake();
}

std::optional<Forecasts::Task> Forecasts::next() {
  const std::lock_guard lock(mutex_);
  const auto due =
      std::find_if(series_.begin(), series_.end(), [](const auto& one) { return one.second.due; });
  if (due == series_.end()) return std::nullopt;
  due->second.due = false;
  return Task{due->first, due->second.series.forecaster(), due->second.series.begins()};
}

void Forecasts::finish(Task task, const Result<forecast::Outlook>& outlook, double refit_seconds) {
  const auto made = outlook ? std::make_shared<const forecast::Outlook>(*outlook) : nullptr;
  const std::size_t bytes =
      task.forecaster.memory_bytes() + sizeof(Entry) +
      (made ? made->ahead.mean.size() * (1 + made->ahead.quantiles.size()) * sizeof(double) : 0);
  const std::lock_guard lock(mutex_);
  if (refit_seconds > 0) ++counters_.refits;
  counters_.refit_seconds += refit_seconds;
  const auto found = series_.find(task.name);
  // It may have gone, or begun anew, meanwhile.
  if (found == series_.end() ||
      found->second.series.forecaster().points() < task.forecaster.points())
    return;
  if (refit_seconds > 0) found->second.series.take(std::move(task.forecaster));
  found->second.outlook = made;
  found->second.bytes = bytes;
}

Result<std::uint64_t> Forecasts::save(EventTime now) {
  std::vector<Name> names;
  {
    const std::lock_guard lock(mutex_);
    if (!changed_) return 0;
    changed_ = false;
    for (const auto& one : series_) names.push_back(one.first);
  }
  // One at a time: a copy is quicker than its text, for which nobody shall wait.
  Writer all;
  std::uint64_t count = 0;
  for (const Name& name : names) {
    std::optional<forecast::TimedForecaster> copy;
    {
      const std::lock_guard lock(mutex_);
      if (const auto found = series_.find(name); found != series_.end())
        copy = found->second.series;
    }
    if (!copy) continue;
    ++count;
    all.put_text(name.first);
    all.put_text(name.second);
    copy->save(all);
  }
  Writer out;
  out.put_varint(count);
  std::string bytes = out.take() + all.take();
  const std::uint64_t size = bytes.size();
  const Result<void> written = file_.write(now, std::move(bytes));
  if (written) return size;
  const std::lock_guard lock(mutex_);
  changed_ = true;
  return tl::unexpected(written.error());
}

Result<void> Forecasts::load() {
  auto loaded = file_.load([this](std::string_view bytes, std::uint64_t) { return take(bytes); });
  wake();
  return loaded.map([](EventTime) {});
}

Result<void> Forecasts::take(std::string_view bytes) {
  Reader in(bytes);
  std::map<Name, Entry> read;
  for (std::uint64_t left = in.get_varint(); left > 0 && in.ok(); --left) {
    std::string source(in.get_text());
    std::string metric(in.get_text());
    if (read.size() >= options_.series_max) return failure(ErrorCode::kTooLarge, in.position());
    Entry entry;
    if (auto loaded = entry.series.load(in); !loaded) return loaded;
    const forecast::Forecaster& forecaster = entry.series.forecaster();
    entry.due = forecaster.model() || forecaster.refit_due();
    read.insert_or_assign({std::move(source), std::move(metric)}, std::move(entry));
  }
  if (auto done = in.finish(); !done) return done;
  if (!in.at_end()) return failure(ErrorCode::kMalformed, in.position());
  const std::lock_guard lock(mutex_);
  series_ = std::move(read);
  return {};
}

Forecasts::Line Forecasts::line_of(const Name& name, const Entry& entry) {
  return {name.first,
          name.second,
          entry.series.lacks(),
          entry.series.forecaster().values().size(),
          entry.outlook};
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
  for (const auto& [name, entry] : series_) out.push_back(line_of(name, entry));
  return out;
}

Forecasts::Counters Forecasts::counters() const {
  const std::lock_guard lock(mutex_);
  Counters out = counters_;
  out.series = series_.size();
  for (const auto& one : series_) out.bytes += one.second.bytes;
  return out;
}

}  // namespace liminal::signals
