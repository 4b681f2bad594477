#include "server/signals/anomaly.hpp"

#include <algorithm>
#include <filesystem>
#include <thread>

#include "io/files/replace.hpp"
#include "io/files/snapshot.hpp"

namespace liminal::signals {
namespace {

constexpr std::string_view kSourcesFile = "anomaly.snapshot";
constexpr std::string_view kSettingsFile = "anomaly-settings.snapshot";
/// What lies in the files; another one is not read.
constexpr std::uint64_t kSourcesFormat = 0x6c696d2d616e6f31ULL;
constexpr std::uint64_t kSettingsFormat = 0x6c696d2d73657431ULL;
constexpr std::size_t kFileBytesMax = std::size_t{4} << 30;
constexpr std::size_t kRowsAtOnce = 128;
constexpr std::uint32_t kLateInARowMax = 1000;

std::string path_of(const std::string& folder, std::string_view file) {
  return (std::filesystem::path(folder) / file).string();
}

std::string sealed(std::uint64_t format, EventTime now, std::string_view payload) {
  files::SnapshotHeader header;
  header.shard = files::kCommons;
  header.engine_time = SteadyTime{now.time_since_epoch()};
  header.schema_hash = format;
  return files::seal_snapshot(header, payload);
}

Result<std::string> unsealed(files::FileSystem& system,
                             const std::string& path,
                             std::uint64_t format) {
  const Result<std::string> bytes = system.read(path, kFileBytesMax);
  if (!bytes) return tl::unexpected(bytes.error());
  const Result<files::Snapshot> snapshot = files::open_snapshot(*bytes);
  if (!snapshot) return tl::unexpected(snapshot.error());
  if (snapshot->header.schema_hash != format) return failure(ErrorCode::kUnsupported);
  return std::string(snapshot->payload);
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

Result<std::vector<std::uint32_t>> Anomaly::places(Kept& kept, const novelty::Batch& batch) {
  std::size_t fresh = 0;
  for (const std::string& metric : batch.metrics) fresh += kept.source.find(metric) ? 0U : 1U;
  if (kept.source.metrics() + fresh > options_.metrics_max) return failure(ErrorCode::kTooLarge);
  std::vector<std::uint32_t> places;
  places.reserve(batch.metrics.size());
  for (const std::string& metric : batch.metrics) {
    const std::size_t before = kept.source.metrics();
    const auto place = kept.source.find_or_add(metric);
    if (!place) return failure(ErrorCode::kTooLarge);
    places.push_back(*place);
    if (kept.source.metrics() == before) continue;
    ++counters_.series;
    if (const auto told = settings_.find({kept.name, metric}); told != settings_.end())
      kept.source.configure(*place, told->second);
    watch(kept.name, metric);
  }
  evict(kept);
  return places;
}

void Anomaly::watch(const std::string& source, const std::string& metric) {
  if (watched_.size() >= options_.exported_max) return;
  if (watched_at_.emplace(SettingsKey{source, metric}, watched_.size()).second)
    watched_.push_back({source, metric});
}

void Anomaly::note(const std::string& source,
                   const std::string& metric,
                   double value,
                   double score) {
  const auto found = watched_at_.find({source, metric});
  if (found == watched_at_.end()) return;
  watched_[found->second].value = value;
  watched_[found->second].score = score;
}

Result<std::vector<novelty::RowScore>> Anomaly::score(const novelty::Batch& batch, bool expected) {
  std::vector<novelty::RowScore> scores(batch.rows.size());
  std::vector<novelty::Source::Value> row;
  for (std::size_t begin = 0; begin < batch.rows.size(); begin += kRowsAtOnce) {
    const std::size_t end = std::min(batch.rows.size(), begin + kRowsAtOnce);
    {
      const std::lock_guard lock(mutex_);
      // Each time anew: between two turns the source may have been forgotten.
      Kept& kept = touch(batch.source);
      const auto place = places(kept, batch);
      if (!place) {
        if (kept.source.metrics() == 0) {
          by_name_.erase(kept.name);
          order_.pop_front();
        }
        return tl::unexpected(place.error());
      }
      for (std::size_t i = begin; i < end; ++i) {
        const novelty::Batch::Row& given = batch.rows[i];
        const bool late = given.at < kept.source.last();
        if (late && kept.late_in_a_row >= kLateInARowMax) return failure(ErrorCode::kConflict, i);
        kept.late_in_a_row = late ? kept.late_in_a_row + 1 : 0;
        counters_.rows_late += late ? 1U : 0U;
        ++counters_.rows;
        ++learnt_;
        row = given.values;
        for (auto& value : row) value.metric = (*place)[value.metric];
        kept.source.step(row, given.at, expected, scores[i]);
        for (std::size_t k = 0; k < row.size(); ++k)
          scores[i].parts[k].metric = given.values[k].metric;
        counters_.anomalies += scores[i].is_anomaly() ? 1U : 0U;
      }
      const novelty::Batch::Row& last = batch.rows[end - 1];
      for (std::size_t k = 0; k < last.values.size(); ++k)
        note(batch.source,
             batch.metrics[last.values[k].metric],
             last.values[k].value,
             static_cast<double>(scores[end - 1].parts[k].own.rarity));
    }
    if (on_anomaly_) {
      for (std::size_t i = begin; i < end; ++i) {
        if (scores[i].is_anomaly()) on_anomaly_(batch, scores[i]);
      }
    }
    if (end < batch.rows.size()) std::this_thread::yield();
  }
  return scores;
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
  const Result<void> written = files::replace_file(
      files_, path_of(options_.folder, kSettingsFile), sealed(kSettingsFormat, {}, bytes));
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
    if (const auto place = found->second->source.find(metric))
      found->second->source.configure(*place, settings);
  }
  ++learnt_;
  return !before;
}

Result<void> Anomaly::load_settings() {
  const auto payload = unsealed(files_, path_of(options_.folder, kSettingsFile), kSettingsFormat);
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
  const auto payload = unsealed(files_, path_of(options_.folder, kSourcesFile), kSourcesFormat);
  if (!payload) return tl::unexpected(payload.error());
  Reader in(*payload);
  const std::lock_guard lock(mutex_);
  // Saved with the longest silent first: what is touched last is in front again.
  for (std::uint64_t left = in.get_varint(); left > 0; --left) {
    const std::string name(in.get_text());
    novelty::Source source(options_.metrics_max);
    if (auto loaded = source.load(in); !loaded) return loaded;
    Kept& kept = touch(name);
    if (kept.source.metrics() > 0) return failure(ErrorCode::kMalformed, in.position());
    kept.source = std::move(source);
    counters_.series += kept.source.metrics();
    for (std::uint32_t i = 0; i < kept.source.metrics(); ++i) {
      watch(name, kept.source.name(i));
      // Settings may have been told after the snapshot was written.
      if (const auto told = settings_.find({name, kept.source.name(i)}); told != settings_.end())
        kept.source.configure(i, told->second);
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
  Writer body;
  std::uint64_t count = 0;
  for (const std::string& name : names) {
    const std::lock_guard lock(mutex_);
    const auto found = by_name_.find(name);
    if (found == by_name_.end()) continue;
    body.put_text(name);
    found->second->source.save(body);
    ++count;
  }
  out.put_varint(count);
  const std::string payload = out.take() + body.bytes();
  const Result<void> written = files::replace_file(
      files_, path_of(options_.folder, kSourcesFile), sealed(kSourcesFormat, now, payload));
  if (!written) return tl::unexpected(written.error());
  const std::lock_guard lock(mutex_);
  saved_ = learnt;
  return payload.size();
}

Anomaly::Counters Anomaly::counters() const {
  const std::lock_guard lock(mutex_);
  Counters now = counters_;
  now.sources = order_.size();
  now.bytes = now.series * (sizeof(novelty::MetricSeries) + 128) +
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
