// What survives a restart: settings when they are acknowledged, sources every few seconds.
#include "io/files/snapshot.hpp"
#include "server/signals/anomaly.hpp"

namespace liminal::signals {
namespace {

/// How a kind is written; a bool before there was the third.
constexpr std::uint8_t kGauge = 0, kCounter = 1, kAsSent = 2;

}  // namespace

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
    out.put(!told.counter ? kAsSent : *told.counter ? kCounter : kGauge);
    out.put(told.suppress_until.has_value());
    out.put(told.suppress_until.value_or(EventTime{}).time_since_epoch().count());
  }
  return out.take();
}

Result<bool> Anomaly::declare(const std::string& source,
                              const std::string& metric,
                              const std::optional<novelty::SeriesSettings>& settings) {
  const std::lock_guard declaring(declaring_);
  const SettingsKey key{source, metric};
  std::string bytes;
  std::optional<novelty::SeriesSettings> before;
  const auto set = [&](const std::optional<novelty::SeriesSettings>& told) {
    if (told) {
      settings_[key] = *told;
    } else {
      settings_.erase(key);
    }
  };
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = settings_.find(key); found != settings_.end()) before = found->second;
    if (!before && !settings) return true;
    if (!before && settings_.size() >= options_.settings_max) return failure(ErrorCode::kTooLarge);
    set(settings);
    bytes = settings_bytes();
  }
  const Result<void> written = settings_file_.write({}, bytes);
  const std::lock_guard lock(mutex_);
  if (!written) {
    set(before);
    return tl::unexpected(written.error());
  }
  if (const auto found = by_name_.find(source); found != by_name_.end()) {
    if (const auto place = found->second->source.find(metric)) {
      novelty::Source& of = found->second->source;
      of.configure(*place, settings.value_or(novelty::SeriesSettings{}));
      watch(source, metric, settings.has_value());
    }
  }
  ++learnt_;
  return !before;
}

Result<void> Anomaly::forget(const std::string& source, const std::optional<std::string>& metric) {
  const std::lock_guard declaring(declaring_);
  Settings gone;
  std::string bytes;
  {
    const std::lock_guard lock(mutex_);
    const auto kept = by_name_.find(source);
    const bool known =
        kept != by_name_.end() && (!metric || kept->second->source.find(*metric).has_value());
    auto at = settings_.lower_bound(SettingsName{source, metric.value_or("")});
    while (at != settings_.end() && at->first.first == source &&
           (!metric || at->first.second == *metric))
      gone.insert(settings_.extract(at++));
    if (!known && gone.empty()) return failure(ErrorCode::kMissing);
    if (!gone.empty()) bytes = settings_bytes();
  }
  const Result<void> written = bytes.empty() ? Result<void>{} : settings_file_.write({}, bytes);
  const std::lock_guard lock(mutex_);
  if (!written) {
    settings_.merge(gone);
    return written;
  }
  for (const auto& [key, told] : gone) {
    if (const auto shown = watched_at_.find(key); shown != watched_at_.end())
      watched_[shown->second].told = false;
  }
  ++learnt_;
  watched_full_at_ = 0;
  const auto kept = by_name_.find(source);
  if (kept == by_name_.end()) return {};
  if (metric) {
    if (const auto place = kept->second->source.find(*metric)) drop(*kept->second, *place);
    weigh(*kept->second);
  }
  if (!metric || kept->second->source.metrics() == 0) drop(kept->second);
  return {};
}

