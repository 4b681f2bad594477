#include "core/novelty/metric_detector.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "core/base/hash.hpp"
#include "core/base/math.hpp"

namespace liminal::novelty {
namespace {

/// Cells a unit of an axis, and where zero lies.
constexpr double kResolution = 170;
constexpr int kZeroCell = 11;
/// Block means and the slow mean look at values within this range only.
constexpr double kClampLow = -1, kClampHigh = 3;
constexpr std::uint32_t kSlowPoints = 224;
/// And what counts for an entity within this distance.
constexpr double kEntityFar = 10;
/// What varies by less, in parts of its level, is constant but for rounding.
constexpr double kRounding = 1e-9;
/// Beyond it a level is just "far out".
constexpr double kLevelMax = 1e6;

int nearest(double x) { return static_cast<int>(x + (x < 0 ? -.5 : .5)); }

int cell_of(double position) {
  return nearest(std::clamp(position * kResolution, -kLevelMax, kLevelMax)) + kZeroCell;
}
double position_of(int cell) { return (cell - kZeroCell) / kResolution; }

double log_axis(double z, double c) {
  const double y = log(1 + c * std::abs(z)) / log(1 + c);
  return z < 0 ? -y : y;
}
double log_axis_inverse(double y, double c) {
  const double z = (exp(std::abs(y) * log(1 + c)) - 1) / c;
  return y < 0 ? -z : z;
}

double fourth_power(double x) { return x * x * x * x; }

}  // namespace

std::string_view name(MetricScore::State state) {
  using State = MetricScore::State;
  switch (state) {
    case State::kLearning:
      return "learning";
    case State::kNormal:
      return "normal";
    case State::kNew:
      return "new";
    case State::kOngoing:
      break;
  }
  return "ongoing";
}

const Constants MetricDetector::kDefaults{};

float MetricDetector::belief_points(std::uint32_t points) {
  return std::clamp(.3321F * static_cast<float>(points), 60.F, 750.F);
}

void MetricDetector::declare(const Range& range) {
  const double width = range.high > range.low ? range.high - range.low : 1;
  if (!std::isfinite(range.low) || !std::isfinite(width)) return;
  const double curvature_before = curvature();
  declared_ = true;
  if (ready_) return retarget(range.low, width, curvature_before);
  const double first = low_;
  low_ = range.low;
  range_ = width;
  learn_warm_up(first);
}

double MetricDetector::curvature() const {
  return declared_ ? constants_->curvature_declared : constants_->curvature;
}

int MetricDetector::value_cell(double z) const { return cell_of(log_axis(z, curvature())); }

MetricScore MetricDetector::step(double value, bool alone) {
  MetricScore out;
  if (!std::isfinite(value)) {
    if (ready_) out.state = MetricScore::State::kNormal;
    return out;
  }
  if (!ready_) return warm_up(value);
  score_and_learn(value, out);
  if (!declared_ && (value < low_ || value > low_ + range_)) grow_range(value);
  out.state = MetricScore::State::kNormal;
  if (alone) emit(out);
  return out;
}

MetricScore MetricDetector::warm_up(double value) {
  // Kept as differences from the first: a float has digits enough for them, not for a large level.
  if (warm_count_ == 0) low_ = value;
  const auto kept = static_cast<float>(std::clamp(value - low_, -3e38, 3e38));
  std::memcpy(
      reinterpret_cast<char*>(cells_.data()) + warm_count_ * sizeof kept, &kept, sizeof kept);
  if (++warm_count_ == kWarmUp) begin();
  return {};
}

/// The first range, from the points of the warm-up, which are then learnt.
void MetricDetector::begin() {
  std::array<float, kWarmUp> values;
  static_assert(sizeof values <= sizeof cells_);
  std::memcpy(values.data(), cells_.data(), sizeof values);
  const double first = low_;
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const double range = static_cast<double>(*high) - static_cast<double>(*low);
  if (range > kRounding * std::abs(first)) {
    low_ = first + static_cast<double>(*low) - static_cast<double>(constants_->range_slack) * range;
    range_ = range * (1 + 2 * static_cast<double>(constants_->range_slack));
  } else {
    range_ = std::max(1e-9, std::abs(first) * .1);
  }
  learn_warm_up(first);
}

/// What the warm-up kept, as differences from `first`, becomes levels of the range.
void MetricDetector::learn_warm_up(double first) {
  std::array<float, kWarmUp> values;
  std::memcpy(values.data(), cells_.data(), sizeof values);
  cells_.fill(0);
  ready_ = true;
  MetricScore ignored;
  for (std::size_t i = 0; i < warm_count_; ++i)
    score_and_learn(first + static_cast<double>(values[i]), ignored);
}

Occupancy::Gaps MetricDetector::look(Axis which, int cell) {
  Occupancy levels = axis(which);
  const auto seen = static_cast<std::uint8_t>(1U << which);
  const Occupancy::Gaps gaps = (axes_seen_ & seen) != 0
                                   ? levels.gaps(cell, static_cast<float>(kResolution))
                                   : Occupancy::Gaps{};
  axes_seen_ |= seen;
  levels.mark(cell);
  return gaps;
}

/// Takes off what lies between levels by chance after so many points.
void MetricDetector::discount_spacing(std::uint32_t points, Occupancy::Gaps& gaps) const {
  const Constants& c = *constants_;
  const double left = 1 - static_cast<double>(points) / static_cast<double>(c.spacing_points);
  const double factor = declared_  ? static_cast<double>(c.spacing_declared)
                        : left > 0 ? static_cast<double>(c.spacing) * left
                                   : 0;
  if (factor == 0) return;
  const auto spacing = static_cast<float>(factor * log(points + 1.) / points);
  gaps.long_term = std::max(0.F, gaps.long_term - spacing);
  gaps.short_term = std::max(0.F, gaps.short_term - spacing);
}

bool MetricDetector::knows_few_levels() {
  return !declared_ && (axes_seen_ & (1U << kValue)) != 0 && axis(kValue).levels() <= kFewLevels;
}

void MetricDetector::score_and_learn(double value, MetricScore& out) {
  const Constants& c = *constants_;
  const double z = (value - low_) / range_;
  ++points_;
  const float belief = belief_points(points_);
  const double inside = std::clamp(z, kClampLow, kClampHigh);

  last_cell_ = value_cell(z);
  out.few_levels = knows_few_levels();
  Occupancy::Gaps level = look(kValue, last_cell_);
  discount_spacing(points_, level);

  Occupancy::Gaps mean, deviation;
  block_sum_ += inside;
  if (++block_count_ == kBlock) {
    blocks_[blocks_seen_++ & 3U] = block_sum_;
    block_sum_ = 0;
    block_count_ = 0;
  }
  if (blocks_seen_ >= 4) {
    const double sum = blocks_[0] + blocks_[1] + blocks_[2] + blocks_[3] + block_sum_;
    mean = look(kMean, cell_of(sum / (4. * kBlock + block_count_)));
  }
  if (points_ > kSlowPoints) {
    deviation = look(kDeviation, cell_of(.5 + .5 * (inside - slow_mean_)));
    discount_spacing(points_ - kSlowPoints, deviation);
  }
  slow_mean_ += std::max(1. / kSlowPoints, 1. / points_) * (inside - slow_mean_);

  if (++short_age_ > c.short_points) {
    short_age_ = 0;
    for (const Axis each : {kValue, kMean, kDeviation}) axis(each).swap_short();
  }
  if (++long_age_ > c.long_points) {
    long_age_ = 0;
    for (const Axis each : {kValue, kMean, kDeviation}) axis(each).swap_long();
  }

  const float declared = declared_ ? c.declared_weight : 1;
  const float value_weight = c.value_weight * declared * (declared_ ? c.declared_value_weight : 1);
  const auto combined = [&](float short_weight) {
    const auto one = [&](float weight, const Occupancy::Gaps& gaps) {
      const float gap = gaps.long_term + short_weight * (gaps.short_term - gaps.long_term);
      return fourth_power(weight * gap);
    };
    return sqrt(sqrt(one(value_weight, level) + one(c.mean_weight * declared, mean) +
                     one(c.deviation_weight * declared, deviation)));
  };
  const double raw = combined(c.short_weight);
  const double before = points_ - 1.;
  const double trust = before / (before + static_cast<double>(c.ramp * belief));
  const double discount = 1 + static_cast<double>(c.history) * sqrt(static_cast<double>(history_));
  if (points_ > 6) {
    const double rate =
        std::max(1. / static_cast<double>(c.history_points * belief), 1. / (before + 10));
    history_ += static_cast<float>(rate * (raw * raw - static_cast<double>(history_)));
  }
  out.novelty = static_cast<float>(raw * trust / discount);

  const double y = std::clamp(z, -kEntityFar, kEntityFar);
  const double off = y - entity_mean_;
  const double r = std::abs(off) / (sqrt(entity_variance_) + static_cast<double>(c.slow_floor));
  const double rate = std::max(static_cast<double>(c.slow_rate), 1. / points_);
  entity_mean_ += rate * off;
  entity_variance_ += rate * (off * off - entity_variance_);
  const double far =
      std::min(r, static_cast<double>(c.slow_cap)) - static_cast<double>(c.slow_dead);
  const double drift = points_ > 30 && far > 0 ? far * trust : 0;
  const double evidence = combined(c.short_weight_entity) * trust / discount +
                          static_cast<double>(c.slow_weight) * drift;
  out.deviation = static_cast<float>(r);
  const double known = score_max(before, r, static_cast<double>(c.enough_entity));
  out.evidence = static_cast<float>(evidence * std::min(1., known));
  out.doubtful = static_cast<float>(evidence) - out.evidence;
}

void MetricDetector::emit(MetricScore& out) {
  const double before = points_ - 1.;
  double known_max = score_max(
      before, static_cast<double>(out.deviation), static_cast<double>(constants_->enough));
  if (out.few_levels) known_max = std::min(known_max, before / constants_->line.budget);
  const double score = line_.score(static_cast<double>(out.novelty), constants_->line);
  line_.learn(static_cast<double>(out.novelty), constants_->line);
  // The peak that is held is not bounded: a bound that grows is nothing new to say.
  const float emitted =
      hold_.emit(score, static_cast<double>(belief_points(points_) * constants_->hold));
  out.rarity = static_cast<float>(std::min(score, known_max));
  out.score = static_cast<float>(std::min(static_cast<double>(emitted), known_max));
  if (out.score >= 1) {
    out.state = MetricScore::State::kNew;
  } else if (out.rarity >= 1) {
    out.state = MetricScore::State::kOngoing;
  }
}

void MetricDetector::interrupt() {
  blocks_seen_ = block_count_ = 0;
  block_sum_ = 0;
  hold_.release();
}

/// The side that was exceeded moves to the value and a slack beyond it.
void MetricDetector::grow_range(double value) {
  const auto slack = static_cast<double>(constants_->range_slack);
  double low = low_, high = low_ + range_;
  if (value < low) {
    low = value - slack * (high - value);
  } else {
    high = value + slack * (value - low);
  }
  if (!std::isfinite(high - low)) return;
  retarget(low, high - low, curvature());
  last_cell_ = value_cell((value - low_) / range_);
  axis(kValue).mark(last_cell_);
}

/// Maps all that is remembered from the old range to the new one.
void MetricDetector::retarget(double low, double range, double curvature_before) {
  // A range may be declared that is narrower than numbers can say: what was learnt lies beyond it.
  constexpr double kFar = 1e300;
  const double c = curvature();
  const double scale = std::min(range_ / range, kFar);
  const double shift = std::clamp((low_ - low) / range, -kFar, kFar);
  const auto moved = [&](double z) { return z * scale + shift; };
  axis(kValue).remap([&](int cell) {
    return cell_of(log_axis(moved(log_axis_inverse(position_of(cell), curvature_before)), c));
  });
  axis(kMean).remap([&](int cell) { return cell_of(moved(position_of(cell))); });
  axis(kDeviation).remap([&](int cell) {
    return cell_of(.5 + .5 * (position_of(cell) * 2 - 1) * scale);
  });
  slow_mean_ = moved(slow_mean_);
  entity_mean_ = moved(entity_mean_);
  entity_variance_ *= scale * scale;
  for (double& block : blocks_) block = moved(block / kBlock) * kBlock;
  if (block_count_ > 0) block_sum_ = moved(block_sum_ / block_count_) * block_count_;
  confine_means();
  low_ = low;
  range_ = range;
}

/// Within the bounds of what they are means of, which another range may have moved them out of.
void MetricDetector::confine_means() {
  const auto confine = [](double& sum, double count) {
    sum = std::clamp(sum, kClampLow * count, kClampHigh * count);
  };
  confine(slow_mean_, 1);
  for (double& block : blocks_) confine(block, kBlock);
  confine(block_sum_, block_count_);
  entity_mean_ = std::clamp(entity_mean_, -kEntityFar, kEntityFar);
  entity_variance_ = std::min(entity_variance_, 4 * kEntityFar * kEntityFar);
}

/// Of what was read, but for what `confine_means` mends.
bool MetricDetector::is_sane() const {
  constexpr float kHistoryMax = 1e12F;
  constexpr std::uint32_t kPointsMax = 1U << 30;  // a point a second for 34 years
  const auto is_finite = [](double value) { return std::isfinite(value); };
  const auto is_number = [](double value) { return !std::isnan(value); };
  const std::array known{low_, low_ + range_};
  const std::array means{slow_mean_, entity_mean_, block_sum_};
  std::array<float, kWarmUp> warm{};
  if (warm_count_ > kWarmUp) return false;
  if (!ready_) std::memcpy(warm.data(), cells_.data(), warm_count_ * sizeof(float));
  return std::all_of(known.begin(), known.end(), is_finite) &&
         std::all_of(means.begin(), means.end(), is_number) &&
         std::all_of(blocks_.begin(), blocks_.end(), is_number) &&
         std::all_of(warm.begin(), warm.end(), is_finite) && range_ > 0 && entity_variance_ >= 0 &&
         history_ >= 0 && history_ <= kHistoryMax && points_ <= kPointsMax &&
         block_count_ < kBlock && std::abs(last_cell_) <= static_cast<int>(kLevelMax) + kZeroCell;
}

bool MetricDetector::is_ordinary(double value) const {
  if (!ready_ || points_ == 0 || !std::isfinite(value)) return true;
  auto copy = cells_;
  const Occupancy levels(
      std::span<std::uint64_t, Occupancy::kWords>(copy.data(), Occupancy::kWords));
  return levels.gaps(value_cell((value - low_) / range_), 1).long_term == 0;
}

double MetricDetector::trust() const {
  const double n = points_;
  return n / (n + static_cast<double>(constants_->ramp * belief_points(points_)));
}

double MetricDetector::discounted(double raw) const {
  return raw * trust() /
         (1 + static_cast<double>(constants_->history) * sqrt(static_cast<double>(history_)));
}

int MetricDetector::alarm_distance() const {
  double weight = static_cast<double>(constants_->value_weight);
  if (declared_)
    weight *= static_cast<double>(constants_->declared_weight * constants_->declared_value_weight);
  const auto alarms = [&](int cells) {
    return line_.score(discounted(weight * cells / kResolution), constants_->line) >= 1;
  };
  int below = 0, above = Occupancy::kCells;
  while (above - below > 1) {
    const int middle = (below + above) / 2;
    (alarms(middle) ? above : below) = middle;
  }
  return above;
}

std::optional<Range> MetricDetector::expected_near(int cell) const {
  // The view does not write here.
  auto copy = cells_;
  const Occupancy levels(
      std::span<std::uint64_t, Occupancy::kWords>(copy.data(), Occupancy::kWords));
  const int distance = alarm_distance();
  // In the middle of a hole both its ends are near: nothing in a smaller one would alarm.
  const Occupancy::Run run = levels.nearest_run(cell, 2 * (distance - 1));
  if (run.high < run.low) return std::nullopt;
  const double margin = distance - .5;  // cells are rounded to the nearest
  const auto value_of = [this](double position) {
    return low_ + range_ * log_axis_inverse((position - kZeroCell) / kResolution, curvature());
  };
  return Range{value_of(run.low - margin), value_of(run.high + margin)};
}

std::optional<Range> MetricDetector::expected(double value) const {
  if (!ready_ || points_ == 0 || !std::isfinite(value)) return std::nullopt;
  return expected_near(value_cell((value - low_) / range_));
}

std::optional<Range> MetricDetector::expected() const {
  if (!ready_ || points_ == 0) return std::nullopt;
  return expected_near(last_cell_);
}

void MetricDetector::save(Writer& out) const {
  for (const std::uint64_t word : cells_) out.put(word);
  line_.save(out);
  for (const double value : {low_, range_, slow_mean_, entity_mean_, entity_variance_, block_sum_})
    out.put(value);
  for (const double block : blocks_) out.put(block);
  out.put(history_);
  hold_.save(out);
  for (const std::uint32_t count : {points_, short_age_, long_age_, block_count_, blocks_seen_})
    out.put(count);
  out.put(last_cell_);
  out.put(warm_count_);
  out.put(ready_);
  out.put(declared_);
  out.put(axes_seen_);
}

Result<void> MetricDetector::load(Reader& in) {
  MetricDetector read(*constants_);
  for (std::uint64_t& word : read.cells_) in.get(word);
  read.line_.load(in);
  for (double* value : {&read.low_,
                        &read.range_,
                        &read.slow_mean_,
                        &read.entity_mean_,
                        &read.entity_variance_,
                        &read.block_sum_})
    in.get(*value);
  for (double& block : read.blocks_) in.get(block);
  in.get(read.history_);
  read.hold_.load(in);
  for (std::uint32_t* count :
       {&read.points_, &read.short_age_, &read.long_age_, &read.block_count_, &read.blocks_seen_})
    in.get(*count);
  in.get(read.last_cell_);
  in.get(read.warm_count_);
  read.ready_ = in.get<std::uint8_t>() != 0;
  read.declared_ = in.get<std::uint8_t>() != 0;
  in.get(read.axes_seen_);
  if (!in.ok()) return failure(ErrorCode::kTruncated, in.position());
  if (!read.is_sane()) return failure(ErrorCode::kMalformed, in.position());
  read.confine_means();
  *this = read;
  return {};
}

std::uint64_t MetricDetector::state_hash() const {
  Writer out;
  save(out);
  return hash64(out.bytes());
}

}  // namespace liminal::novelty
