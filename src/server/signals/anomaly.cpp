#include "server/signals/anomaly.hpp"

#include <algorithm>
#include <cmath>
#include <thread>

#include "server/signals/state_file.hpp"

namespace liminal::signals {
namespace {

constexpr std::string_view kSourcesFile = "anomaly.snapshot";
constexpr std::string_view kSettingsFile = "anomaly-settings.snapshot";
/// What lies in the files; another one is not read.
constexpr std::uint64_t kSourcesFormat = 0x6c696d2d616e6f31ULL;
constexpr std::uint64_t kSettingsFormat = 0x6c696d2d73657431ULL;
/// Values that are judged while the lock is held: half a millisecond.
constexpr std::size_t kValuesAtOnce = 512;
constexpr std::uint32_t kLateInARowMax = 1000;

/// The row before which a turn that begins at `begin` ends.
std::size_t turn_end(const novelty::Batch& batch, std::size_t begin) {
  std::size_t end = begin, values = 0;
  do {
    values += batch.rows[end++].values.size();
  } while (end < batch.rows.size() && values < kValuesAtOnce);
  return end;
}

}  // namespace

Anomaly::Anomaly(Options options, files::FileSystem& system, OnAnomaly on_anomaly)
    : options_(std::move(options)), files_(system), on_anomaly_(std::move(on_anomaly)) {}

Anomaly::Kept& Anomaly::touch(const std::string& name) {
  if (const auto found = by_name_.find(name); found != by_name_.end()) {
    order_.splice(order_.begin(), order_, found->second);
    return order_.front();
  }
  order_.push_front({name, novelty::Source(options_.metrics_max)});
  by_name_.emplace(name, order_.begin());
  return order_.front();
}

/// Forgets silent sources until there is room.
void Anomaly::evict(const Kept& keep) {
  while (counters_.series > options_.series_max && &order_.back() != &keep) {
    const Kept& gone = order_.back();
    counters_.series -= gone.source.metrics();
    ++counters_.sources_evicted;
    by_name_.erase(gone.name);
    order_.pop_back();
  }
}

bool Anomaly::has_room(const Kept& kept, const novelty::Batch& batch) const {
  std::size_t fresh = 0;
  for (const std::string& metric : batch.metrics) fresh += kept.source.find(metric) ? 0U : 1U;
  return kept.source.metrics() + fresh <= options_.metrics_max;
}

/// Where the batch's metrics are, made known as far as there is room.
std::vector<Anomaly::Place> Anomaly::places(Kept& kept, const novelty::Batch& batch) {
  std::vector<Place> places;
  places.reserve(batch.metrics.size());
  for (std::size_t i = 0; i < batch.metrics.size(); ++i) {
    const std::string& metric = batch.metrics[i];
    Place& place = places.emplace_back();
    const std::size_t before = kept.source.metrics();
    const auto series = kept.source.find_or_add(metric);
    if (!series) continue;
    place.series = *series;
    if (kept.source.metrics() == before) continue;
    ++counters_.series;
    const auto told = settings_.find({kept.name, metric});
    if (told != settings_.end()) {
      kept.source.configure(*series, told->second);
    } else if (i < batch.counters.size() && batch.counters[i]) {
      kept.source.configure(*series, {.counter = true});
    }
    watch(kept.name, metric, told != settings_.end());
  }
  // After all of them, because one may take the place of another.
  for (std::size_t i = 0; i < places.size(); ++i) {
    const auto watched = watched_at_.find({kept.name, batch.metrics[i]});
    if (watched != watched_at_.end()) places[i].watched = watched->second;
  }
  evict(kept);
  return places;
}

void Anomaly::watch(const std::string& source, const std::string& metric, bool told) {
  const SettingsKey key{source, metric};
  if (const auto found = watched_at_.find(key); found != watched_at_.end()) {
    watched_[found->second].told |= told;
    return;
  }
  const auto place = static_cast<std::uint32_t>(watched_.size());
  if (watched_.size() < options_.exported_max) {
    watched_.push_back({source, metric, told});
    watched_at_.emplace(key, place);
    return;
  }
  const auto other = std::find_if(watched_.begin(), watched_.end(), [&](const Watched& one) {
    return (told && !one.told) || !by_name_.contains(one.source);
  });
  if (other == watched_.end()) return;
  watched_at_.erase({other->source, other->metric});
  watched_at_.emplace(key, static_cast<std::uint32_t>(other - watched_.begin()));
  *other = {source, metric, told};
}

/// Judges and learns a row; the parts of what it says name metrics as the row does.
void Anomaly::judge(Kept& kept,
                    const novelty::Batch::Row& row,
                    const std::vector<Place>& places,
                    bool expected,
                    novelty::RowScore& out) {
  ++counters_.rows;
  ++learnt_;
  row_ = row.values;
  for (auto& value : row_) {
    const Place& place = places[value.metric];
    value.metric = place.series;
    if (place.watched != kNowhere)
      watched_[place.watched].value = kept.source.series(place.series).seen(value.value, row.at);
  }
  kept.source.step(row_, row.at, expected, out);
  counters_.anomalies += out.is_anomaly() ? 1U : 0U;
  for (std::size_t k = 0; k < row.values.size(); ++k) {
    out.parts[k].metric = row.values[k].metric;
    const std::uint32_t watched = places[row.values[k].metric].watched;
    if (watched != kNowhere) watched_[watched].score = static_cast<double>(out.parts[k].own.rarity);
  }
}

void Anomaly::tell(const novelty::Batch& batch, std::span<const novelty::RowScore> scores) const {
  if (!on_anomaly_) return;
  for (const novelty::RowScore& score : scores) {
    if (score.is_anomaly()) on_anomaly_(batch, score);
  }
}

Result<std::vector<novelty::RowScore>> Anomaly::score(const novelty::Batch& batch, bool expected) {
  std::vector<novelty::RowScore> scores(batch.rows.size());
  for (std::size_t begin = 0, end = 0; begin < batch.rows.size(); begin = end) {
    end = turn_end(batch, begin);
    {
      const std::lock_guard lock(mutex_);
      // Each time anew: between two turns the source may have been forgotten.
      Kept& kept = touch(batch.source);
      if (!has_room(kept, batch)) {
        if (kept.source.metrics() == 0) {
          by_name_.erase(kept.name);
          order_.pop_front();
        }
        return failure(ErrorCode::kTooLarge);
      }
      const std::vector<Place> place = places(kept, batch);
      for (std::size_t i = begin; i < end; ++i) {
        const bool late = batch.rows[i].at < kept.source.last();
        if (late && kept.late_in_a_row >= kLateInARowMax) return failure(ErrorCode::kConflict, i);
        kept.late_in_a_row = late ? kept.late_in_a_row + 1 : 0;
        counters_.rows_late += late ? 1U : 0U;
        judge(kept, batch.rows[i], place, expected, scores[i]);
      }
    }
    tell(batch, std::span(scores).subspan(begin, end - begin));
    if (end < batch.rows.size()) std::this_thread::yield();
  }
  return scores;
}

bool Anomaly::is_news(const Kept& kept,
                      const Place& place,
                      const novelty::Source::Value& value,
                      EventTime at,
                      novelty::Intake& count) {
  if (place.series == kNowhere) return ++count.beyond, false;
  const auto last = kept.source.series(place.series).last();
  if (last && at <= *last) return ++(at == *last ? count.duplicate : count.late), false;
  if (!std::isfinite(value.value)) return ++count.missing, false;
  ++count.learnt;
  return true;
}

novelty::Intake Anomaly::learn(const novelty::Batch& batch) {
  novelty::Intake count;
  std::vector<novelty::RowScore> scores;
  novelty::Batch::Row row;
  for (std::size_t begin = 0, end = 0; begin < batch.rows.size(); begin = end) {
    end = turn_end(batch, begin);
    scores.clear();
    {
      const std::lock_guard lock(mutex_);
      Kept& kept = touch(batch.source);
      const std::vector<Place> place = places(kept, batch);
      for (std::size_t i = begin; i < end; ++i) {
        row.at = batch.rows[i].at;
        row.values.clear();
        for (const novelty::Source::Value& value : batch.rows[i].values) {
          if (is_news(kept, place[value.metric], value, row.at, count)) row.values.push_back(value);
        }
        if (!row.values.empty()) judge(kept, row, place, false, scores.emplace_back());
      }
    }
    tell(batch, scores);
    if (end < batch.rows.size()) std::this_thread::yield();
  }
  return count;
}

std::string Anomaly::settings_bytes() const {
  Writer out;
  out.put_varint(settings_.size());
  for (const auto& [key, told] : settings_) {
    out.put_text(key.first);
    out.put_text(key.second);
    out.put(told.range.has_value());
    out.put(told.range.value_or(novelty::Range{}).low);
    out.put(told.range.value_or(novelty::Range{}).high);
    out.put(told.alarms_per_week);
    out.put(told.counter);
  }
  return out.take();
}

Result<bool> Anomaly::declare(const std::string& source,
                              const std::string& metric,
                              const novelty::SeriesSettings& settings) {
  const std::lock_guard declaring(declaring_);
  const SettingsKey key{source, metric};
  std::string bytes;
  std::optional<novelty::SeriesSettings> before;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = settings_.find(key); found != settings_.end()) before = found->second;
    if (!before && settings_.size() >= options_.settings_max) return failure(ErrorCode::kTooLarge);
    settings_[key] = settings;
    bytes = settings_bytes();
  }
  const Result<void> written =
      write_state(files_, options_.folder, kSettingsFile, kSettingsFormat, {}, bytes);
  const std::lock_guard lock(mutex_);
  if (!written) {
    if (before) {
      settings_[key] = *before;
    } else {
      settings_.erase(key);
    }
    return tl::unexpected(written.error());
  }
  if (const auto found = by_name_.find(source); found != by_name_.end()) {
    if (const auto place = found->second->source.find(metric)) {
      found->second->source.configure(*place, settings);
      watch(source, metric, true);
    }
  }
  ++learnt_;
  return !before;
}