Result<void> Anomaly::take_settings(std::string_view bytes, std::uint64_t format) {
  Reader in(bytes);
  Settings read;
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
    const auto kind = in.get<std::uint8_t>();
    if (format != kSettingsFormat) {
      told.counter = kind != kGauge;
    } else if (kind <= kCounter) {
      told.counter = kind == kCounter;
    } else if (kind != kAsSent) {
      in.fail();
    }
    if (format != kSettingsFormat1) {
      const bool suppressed = in.get<std::uint8_t>() != 0;
      const auto until = in.get<std::int64_t>();
      if (suppressed) told.suppress_until = EventTime{Duration{until}};
    }
    if (!novelty::validate(told).empty()) return failure(ErrorCode::kMalformed, in.position());
    read.emplace(std::move(key), told);
  }
  if (auto done = in.finish(); !done) return done;
  const std::lock_guard lock(mutex_);
  settings_ = std::move(read);
  return {};
}

Result<void> Anomaly::take_sources(std::string_view bytes, std::uint64_t format) {
  Reader in(bytes);
  const std::lock_guard lock(mutex_);
  // Saved with the longest silent first: what is touched last is in front again.
  for (std::uint64_t left = in.get_varint(); left > 0; --left) {
    const std::string name(in.get_text());
    novelty::Source source(bounds_.metrics_max);
    source.set_alarms_per_week(bounds_.alarms_per_week);
    if (auto loaded = source.load(in, format != kSourcesFormat1); !loaded) return loaded;
    if (source.metrics() == 0) continue;
    Kept& kept = touch(name);
    if (kept.source.metrics() > 0) return failure(ErrorCode::kMalformed, in.position());
    kept.source = std::move(source);
    counters_.series += kept.source.metrics();
    for (std::uint32_t i = 0; i < kept.source.metrics(); ++i) {
      // Settings may have been told after the snapshot was written.
      const auto told = settings_.find(SettingsName{name, kept.source.name(i)});
      if (told != settings_.end()) {
        kept.source.configure(i, told->second);
      } else if (format != kSourcesFormat1) {
        kept.source.configure(i, {});  // withdrawn since
      } else if (kept.source.series(i).settings().counter.value_or(false)) {
        // Its sender said so, which states did not tell apart.
        kept.source.mark_as_counter(i);
      }
      watch(name, kept.source.name(i), told != settings_.end());
    }
    shrink(kept);
    weigh(kept);
    evict(kept);
  }
  return in.finish();
}

Result<void> Anomaly::load(const OnUnreadable& on_unreadable) {
  const auto load_one = [&](StateFile& file, std::string_view called, const StateFile::Take& take) {
    const Result<void> loaded = file.load(take).map([](EventTime) {});
    if (!loaded && loaded.error().code != ErrorCode::kMissing && on_unreadable)
      on_unreadable(called, loaded.error());
    return loaded;
  };
  const auto settings =
      load_one(settings_file_, kSettingsFile, [this](std::string_view bytes, std::uint64_t format) {
        return take_settings(bytes, format);
      });
  const auto sources =
      load_one(sources_file_, kSourcesFile, [this](std::string_view bytes, std::uint64_t format) {
        return take_sources(bytes, format);
      });
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
    if (sources_file_.left_alone()) return failure(ErrorCode::kIo);
    learnt = learnt_;
    for (auto kept = order_.rbegin(); kept != order_.rend(); ++kept) names.push_back(kept->name);
  }
  std::string payload;
  // In one piece of about the right size: to grow by doubling would take it three times over.
  payload.reserve(saved_bytes_ + saved_bytes_ / 8 + files::kSnapshotEnvelopeBytes);
  out.put_varint(names.size());
  for (const std::string& name : names) {
    out.put_text(name);
    {
      const std::lock_guard lock(mutex_);
      const auto found = by_name_.find(name);
      if (found == by_name_.end()) {
        novelty::Source().save(out);  // it was forgotten meanwhile
      } else {
        found->second->source.save(out);
      }
    }
    payload += out.bytes();
    out.clear();
  }
  const std::uint64_t bytes = payload.size();
  saved_bytes_ = bytes;
  const Result<void> written = sources_file_.write(now, std::move(payload));
  if (!written) return tl::unexpected(written.error());
  const std::lock_guard lock(mutex_);
  saved_ = learnt;
  return bytes;
}

}  // namespace liminal::signals
