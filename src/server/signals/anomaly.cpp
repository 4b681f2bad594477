#include "server/signals/anomaly.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <set>
#include <thread>
#include <tuple>

namespace liminal::signals {
namespace {

/// Values that are judged while the lock is held: half a millisecond.
constexpr std::size_t kValuesAtOnce = 512;
constexpr std::uint32_t kLateInARowMax = 1000;
/// How long a series must be silent to give its place in a full source to another.
constexpr std::chrono::hours kSilence{24};

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
    : options_(std::move(options)),
      settings_file_(system,
                     options_.folder,
                     kSettingsFile,
                     kSettingsFormat,
                     {kSettingsFormat2, kSettingsFormat1}),
      sources_file_(system, options_.folder, kSourcesFile, kSourcesFormat, {kSourcesFormat1}),
      on_anomaly_(std::move(on_anomaly)),
      bounds_(options_.bounds) {}

void Anomaly::set_bounds(const Bounds& bounds) {
  {
    const std::lock_guard lock(mutex_);
    bounds_ = bounds;
  }
  // By the buckets of the names: whatever comes or goes between two turns, no source is left out,
  // and all are gone through again when the table has grown.
  std::size_t buckets = 0, bucket = 0;
  do {
    {
      const std::lock_guard lock(mutex_);
      if (buckets != by_name_.bucket_count()) bucket = 0;
      buckets = by_name_.bucket_count();
      for (std::size_t done = 0; bucket < buckets && done < kValuesAtOnce; ++bucket) {
        ++done;
        for (auto one = by_name_.begin(bucket); one != by_name_.end(bucket); ++one)
          done += adapt(*one->second);
      }
    }
    std::this_thread::yield();
  } while (bucket < buckets);
}

/// Has the present bounds hold for a source. Gives how many series it went through.
std::size_t Anomaly::adapt(Kept& kept) {
  kept.source.set_metrics_max(bounds_.metrics_max);
  kept.source.set_alarms_per_week(bounds_.alarms_per_week);
  const std::size_t metrics = kept.source.metrics();
  if (metrics <= bounds_.metrics_max) return 1;
  shrink(kept);
  return metrics;
}

Anomaly::Kept& Anomaly::touch(const std::string& name) {
  if (const auto found = by_name_.find(name); found != by_name_.end()) {
    order_.splice(order_.begin(), order_, found->second);
    adapt(order_.front());  // it may come before its turn
    return order_.front();
  }
  order_.push_front({name, novelty::Source(bounds_.metrics_max)});
  order_.front().source.set_alarms_per_week(bounds_.alarms_per_week);
  by_name_.emplace(order_.front().name, order_.begin());
  return order_.front();
}

std::uint64_t Anomaly::evicted() const {
  return counters_.sources_evicted + counters_.series_evicted;
}

/// The longest silent source but `keep`; one of which something was told only when there is no
/// other, and the program's own last.
Anomaly::Order::iterator Anomaly::least_needed(const Kept& keep) {
  const auto need = [this](const std::string& name) {
    if (options_.is_own != nullptr && options_.is_own(name)) return 2;
    const auto told = settings_.lower_bound(SettingsName{name, {}});
    return told != settings_.end() && told->first.first == name ? 1 : 0;
  };
  auto least = order_.end();
  int least_need = 3;
  for (auto one = order_.end(); one != order_.begin() && least_need > 0;) {
    --one;
    const int its = &*one == &keep ? 3 : need(one->name);
    if (its >= least_need) continue;
    least = one;
    least_need = its;
  }
  return least;
}

void Anomaly::drop(Order::iterator gone) {
  counters_.series -= gone->source.metrics();
  counters_.bytes -= gone->bytes;
  ++moves_;
  by_name_.erase(gone->name);
  order_.erase(gone);
}

void Anomaly::drop(Kept& kept, std::uint32_t metric) {
  kept.source.remove(metric);
  --counters_.series;
  ++moves_;
}

/// Forgets silent sources until there is room.
void Anomaly::evict(const Kept& keep) {
  while (counters_.series > options_.series_max) {
    const auto gone = least_needed(keep);
    if (gone == order_.end()) return;
    drop(gone);
    ++counters_.sources_evicted;
  }
}

/// Whether a series may give its place to another: silent for a day, by its source's time, or not
/// told of since its clock was set back.
bool Anomaly::may_go(const Kept& kept, std::uint32_t metric) const {
  const auto last = kept.source.series(metric).last();
  return (!last || *last < kept.source.last() - kSilence) &&
         !settings_.contains(SettingsName{kept.name, kept.source.name(metric)});
}

/// Which series may go for others that the batch names, and are not named by it.
std::vector<std::uint32_t> Anomaly::silent(const Kept& kept, const novelty::Batch& batch) const {
  const std::set<std::string_view> named(batch.metrics.begin(), batch.metrics.end());
  std::vector<std::uint32_t> all;
  for (std::uint32_t i = 0; i < kept.source.metrics(); ++i)
    if (may_go(kept, i) && !named.contains(kept.source.name(i))) all.push_back(i);
  return all;
}

/// Lets the longest silent series of a source go, as many as it takes for `fresh` new ones, or for
/// some of them.
void Anomaly::make_room(Kept& kept, const novelty::Batch& batch, std::size_t fresh) {
  const std::size_t wanted = kept.source.metrics() + fresh;
  if (fresh == 0 || wanted <= bounds_.metrics_max) return;
  std::vector<std::uint32_t> gone = silent(kept, batch);
  // Of a source that was saved larger: not in vain.
  if (kept.source.metrics() - gone.size() >= bounds_.metrics_max) return;
  std::sort(gone.begin(), gone.end(), [&](std::uint32_t one, std::uint32_t other) {
    const auto of = [&](std::uint32_t i) { return std::pair(kept.source.series(i).last(), i); };
    return of(one) < of(other);
  });
  gone.resize(std::min(gone.size(), wanted - bounds_.metrics_max));
  let_go(kept, std::move(gone));
}

void Anomaly::let_go(Kept& kept, std::vector<std::uint32_t> gone) {
  std::sort(gone.begin(), gone.end());
  kept.source.remove(gone);
  counters_.series -= gone.size();
  counters_.series_evicted += gone.size();
  ++moves_;
}

/// Lets go what is beyond a bound that became smaller.
void Anomaly::shrink(Kept& kept) {
  const std::size_t metrics = kept.source.metrics();
  if (metrics <= bounds_.metrics_max) return;
  std::vector<std::tuple<bool, std::optional<EventTime>, std::uint32_t>> all;
  for (std::uint32_t i = 0; i < metrics; ++i) {
    const bool told = settings_.contains(SettingsName{kept.name, kept.source.name(i)});
    all.emplace_back(told, kept.source.series(i).last(), i);
  }
  std::sort(all.begin(), all.end());
  std::vector<std::uint32_t> gone;
  for (std::size_t i = 0; i < metrics - bounds_.metrics_max; ++i)
    gone.push_back(std::get<2>(all[i]));
  let_go(kept, std::move(gone));
  weigh(kept);
  ++learnt_;
}

bool Anomaly::has_room(const Kept& kept, const novelty::Batch& batch) const {
  std::size_t wanted = kept.source.metrics();
  for (const std::string& metric : batch.metrics) wanted += kept.source.find(metric) ? 0U : 1U;
  if (wanted <= std::max<std::size_t>(bounds_.metrics_max, kept.source.metrics())) return true;
  return wanted - silent(kept, batch).size() <= bounds_.metrics_max;
}

/// Where one of the batch's metrics is, made known if there is room.
Anomaly::Place Anomaly::place(Kept& kept, const novelty::Batch& batch, std::uint32_t metric) {
  const std::string& name = batch.metrics[metric];
  const bool known = kept.source.find(name).has_value();
  const auto settings = [&] {
    const auto told = settings_.find(SettingsName{kept.name, name});
    return told == settings_.end() ? std::nullopt : std::optional(told->second);
  };
  const auto series = kept.source.find_or_add(name);
  if (!series) return {kNowhere, kNowhere};
  if (!known) {
    ++counters_.series;
    const auto told = settings();
    if (told) kept.source.configure(*series, *told);
    watch(kept.name, name, told.has_value());
  }
  const bool sent_as_counter = metric < batch.counters.size() && batch.counters[metric];
  if (sent_as_counter && !kept.source.series(*series).sent_as_counter()) {
    kept.source.mark_as_counter(*series);
    // It holds as long as its owner tells of no kind.
    kept.source.configure(*series, settings().value_or(novelty::SeriesSettings{}));
  }
  const auto watched = watched_at_.find(SettingsName{kept.name, name});
  return {*series, watched == watched_at_.end() ? kNowhere : watched->second};
}

/// Finds the places that the turn's rows need; other ones were found before, or are never needed.
void Anomaly::find_places(Kept& kept, const Turn& turn, Places& places) {
  const std::size_t before = kept.source.metrics();
  const std::uint64_t moves_before = moves_;
  do {
    if (places.moves != moves_) std::fill(places.of.begin(), places.of.end(), Place{});
    places.moves = moves_;
    std::vector<std::uint32_t> needed;
    for (std::size_t i = turn.begin; i < turn.end; ++i) {
      for (const novelty::Source::Value& value : turn.batch.rows[i].values) {
        if (places.of[value.metric].series == kUnknown) needed.push_back(value.metric);
      }
    }
    // In the order in which the batch names them, whatever that of a row is.
    std::sort(needed.begin(), needed.end());
    needed.erase(std::unique(needed.begin(), needed.end()), needed.end());
    if (before == 0) kept.source.reserve(needed.size());
    const auto fresh = std::count_if(needed.begin(), needed.end(), [&](std::uint32_t metric) {
      return !kept.source.find(turn.batch.metrics[metric]);
    });
    make_room(kept, turn.batch, static_cast<std::size_t>(fresh));
    for (const std::uint32_t metric : needed) places.of[metric] = place(kept, turn.batch, metric);
    // Once more when one metric took another's place among those that are watched.
  } while (places.moves != moves_);
  if (kept.source.metrics() == before && moves_ == moves_before) return;
  weigh(kept);
  evict(kept);
  places.moves = moves_;  // others had to go
}

/// Brings up to date what is counted of its memory.
void Anomaly::weigh(Kept& kept) {
  constexpr std::size_t kIndexBytes = 88;  // nodes of the list and of the table
  const std::size_t bytes =
      kept.source.memory_bytes() + sizeof(Kept) - sizeof kept.source + kIndexBytes;
  counters_.bytes += bytes - kept.bytes;
  kept.bytes = bytes;
}

void Anomaly::forget_if_empty(const Kept& kept) {
  if (kept.source.metrics() > 0) return;
  by_name_.erase(kept.name);
  order_.pop_front();
}

void Anomaly::watch(const std::string& source, const std::string& metric, bool told) {
  if (const auto found = watched_at_.find(SettingsName{source, metric});
      found != watched_at_.end()) {
    watched_[found->second].told = told;
    return;
  }
  // Only who is told of takes the place of one that is not; the other ones come free with a source.
  if (!told && watched_full_at_ == evicted() + 1) return;
  const SettingsKey key{source, metric};
  const auto place = static_cast<std::uint32_t>(watched_.size());
  if (watched_.size() < options_.exported_max) {
    watched_.push_back({source, metric, told});
    watched_at_.emplace(key, place);
    ++moves_;
    return;
  }
  const auto other = std::find_if(watched_.begin(), watched_.end(), [&](const Watched& one) {
    const auto kept = by_name_.find(one.source);
    return (told && !one.told) || kept == by_name_.end() || !kept->second->source.find(one.metric);
  });
  if (other == watched_.end()) {
    watched_full_at_ = evicted() + 1;
    return;
  }
  watched_at_.erase({other->source, other->metric});
  watched_at_.emplace(key, static_cast<std::uint32_t>(other - watched_.begin()));
  ++moves_;
  *other = {source, metric, told};
}

/// Judges and learns a row; the parts of what it says name metrics as the row does.
void Anomaly::judge(Kept& kept,
                    const novelty::Batch::Row& row,
                    const Places& places,
                    bool expected,
                    novelty::RowScore& out) {
  ++counters_.rows;
  ++learnt_;
  row_ = row.values;
  for (auto& value : row_) {
    const Place& place = places.of[value.metric];
    value.metric = place.series;
    if (place.watched != kNowhere)
      watched_[place.watched].value = kept.source.series(place.series).seen(value.value, row.at);
  }
  kept.source.step(row_, row.at, expected, out);
  counters_.anomalies += out.is_anomaly() ? 1U : 0U;
  for (std::size_t k = 0; k < row.values.size(); ++k) {
    out.parts[k].metric = row.values[k].metric;
    const std::uint32_t watched = places.of[row.values[k].metric].watched;
    if (watched == kNowhere) continue;
    const bool suppressed = kept.source.series(row_[k].metric).suppressed(row.at);
    watched_[watched].score = suppressed ? 0 : static_cast<double>(out.parts[k].own.rarity);
  }
}

void Anomaly::tell(const novelty::Batch& batch, std::span<const novelty::RowScore> scores) const {
  if (!on_anomaly_) return;
  for (const novelty::RowScore& score : scores) {
    if (score.is_anomaly()) on_anomaly_(batch, score);
  }
}

Result<void> Anomaly::admits(const novelty::Batch& batch) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_name_.find(batch.source);
  if (found == by_name_.end()) {
    if (batch.metrics.size() > bounds_.metrics_max) return failure(ErrorCode::kTooLarge);
    return {};
  }
  const Kept& kept = *found->second;
  if (!has_room(kept, batch)) return failure(ErrorCode::kTooLarge);
  Lateness lateness = kept.lateness;  // a copy: nothing is learnt
  EventTime last = kept.source.last();
  for (std::size_t i = 0; i < batch.rows.size(); ++i) {
    const auto late = lateness.take(batch.rows[i].at, last);
    if (late == Lateness::Verdict::kTooMany) return failure(ErrorCode::kConflict, i);
    if (late != Lateness::Verdict::kLate) last = batch.rows[i].at;
  }
  return {};
}

Anomaly::Lateness::Verdict Anomaly::Lateness::take(EventTime row, EventTime last) {
  if (row >= last) {
    in_a_row_ = in_order_ = 0;
    return Verdict::kInTime;
  }
  if (in_a_row_ >= kLateInARowMax) return Verdict::kTooMany;
  ++in_a_row_;
  if (row < latest_) in_order_ = 0;
  latest_ = row;
  if (++in_order_ <= set_back_after_) return Verdict::kLate;
  set_back_after_ = std::min(2 * set_back_after_, kLateInARowMax);
  in_a_row_ = in_order_ = 0;
  return Verdict::kClockSetBack;
}

Result<std::vector<novelty::RowScore>> Anomaly::score(const novelty::Batch& batch, bool expected) {
  std::vector<novelty::RowScore> scores(batch.rows.size());
  Places places(batch);
  for (std::size_t begin = 0, end = 0; begin < batch.rows.size(); begin = end) {
    end = turn_end(batch, begin);
    {
      const std::lock_guard lock(mutex_);
      // Each time anew: between two turns the source may have been forgotten.
      Kept& kept = touch(batch.source);
      if (begin == 0 && !has_room(kept, batch)) {
        forget_if_empty(kept);
        return failure(ErrorCode::kTooLarge);
      }
      find_places(kept, {batch, begin, end}, places);
      for (std::size_t i = begin; i < end; ++i) {
        // Others may have taken the room since the first turn.
        for (const novelty::Source::Value& value : batch.rows[i].values) {
          if (places.of[value.metric].series == kNowhere) return failure(ErrorCode::kTooLarge);
        }
        const EventTime at = batch.rows[i].at;
        const auto late = kept.lateness.take(at, kept.source.last());
        if (late == Lateness::Verdict::kTooMany) return failure(ErrorCode::kConflict, i);
        if (late == Lateness::Verdict::kClockSetBack) kept.source.restart_clock(at);
        counters_.rows_late += late == Lateness::Verdict::kLate ? 1U : 0U;
        judge(kept, batch.rows[i], places, expected, scores[i]);
      }
    }
    tell(batch, std::span(scores).subspan(begin, end - begin));
    if (end < batch.rows.size()) std::this_thread::yield();
  }
  return scores;
}

/// Whether one of the row's series was told of times that are still to come, and this is none. Told
/// by the date: what comes again, or late on another way, lies behind what is past.
bool Anomaly::is_set_back(const Kept& kept,
                          const novelty::Batch::Row& row,
                          const Places& places,
                          EventTime date) {
  if (row.at > date + kAheadMax) return false;
  return std::any_of(row.values.begin(), row.values.end(), [&](const auto& value) {
    const std::uint32_t series = places.of[value.metric].series;
    const auto last = series == kNowhere ? std::nullopt : kept.source.series(series).last();
    return last && *last > date + kAheadMax;
  });
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

novelty::Intake Anomaly::learn(const novelty::Batch& batch, EventTime date) {
  novelty::Intake count;
  std::vector<novelty::RowScore> scores;
  novelty::Batch::Row row;
  Places places(batch);
  for (std::size_t begin = 0, end = 0; begin < batch.rows.size(); begin = end) {
    end = turn_end(batch, begin);
    scores.clear();
    {
      const std::lock_guard lock(mutex_);
      Kept& kept = touch(batch.source);
      find_places(kept, {batch, begin, end}, places);
      for (std::size_t i = begin; i < end; ++i) {
        row.at = batch.rows[i].at;
        row.values.clear();
        if (is_set_back(kept, batch.rows[i], places, date)) kept.source.restart_clock(row.at);
        for (const novelty::Source::Value& value : batch.rows[i].values) {
          if (is_news(kept, places.of[value.metric], value, row.at, count))
            row.values.push_back(value);
        }
        if (!row.values.empty()) judge(kept, row, places, false, scores.emplace_back());
      }
    }
    tell(batch, scores);
    if (end < batch.rows.size()) std::this_thread::yield();
  }
  return count;
}

std::optional<Anomaly::Described> Anomaly::describe(const std::string& source,
                                                    const std::string& metric) const {
  const std::lock_guard lock(mutex_);
  Described out;
  out.status.source_alarms_per_week = bounds_.alarms_per_week;
  const auto told = settings_.find(SettingsName{source, metric});
  if (told != settings_.end()) out.status.settings = *(out.told = told->second);
  const auto kept = by_name_.find(source);
  const auto place = kept == by_name_.end() ? std::nullopt : kept->second->source.find(metric);
  if (!place) return told == settings_.end() ? std::nullopt : std::optional(out);
  const novelty::MetricSeries& series = kept->second->source.series(*place);
  out.sent_as_counter = series.sent_as_counter();
  out.status.settings = series.settings();
  out.status.points = series.points();
  out.status.expected = series.expected();
  out.status.line = static_cast<double>(series.line());
  out.status.observed_weeks = series.observed().weeks();
  out.status.observed_alarms = series.observed().observed(out.status.line);
  out.status.source_line = kept->second->source.line();
  return out;
}

Anomaly::Counters Anomaly::counters() const {
  const std::lock_guard lock(mutex_);
  Counters now = counters_;
  now.sources = order_.size();
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