Result<void> Anomaly::load_settings() {
  const auto payload = read_state(files_, options_.folder, kSettingsFile, kSettingsFormat);
  if (!payload) return tl::unexpected(payload.error());
  Reader in(*payload);
  std::map<SettingsKey, novelty::SeriesSettings> read;
  for (std::uint64_t left = in.get_varint(); left > 0 && in.ok(); --left) {
    SettingsKey key;
    key.first = in.get_text();
    key.second = in.get_text();
    novelty::SeriesSettings told;
    const bool ranged = in.get<std::uint8_t>() != 0;
    const auto low = in.get<double>();
    const auto high = in.get<double>();
    if (ranged) told.range = novelty::Range{low, high};
    in.get(told.alarms_per_week);
    told.counter = in.get<std::uint8_t>() != 0;
    if (!novelty::validate(told).empty()) return failure(ErrorCode::kMalformed, in.position());
    read.emplace(std::move(key), told);
  }
  if (auto done = in.finish(); !done) return done;
  const std::lock_guard lock(mutex_);
  settings_ = std::move(read);
  return {};
}

Result<void> Anomaly::load_sources() {
  const auto payload = read_state(files_, options_.folder, kSourcesFile, kSourcesFormat);
  if (!payload) return tl::unexpected(payload.error());
  Reader in(*payload);
  const std::lock_guard lock(mutex_);
  // Saved with the longest silent first: what is touched last is in front again.
  for (std::uint64_t left = in.get_varint(); left > 0; --left) {
    const std::string name(in.get_text());
    novelty::Source source(options_.metrics_max);
    if (auto loaded = source.load(in); !loaded) return loaded;
    if (source.metrics() == 0) continue;
    Kept& kept = touch(name);
    if (kept.source.metrics() > 0) return failure(ErrorCode::kMalformed, in.position());
    kept.source = std::move(source);
    counters_.series += kept.source.metrics();
    for (std::uint32_t i = 0; i < kept.source.metrics(); ++i) {
      // Settings may have been told after the snapshot was written.
      const auto told = settings_.find({name, kept.source.name(i)});
      if (told != settings_.end()) kept.source.configure(i, told->second);
      watch(name, kept.source.name(i), told != settings_.end());
    }
    evict(kept);
  }
  return in.finish();
}

