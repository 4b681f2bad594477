#include "core/novelty/source.hpp"

#include <algorithm>

#include "core/base/check.hpp"
#include "core/base/hash.hpp"

namespace liminal::novelty {
namespace {

using State = MetricScore::State;

constexpr std::size_t kNameBytesMax = 1024;
/// Standard deviations from its mean at which a metric speaks for itself while little is known of
/// the whole.
constexpr float kFarOut = 8;
/// Less than any saved series takes.
constexpr std::size_t kSavedBytesMin = 64;

/// How sure to be of an alarm by its score. A judgement: the values grow with the score as they
/// should, but how many such alarms are true was not measured.
float sureness(float score) {
  if (score < 2) return .5F;
  if (score < 8) return .6F;
  return .75F;
}

}  // namespace

std::size_t Source::slot_of(std::string_view name) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = hash64(name) & mask;
  while (slots_[slot] != kFree && names_[slots_[slot]] != name) slot = (slot + 1) & mask;
  return slot;
}

void Source::grow_slots() {
  slots_.resize(std::max<std::size_t>(8, 2 * slots_.size()));
  fill_slots();
}

void Source::fill_slots() {
  std::fill(slots_.begin(), slots_.end(), kFree);
  for (std::uint32_t i = 0; i < names_.size(); ++i) slots_[slot_of(names_[i])] = i;
}

std::optional<std::uint32_t> Source::find(std::string_view name) const {
  if (slots_.empty()) return std::nullopt;
  const std::uint32_t number = slots_[slot_of(name)];
  return number == kFree ? std::nullopt : std::optional(number);
}

std::optional<std::uint32_t> Source::find_or_add(std::string_view name) {
  if (const auto known = find(name)) return known;
  if (series_.size() >= metrics_max_ || name.size() > kNameBytesMax) return std::nullopt;
  const auto number = static_cast<std::uint32_t>(series_.size());
  if (series_.size() == series_.capacity()) {
    const std::size_t room = series_.size() + std::max<std::size_t>(1, series_.size() / 8);
    series_.reserve(room);
    names_.reserve(room);
  }
  series_.emplace_back();
  names_.emplace_back(name);
  // At most three quarters full: a search stays short and ends.
  if (4 * names_.size() > 3 * slots_.size()) {
    grow_slots();
  } else {
    slots_[slot_of(name)] = number;
  }
  return number;
}

void Source::reserve(std::size_t metrics) {
  metrics = std::min<std::size_t>(metrics, metrics_max_);
  series_.reserve(metrics);
  names_.reserve(metrics);
}

void Source::remove(std::uint32_t metric) {
  LIMINAL_CHECK(metric < series_.size());
  if (metric + 1 < series_.size()) {
    series_[metric] = std::move(series_.back());
    names_[metric] = std::move(names_.back());
  }
  series_.pop_back();
  names_.pop_back();
  fill_slots();
}

void Source::remove(std::span<const std::uint32_t> metrics) {
  if (metrics.empty()) return;
  LIMINAL_CHECK(metrics.back() < series_.size());
  std::size_t kept = metrics.front(), next = 0;
  for (std::size_t i = kept; i < series_.size(); ++i) {
    if (next < metrics.size() && metrics[next] == i) {
      ++next;
      continue;
    }
    series_[kept] = std::move(series_[i]);
    names_[kept] = std::move(names_[i]);
    ++kept;
  }
  LIMINAL_CHECK(next == metrics.size());
  series_.erase(series_.begin() + static_cast<std::ptrdiff_t>(kept), series_.end());
  names_.erase(names_.begin() + static_cast<std::ptrdiff_t>(kept), names_.end());
  fill_slots();
}

void Source::configure(std::uint32_t metric, const SeriesSettings& settings) {
  LIMINAL_CHECK(metric < series_.size());
  series_[metric].configure(settings);
}

void Source::mark_as_counter(std::uint32_t metric) {
  LIMINAL_CHECK(metric < series_.size());
  series_[metric].mark_as_counter();
}

void Source::restart_clock(EventTime at) {
  last_ = at;
  for (MetricSeries& series : series_) {
    if (series.last() > at) series.restart_clock();
  }
}

/// Whether a metric's evidence counts: among several that of a suppressed one does not.
bool Source::speaks(const RowScore::Part& part, EventTime at) const {
  return series_.size() == 1 || !series_[part.metric].suppressed(at);
}

/// Whether a metric's own line is asked.
bool Source::is_by_itself(const RowScore::Part& part) const {
  return series_.size() == 1 || series_[part.metric].settings().alarms_per_week > 0 ||
         (!entity_.is_known() && part.own.deviation > kFarOut);
}

