#include "core/forecast/forecaster.hpp"

#include <algorithm>
#include <cmath>

#include "core/base/check.hpp"
#include "core/base/hash.hpp"

namespace liminal::forecast {
namespace {

constexpr std::uint32_t kFormat = 2;
/// Read still: it had no floor in its spread.
constexpr std::uint32_t kFormat1 = 1;
constexpr std::uint32_t kHorizonMax = 10'000;
constexpr std::uint32_t kPointsMin = 64, kPointsMax = 100'000;
bool is_value(double x) { return std::abs(x) <= Forecaster::kValueMax; }

}  // namespace

Problems Options::validate() const {
  Problems problems;
  if (horizon < 1 || horizon > kHorizonMax)
    problems.push_back({"horizon", "must be from 1 to 10000 steps"});
  if (points_max < kPointsMin || points_max > kPointsMax)
    problems.push_back({"points_max", "must be from 64 to 100000 points"});
  if (!seasons) return problems;
  if (seasons->day == 1)
    problems.push_back({"seasons.day", "must be 2 points or more, or 0 for none"});
  if (seasons->week > 0 && (seasons->day == 0 || seasons->week <= seasons->day))
    problems.push_back({"seasons.week", "must be longer than the shorter season"});
  return problems;
}

Forecaster::Forecaster(const Options& options) : options_(options) {
  LIMINAL_CHECK(options.validate().empty());
}

void Forecaster::learn(double value) {
  if (!is_value(value)) value = NAN;
  // Half as much again is kept before the oldest are let go, so that this costs little a point.
  if (values_.size() >= options_.points_max + options_.points_max / 2) {
    const auto spare = static_cast<std::ptrdiff_t>(values_.size() - options_.points_max);
    known_ -=
        static_cast<std::size_t>(std::count_if(values_.begin(), values_.begin() + spare, is_value));
    values_.erase(values_.begin(), values_.begin() + spare);
    first_ += static_cast<std::uint64_t>(spare);
  }
  // Twice as much as a copy just holds would be more than is ever kept.
  if (values_.size() == values_.capacity())
    values_.reserve(std::min<std::size_t>(std::max<std::size_t>(kPointsMin, 2 * values_.size()),
                                          options_.points_max + options_.points_max / 2));
  values_.push_back(value);
  if (std::isnan(value)) return;
  if (known_++ == 0) low_ = high_ = value;
  low_ = std::min(low_, value);
  high_ = std::max(high_, value);
}

Result<void> Forecaster::refit() {
  const auto kept =
      std::span(values_).last(std::min<std::size_t>(values_.size(), options_.points_max));
  const auto known = static_cast<std::size_t>(std::count_if(kept.begin(), kept.end(), is_value));
  if (known < kValuesMin) return failure(ErrorCode::kMissing, known);
  const std::uint64_t first = points() - kept.size();
  Seasons seasons;
  if (options_.seasons) {
    seasons = *options_.seasons;
  } else {
    seasons = find_seasons(prepare(kept, first, {}, Scaling::of(kept)).log);
  }
  model_ = Model::fit(kept, first, options_.horizon, seasons, options_.measure);
  measure_model();
  low_ = INFINITY;
  high_ = -INFINITY;
  for (const double value : kept) {
    if (std::isnan(value)) continue;
    low_ = std::min(low_, value);
    high_ = std::max(high_, value);
  }
  return {};
}

bool Forecaster::refit_due() const {
  if (!model_) return known_ >= kValuesMin;
  return points() >= model_->fitted_at + model_->plan.recent();
}

Result<Forecast> Forecaster::forecast(std::uint32_t horizon, std::span<const double> levels) const {
  if (!model_) return failure(ErrorCode::kUnavailable);
  if (horizon < 1 || horizon > model_->plan.horizon) return failure(ErrorCode::kOutOfRange);
  for (std::size_t i = 0; i < levels.size(); ++i) {
    if (!(levels[i] > 0 && levels[i] < 1)) return failure(ErrorCode::kOutOfRange, i);
  }
  const Model& model = *model_;
  // What the members look back to, and a gap before it with something to fill it from.
  std::size_t back = std::min(values_.size(), 2 * model.plan.reach());
  while (back < values_.size() && std::isnan(values_[values_.size() - back])) ++back;
  const auto kept = std::span(values_).last(back);
  const std::uint64_t first = points() - back;
  Forecast answer;
  if (std::none_of(kept.begin(), kept.end(), is_value)) return failure(ErrorCode::kMissing);
  const History history = model.view(kept, first);
  const double scale = model.scaling.scale;
  Scaling scaling = model.scaling;
  scaling.non_negative = scaling.non_negative && low_ >= 0;
  // Before a level shift the values stood elsewhere than the members see them.
  const double shifted = model.shift_at > 0 ? model.shift_factor : 1;
  const Bounds bounds{std::min(low_, low_ * shifted) / scale,
                      std::max(high_, high_ * shifted) / scale};
  const PerMember<Path> paths = speak(model.members, history, back, model.plan, bounds);
  answer.mean = model.standing.combine(paths, model.plan.half());
  answer.mean.resize(horizon);
  const double other = model.other_level();
  for (const double level : levels) {
    Path path(horizon);
    for (std::uint32_t h = 0; h < horizon; ++h) {
      const auto at = [&](double mean) {
        return model.spread.quantile(level, mean, h, points() + h) * scale;
      };
      path[h] = at(answer.mean[h]);
      // Wide enough for both levels.
      if (other != 1 && level < .5) path[h] = std::min(path[h], at(answer.mean[h] * other));
      if (other != 1 && level > .5) path[h] = std::max(path[h], at(answer.mean[h] * other));
      if (scaling.non_negative) path[h] = std::max(path[h], 0.);
    }
    answer.quantiles.push_back(std::move(path));
  }
  for (double& value : answer.mean) value *= scale;
  return answer;
}

std::size_t Forecaster::memory_bytes() const {
  return sizeof *this + values_.capacity() * sizeof(double) + model_bytes_;
}

void Forecaster::measure_model() {
  Writer out;
  model_->save(out);
  model_bytes_ = out.bytes().size();  // numbers dominate; vectors are as large as what they hold
}

std::uint64_t Forecaster::state_hash() const {
  Writer out;
  save(out);
  return hash64(out.bytes());
}

void Forecaster::save(Writer& out) const {
  out.put(kFormat);
  out.put(first_);
  out.put(low_);
  out.put(high_);
  out.put_varint(values_.size());
  for (const double value : values_) out.put(value);
  out.put(model_.has_value());
  if (model_) model_->save(out);
}

Result<void> Forecaster::load(Reader& in) {
  const auto format = in.get<std::uint32_t>();
  if (format != kFormat && format != kFormat1)
    return failure(in.ok() ? ErrorCode::kUnsupported : ErrorCode::kTruncated, in.position());
  Forecaster loaded(options_);
  in.get(loaded.first_);
  in.get(loaded.low_);
  in.get(loaded.high_);
  const std::uint64_t count = in.get_varint();
  if (count > in.remaining() / sizeof(double)) in.fail();
  loaded.values_.resize(in.ok() ? static_cast<std::size_t>(count) : 0);
  for (double& value : loaded.values_) {
    in.get(value);
    if (!is_value(value)) value = NAN;
  }
  loaded.known_ = static_cast<std::size_t>(
      std::count_if(loaded.values_.begin(), loaded.values_.end(), is_value));
  if (in.get<std::uint8_t>() != 0) {
    loaded.model_.emplace();
    loaded.model_->load(in, format == kFormat);
    if (in.ok() && !loaded.model_->valid(loaded.values_.size())) in.fail();
  }
  if (const auto finished = in.finish(); !finished) return finished;
  if (loaded.model_) loaded.measure_model();
  *this = std::move(loaded);
  return {};
}

}  // namespace liminal::forecast
