#include "server/signals/limits.hpp"

#include <cmath>
#include <tuple>
#include <utility>

namespace liminal::signals {

void Limits::take(Entry& entry, double value, EventTime at) {
  const std::int64_t minute =
      std::chrono::floor<std::chrono::minutes>(at).time_since_epoch().count();
  if (!std::isfinite(value) || minute < entry.minute) return;
  entry.minute = minute;
  entry.value = value;
  entry.trend.observe(minute, value);
}

void Limits::put(const std::string& source, const std::string& metric, stats::Limit limit) {
  const auto [place, fresh] = sources_[source].try_emplace(metric, limit);
  count_ += fresh ? 1U : 0U;
  // Where the value goes does not depend on how far it may.
  if (place->second.limit.side == limit.side) {
    place->second.limit = limit;
  } else {
    place->second = Entry(limit);
  }
}

void Limits::erase(const std::string& source, const std::string& metric) {
  const auto found = sources_.find(source);
  if (found == sources_.end()) return;
  count_ -= found->second.erase(metric);
  if (found->second.empty()) sources_.erase(found);
}

Result<void> Limits::declare(const std::string& source,
                             const std::string& metric,
                             std::optional<stats::Limit> limit,
                             const std::function<Result<void>()>& beside) {
  const std::lock_guard writing(writing_);
  std::optional<Entry> before;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = sources_.find(source); found != sources_.end()) {
      if (const auto known = found->second.find(metric); known != found->second.end())
        before = known->second;
    }
    if (limit && !before && count_ >= options_.limits_max) return failure(ErrorCode::kTooLarge);
    if (limit) {
      put(source, metric, *limit);
    } else {
      erase(source, metric);
    }
  }
  const Result<void> written = limit || before ? write() : Result<void>{};
  const Result<void> done = written ? beside() : written;
  if (done) return {};
  const std::lock_guard lock(mutex_);
  erase(source, metric);
  if (before) {
    sources_[source].try_emplace(metric, *before);
    ++count_;
  }
  changed_ = true;
  return done;
}

Result<bool> Limits::forget(const std::string& source, const std::optional<std::string>& metric) {
  const std::lock_guard writing(writing_);
  Metrics before;
  {
    const std::lock_guard lock(mutex_);
    const auto found = sources_.find(source);
    if (found == sources_.end()) return false;
    for (const auto& [name, entry] : found->second) {
      if (!metric || name == *metric) before.emplace(name, entry);
    }
    for (const auto& [name, entry] : before) erase(source, name);
  }
  if (before.empty()) return false;
  if (const Result<void> written = write(); !written) {
    const std::lock_guard lock(mutex_);
    count_ += before.size();
    sources_[source].merge(before);
    return tl::unexpected(written.error());
  }
  return true;
}

void Limits::declare_own(const std::string& source, const std::string& metric, stats::Limit limit) {
  const std::lock_guard lock(mutex_);
  count_ += sources_[source].try_emplace(metric, limit).second ? 1U : 0U;
}

void Limits::observe(const novelty::Batch& batch) {
  const std::lock_guard lock(mutex_);
  const auto found = sources_.find(batch.source);
  if (found == sources_.end()) return;
  std::vector<Entry*> entries;
  bool any = false;
  for (const std::string& metric : batch.metrics) {
    const auto known = found->second.find(metric);
    entries.push_back(known == found->second.end() ? nullptr : &known->second);
    any = any || entries.back() != nullptr;
  }
  if (!any) return;
  changed_ = true;
  for (const novelty::Batch::Row& row : batch.rows) {
    for (const novelty::Source::Value& value : row.values) {
      if (entries[value.metric] != nullptr) take(*entries[value.metric], value.value, row.at);
    }
  }
}

void Limits::observe(const std::string& source,
                     const std::string& metric,
                     double value,
                     EventTime at) {
  const std::lock_guard lock(mutex_);
  const auto found = sources_.find(source);
  if (found == sources_.end()) return;
  const auto known = found->second.find(metric);
  if (known == found->second.end()) return;
  changed_ = true;
  take(known->second, value, at);
}