void Source::step(std::span<const Value> row, EventTime at, bool expected, RowScore& out) {
  EntityRow whole;
  const double elapsed = last_ == EventTime{} ? 0 : seconds_between(last_, at);
  whole.weeks = interval_.observed_weeks(elapsed);
  interval_.learn_bursts(elapsed);
  last_ = std::max(last_, at);
  out.parts.clear();
  out.state = State::kLearning;
  out.score = out.rarity = out.novelty = 0;
  double trust = 0;
  double few = 0, most_of_few = 0;
  std::uint32_t few_points = 0;
  float own_score = 0, largest = 0;
  bool ongoing = false;
  for (const Value& value : row) {
    LIMINAL_CHECK(value.metric < series_.size());
    MetricSeries& series = series_[value.metric];
    RowScore::Part& part = out.parts.emplace_back();
    part.metric = value.metric;
    if (expected) part.expected = series.expected(value.value, at);
    part.own = series.step(value.value, at, series_.size() == 1 ? alarms_per_week_ : 0);
    if (part.own.state == State::kLearning) continue;
    out.state = State::kNormal;
    ++whole.metrics;
    if (speaks(part, at)) {
      whole.evidence += static_cast<double>(part.own.evidence);
      whole.doubtful += static_cast<double>(part.own.doubtful);
      whole.deviation = std::max(whole.deviation, static_cast<double>(part.own.deviation));
      if (part.own.few_levels) {
        few += static_cast<double>(part.own.evidence);
        most_of_few = std::max(most_of_few, static_cast<double>(part.own.evidence));
        few_points = std::max(few_points, series.points() - 1);
      }
    }
    trust = std::max(trust, series.trust());
    if (part.own.state != State::kNormal) ongoing = true;
    if (!speaks(part, at)) continue;
    largest = std::max(largest, part.own.evidence);
    if (is_by_itself(part) || part.own.again) {
      own_score = std::max(own_score, part.own.score);
      out.rarity = std::max(out.rarity, part.own.rarity);
    }
  }
  if (out.state == State::kLearning) {
    out.confidence = 0;
    return;
  }
  out.score = own_score;
  if (series_.size() == 1) {
    out.novelty = out.parts.front().own.novelty;
  } else {
    if (few > 0)
      whole.coarse = few - std::min(most_of_few, Entity::coarse_max(few_points, whole.metrics));
    const EntityScore judged = entity_.step(whole, alarms_per_week_);
    out.novelty = static_cast<float>(whole.evidence);
    out.score = std::max(out.score, judged.score);
    out.rarity = std::max(out.rarity, judged.rarity);
  }
  for (RowScore::Part& part : out.parts) {
    const bool counted = speaks(part, at);
    // What the whole alarmed at is what much of its evidence came from: of many metrics some always
    // have an incident of their own.
    if (out.rarity >= 1 && !series_[part.metric].suppressed(at) &&
        (is_by_itself(part) ||
         (entity_.is_known() && part.own.evidence > 0 && part.own.evidence >= largest / 2)))
      series_[part.metric].tell();
    const double share =
        whole.evidence > 0 && counted ? static_cast<double>(part.own.evidence) / whole.evidence : 0;
    part.contribution = out.rarity * static_cast<float>(share);
  }
  if (out.score >= 1) {
    out.state = State::kNew;
  } else if (out.rarity >= 1 || ongoing) {
    out.state = State::kOngoing;
  }
  out.confidence = out.is_anomaly() ? sureness(out.score) : static_cast<float>(trust);
}

std::size_t Source::memory_bytes() const {
  std::size_t bytes = sizeof *this + series_.capacity() * sizeof(MetricSeries) +
                      names_.capacity() * sizeof(std::string) +
                      slots_.capacity() * sizeof(std::uint32_t);
  for (const std::string& name : names_) bytes += name.size() > 15 ? name.capacity() + 1 : 0;
  return bytes;
}

void Source::save(Writer& out) const {
  out.put(last_.time_since_epoch().count());
  entity_.save(out);
  interval_.save(out);
  out.put_varint(series_.size());
  for (std::size_t i = 0; i < series_.size(); ++i) {
    out.put_text(names_[i]);
    series_[i].save(out);
  }
}

Result<void> Source::load(Reader& in, bool counted) {
  Source read;
  read.last_ = EventTime{Duration{in.get<Duration::rep>()}};
  read.entity_.load(in, counted);
  if (counted) read.interval_.load(in);
  const std::uint64_t count = in.get_varint();
  if (!in.ok()) return failure(ErrorCode::kTruncated, in.position());
  if (count > read.metrics_max_) return failure(ErrorCode::kTooLarge, in.position());
  // No more than the bytes could hold: the count alone is believed by nobody.
  read.reserve(std::min<std::size_t>(count, in.remaining() / kSavedBytesMin));
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string_view name = in.get_text();
    MetricSeries series;
    if (auto loaded = series.load(in); !loaded) return loaded;
    const auto number = read.find_or_add(name);
    if (!number || *number != i) return failure(ErrorCode::kMalformed, in.position());
    read.series_[*number] = series;
  }
  read.metrics_max_ = metrics_max_;
  read.alarms_per_week_ = alarms_per_week_;
  *this = std::move(read);
  return {};
}

std::uint64_t Source::state_hash() const {
  Writer out;
  save(out);
  return hash64(out.bytes());
}

}  // namespace liminal::novelty