Result<void> Anomaly::load() {
  const Result<void> settings = load_settings();
  const Result<void> sources = load_sources();
  if (!sources && sources.error().code != ErrorCode::kMissing) return sources;
  if (!settings && settings.error().code != ErrorCode::kMissing) return settings;
  return sources;
}

Result<std::uint64_t> Anomaly::save(EventTime now) {
  Writer out;
  std::vector<std::string> names;
  std::uint64_t learnt = 0;
  {
    const std::lock_guard lock(mutex_);
    if (learnt_ == saved_) return 0;
    learnt = learnt_;
    for (auto kept = order_.rbegin(); kept != order_.rend(); ++kept) names.push_back(kept->name);
  }
  out.put_varint(names.size());
  for (const std::string& name : names) {
    const std::lock_guard lock(mutex_);
    const auto found = by_name_.find(name);
    out.put_text(name);
    if (found == by_name_.end()) {
      novelty::Source().save(out);  // it was forgotten meanwhile
    } else {
      found->second->source.save(out);
    }
  }
  std::string payload = out.take();
  const std::uint64_t bytes = payload.size();
  const Result<void> written =
      write_state(files_, options_.folder, kSourcesFile, kSourcesFormat, now, std::move(payload));
  if (!written) return tl::unexpected(written.error());
  const std::lock_guard lock(mutex_);
  saved_ = learnt;
  return bytes;
}

std::optional<Anomaly::Described> Anomaly::describe(const std::string& source,
                                                    const std::string& metric) const {
  const std::lock_guard lock(mutex_);
  Described out;
  const auto told = settings_.find({source, metric});
  if (told != settings_.end()) out.settings = told->second;
  const auto kept = by_name_.find(source);
  const auto place = kept == by_name_.end() ? std::nullopt : kept->second->source.find(metric);
  if (!place) return told == settings_.end() ? std::nullopt : std::optional(out);
  const novelty::MetricSeries& series = kept->second->source.series(*place);
  out.settings = series.settings();
  out.points = series.points();
  out.expected = series.expected();
  return out;
}

Anomaly::Counters Anomaly::counters() const {
  const std::lock_guard lock(mutex_);
  Counters now = counters_;
  now.sources = order_.size();
  now.bytes = now.series * (sizeof(novelty::MetricSeries) + 96) +
              now.sources * (sizeof(Kept) + sizeof(Order::iterator) + 64);
  return now;
}

std::vector<Anomaly::Exported> Anomaly::exported() const {
  const std::lock_guard lock(mutex_);
  std::vector<Exported> all;
  for (const Watched& one : watched_) {
    const auto found = by_name_.find(one.source);
    if (found == by_name_.end()) continue;
    const novelty::Source& source = found->second->source;
    const auto place = source.find(one.metric);
    if (!place) continue;
    all.push_back({one.source, one.metric, one.value, one.score, source.series(*place).expected()});
  }
  return all;
}

}  // namespace liminal::signals