Result<void> Limits::save() {
  const std::lock_guard writing(writing_);
  {
    const std::lock_guard lock(mutex_);
    if (!changed_) return {};
  }
  return write();
}

Result<void> Limits::write() {
  Writer out;
  {
    const std::lock_guard lock(mutex_);
    out.put_varint(count_);
    for (const auto& [source, metrics] : sources_) {
      for (const auto& [metric, entry] : metrics) {
        out.put_text(source);
        out.put_text(metric);
        out.put(entry.limit.value);
        out.put(entry.limit.side);
        out.put(entry.minute);
        out.put(entry.value);
        entry.trend.save(out);
      }
    }
    changed_ = false;
  }
  const Result<void> written = file_.write(EventTime{}, out.take());
  if (!written) {
    const std::lock_guard lock(mutex_);
    changed_ = true;
  }
  return written;
}

Result<void> Limits::load() {
  return file_
      .load([this](std::string_view bytes, std::uint64_t format) { return take(bytes, format); })
      .map([](EventTime) {});
}

Result<void> Limits::take(std::string_view bytes, std::uint64_t format) {
  Reader in(bytes);
  std::vector<std::tuple<std::string, std::string, Entry>> read;
  for (std::uint64_t left = in.get_varint(); left > 0 && in.ok(); --left) {
    std::string source(in.get_text());
    std::string metric(in.get_text());
    stats::Limit limit;
    in.get(limit.value);
    in.get(limit.side);
    if (limit.side > stats::Trend::Side::kBelow || !std::isfinite(limit.value)) in.fail();
    Entry entry(limit);
    in.get(entry.minute);
    in.get(entry.value);
    if (std::isinf(entry.value)) in.fail();
    auto loaded = format == kFormat ? entry.trend.load(in) : entry.trend.load_blocks(in);
    if (!loaded) return loaded;
    if (read.size() >= options_.limits_max) return failure(ErrorCode::kTooLarge, in.position());
    read.emplace_back(std::move(source), std::move(metric), entry);
  }
  if (auto done = in.finish(); !done) return done;
  const std::lock_guard lock(mutex_);
  auto sources = sources_;  // the program's own, which those that were read take the place of
  std::size_t count = count_;
  for (const auto& [source, metric, entry] : read)
    count += sources[source].insert_or_assign(metric, entry).second ? 1U : 0U;
  if (count > options_.limits_max) return failure(ErrorCode::kTooLarge, in.position());
  sources_ = std::move(sources);
  count_ = count;
  return {};
}

Limits::Line Limits::line_of(const std::string& source,
                             const std::string& metric,
                             const Entry& entry) {
  return {source,
          metric,
          entry.limit,
          entry.value,
          entry.trend.passage(entry.limit.value, kWithinS, entry.limit.side)};
}

std::optional<Limits::Line> Limits::line(const std::string& source,
                                         const std::string& metric) const {
  const std::lock_guard lock(mutex_);
  const auto found = sources_.find(source);
  if (found == sources_.end()) return std::nullopt;
  const auto known = found->second.find(metric);
  if (known == found->second.end()) return std::nullopt;
  return line_of(source, metric, known->second);
}

std::vector<Limits::Line> Limits::lines(std::size_t count_max, const std::string& first) const {
  const std::lock_guard lock(mutex_);
  std::vector<Line> out;
  const auto add = [&](const std::string& source, const Metrics& metrics) {
    for (const auto& [metric, entry] : metrics) {
      if (out.size() == count_max) return;
      out.push_back(line_of(source, metric, entry));
    }
  };
  if (const auto found = sources_.find(first); found != sources_.end()) add(first, found->second);
  for (const auto& [source, metrics] : sources_) {
    if (source != first) add(source, metrics);
  }
  return out;
}

}  // namespace liminal::signals
