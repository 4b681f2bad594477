#include "core/forecast/spread.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/base/hash.hpp"
#include "core/base/math.hpp"

namespace liminal::forecast {
namespace {

/// How much worse the interval score of the relative scale must be for another to count: less is
/// chance, and by chance a scale is chosen that the next days do not bear out.
constexpr double kClearlyWorse = 1.25;
constexpr double kLineShare = .3;
constexpr double kDayShare = .7;
constexpr double kOwnSideShare = .75;
constexpr double kHorizonPerKernel = 12;  // a Gaussian of 4 h for 48 h
constexpr double kKernelsCut = 3;
constexpr double kDayPerKernel = 16;  // of 1.5 h for a day
constexpr double kTiny = 1e-18;
constexpr std::size_t kSamplesMax = 1280;
/// By the number of refits, 0 to 3: a judgement, since so short a back-test cannot be tested.
constexpr std::array kWiden = {2., 1.6, 1.35, 1.15};

/// By so many independent errors the size of what is to come is known.
constexpr double kErrorsEnough = 12;

/// How much farther the .975 quantile of Student's distribution lies than the Gaussian's.
/// Source: Fisher and Cornish, "The percentile points of distributions having known cumulants",
/// 1960.
double student_factor(double freedom) { return 1 + (1.2103 + 1.4396 / freedom) / freedom; }

/// A Gaussian's values at 0, 1, … up to `cut`.
std::vector<double> half_kernel(double width, std::ptrdiff_t cut) {
  std::vector<double> kernel;
  for (std::ptrdiff_t d = 0; d <= cut; ++d) {
    const double z = static_cast<double>(d) / width;
    kernel.push_back(liminal::exp(-.5 * z * z));
  }
  return kernel;
}

/// The straight line that fits weighted values best, by index from 1.
struct Line {
  double at_zero = 0, slope = 0;

  static Line fit(std::span<const double> values, std::span<const double> weights) {
    double s = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double x = static_cast<double>(i) + 1, w = weights[i];
      s += w;
      sx += w * x;
      sy += w * values[i];
      sxx += w * x * x;
      sxy += w * x * values[i];
    }
    const double d = s * sxx - sx * sx;
    if (!(s > 0)) return {};
    if (!(d > 1e-12 * s * sxx)) return {sy / s, 0};
    Line line;
    line.slope = (s * sxy - sx * sy) / d;
    line.at_zero = (sy - line.slope * sx) / s;
    return line;
  }
};

double widening_of_few(double errors) {
  return std::max(1., student_factor(std::max(errors, 1.)) / student_factor(kErrorsEnough));
}

}  // namespace

double Spread::Scale::of(double forecast) const {
  if (gamma == 0) return 1;
  return liminal::exp(gamma * liminal::log(std::max(forecast, floor)));
}

double Spread::size(std::uint32_t step, std::uint64_t place) const {
  const double v = day_.empty() ? 1 : day_[place % day_.size()];
  return sqrt(growth_[step] * v);
}

void Spread::fit(std::vector<Residual> residuals,
                 std::uint32_t horizon,
                 std::uint32_t day,
                 std::uint32_t cuts,
                 bool non_negative) {
  width_ = 1.1 * (cuts < kWiden.size() ? kWiden[cuts] : 1);
  choose_scale(residuals, horizon, day, non_negative);
  width_ *= widening_of_few(independent_errors(residuals));
}

void Spread::choose_scale(std::span<const Residual> residuals,
                          std::uint32_t horizon,
                          std::uint32_t day,
                          bool non_negative) {
  scale_ = non_negative ? kRelative : kAbsolute;
  fit_errors(residuals, horizon, day);
  if (!non_negative) return;
  Spread best = *this;
  double least = interval_score(residuals) / kClearlyWorse;
  for (const Scale& scale : {kLifted, kAbsolute}) {
    scale_ = scale;
    fit_errors(residuals, horizon, day);
    const double score = interval_score(residuals);
    if (!(score < least)) continue;
    least = score;
    best = *this;
  }
  *this = std::move(best);
}

double Spread::independent_errors(std::span<const Residual> residuals) const {
  double same = 0, next = 0, before = 0;
  std::uint64_t first = UINT64_MAX, last = 0, steps = 0;
  for (std::size_t i = 0; i < residuals.size(); ++i) {
    const Residual& r = residuals[i];
    const double u = (r.actual - r.forecast) / (scale_.of(r.forecast) * size(r.step, r.place));
    first = std::min(first, r.place);
    last = std::max(last, r.place);
    steps = std::max<std::uint64_t>(steps, r.step + 1);
    if (r.step > 0 && i > 0 && residuals[i - 1].step == r.step - 1) {
      next += r.weight * u * before;
      same += r.weight * (u * u + before * before) / 2;
    }
    before = u;
  }
  if (residuals.empty()) return 0;
  const double along = same > 0 ? std::clamp(next / same, 0., .999) : 0;
  // No longer than a path is on the average: beyond, nothing is said of them.
  const double together =
      std::min((1 + along * along) / (1 - along * along), (static_cast<double>(steps) + 1) / 2);
  return static_cast<double>(last - first + 1) / together;
}

/// Winkler's score of the 80 and the 95 % intervals: their width, and 2/α times what lies outside.
/// Source: Gneiting and Raftery, "Strictly proper scoring rules, prediction, and estimation", 2007.
double Spread::interval_score(std::span<const Residual> residuals) const {
  double sum = 0;
  for (const double alpha : {.2, .05}) {
    const double above = reach(1 - alpha / 2), below = reach(alpha / 2);
    for (const Residual& r : residuals) {
      const double unit = size(r.step, r.place) * scale_.of(r.forecast);
      const double high = r.forecast + above * unit;
      const double low = std::max(0., r.forecast - below * unit);
      const double outside = std::max(0., low - r.actual) + std::max(0., r.actual - high);
      sum += r.weight * (high - low + 2 / alpha * outside);
    }
  }
  return sum;
}

void Spread::fit_errors(std::span<const Residual> residuals,
                        std::uint32_t horizon,
                        std::uint32_t day) {
  day_.clear();
  std::vector<double> scaled, squares;
  for (const Residual& r : residuals) {
    scaled.push_back((r.actual - r.forecast) / scale_.of(r.forecast));
    squares.push_back(scaled.back() * scaled.back());
  }
  fit_growth(residuals, squares, horizon);
  if (day > 1) fit_day(residuals, squares, day);

  const std::size_t count = std::min(residuals.size(), kSamplesMax);
  std::vector<Sample> above, below, both;
  for (std::size_t k = 0; k < count; ++k) {
    // One of each part, anywhere in it: paths follow each other, and every n-th of their residuals
    // would be of a few steps only.
    const std::size_t from = k * residuals.size() / count;
    const std::size_t to = (k + 1) * residuals.size() / count;
    const std::size_t i = from + static_cast<std::size_t>(mix64(k) % (to - from));
    const Residual& r = residuals[i];
    const double u = scaled[i] / size(r.step, r.place);
    above.push_back({u, r.weight});
    below.push_back({-u, r.weight});
    both.push_back({std::abs(u), r.weight});
  }
  above_ = sorted(std::move(above));
  below_ = sorted(std::move(below));
  both_ = sorted(std::move(both));
}

void Spread::fit_growth(std::span<const Residual> residuals,
                        std::span<const double> squares,
                        std::uint32_t horizon) {
  std::vector<double> mean(horizon), weight(horizon);
  for (std::size_t i = 0; i < residuals.size(); ++i) {
    mean[residuals[i].step] += residuals[i].weight * squares[i];
    weight[residuals[i].step] += residuals[i].weight;
  }
  double sum = 0, total = 0;
  for (std::size_t h = 0; h < horizon; ++h) {
    sum += mean[h];
    total += weight[h];
    if (weight[h] > 0) mean[h] /= weight[h];
  }
  const double overall = total > 0 ? sum / total : 0;
  Line line = Line::fit(mean, weight);
  // Beyond what the back-test saw an error does not shrink, and grows as a random walk's at least.
  const auto seen = static_cast<std::size_t>(
      std::find_if(weight.rbegin(), weight.rend(), [](double w) { return w > 0; }).base() -
      weight.begin());
  const double width = std::max(1., horizon / kHorizonPerKernel);
  const auto cut = static_cast<std::ptrdiff_t>(kKernelsCut * width);
  const std::vector<double> kernel = half_kernel(width, cut);
  growth_.assign(horizon, 0);
  for (std::size_t h = 0; h < horizon; ++h) {
    const double x = static_cast<double>(h) + 1;
    const double on_line = std::max(line.at_zero + line.slope * x, .25 * overall) + kTiny;
    double near = 0, near_weight = 0;
    for (std::ptrdiff_t d = -cut; d <= cut; ++d) {
      // At the ends the last step stands for those beyond it.
      const auto at = static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(
          static_cast<std::ptrdiff_t>(h) + d, 0, static_cast<std::ptrdiff_t>(horizon) - 1));
      const double k = kernel[static_cast<std::size_t>(std::abs(d))] * weight[at];
      near += k * mean[at];
      near_weight += k;
    }
    growth_[h] = near_weight > 0
                     ? (1 - kLineShare) * near / near_weight + kLineShare * on_line + kTiny
                     : on_line;
    if (h >= seen && seen > 0) {
      const double walk = growth_[seen - 1] * x / static_cast<double>(seen);
      growth_[h] = std::max(growth_[h], walk);
    }
  }
}

void Spread::fit_day(std::span<const Residual> residuals,
                     std::span<const double> squares,
                     std::uint32_t day) {
  std::vector<double> sum(day), weight(day);
  for (std::size_t i = 0; i < residuals.size(); ++i) {
    const auto place = static_cast<std::size_t>(residuals[i].place % day);
    sum[place] += residuals[i].weight * squares[i] / growth_[residuals[i].step];
    weight[place] += residuals[i].weight;
  }
  const double width = day / kDayPerKernel;
  const auto cut = static_cast<std::ptrdiff_t>(std::min(5 * width, day / 2.));
  const std::vector<double> kernel = half_kernel(width, cut);
  std::vector<double> v(day);
  double total = 0;
  for (std::size_t i = 0; i < day; ++i) {
    double near = 0, near_weight = 0;
    for (std::ptrdiff_t d = -cut; d <= cut; ++d) {
      const auto at = static_cast<std::size_t>((static_cast<std::ptrdiff_t>(i + day) + d)) % day;
      const double k = kernel[static_cast<std::size_t>(std::abs(d))];
      near += k * sum[at];
      near_weight += k * weight[at];
    }
    v[i] = near_weight > 0 ? near / near_weight : 1;
    total += v[i];
  }
  if (!(total > 0)) return;
  for (double& value : v) value = (1 - kDayShare) + kDayShare * value * day / total;
  day_ = std::move(v);
}

Spread::Samples Spread::sorted(std::vector<Sample> weighted) {
  std::sort(weighted.begin(), weighted.end(), [](const Sample& a, const Sample& b) {
    return a.value != b.value ? a.value < b.value : a.below < b.below;
  });
  double total = 0;
  for (Sample& sample : weighted) total = sample.below += total;
  for (Sample& sample : weighted) sample.below /= total;
  return weighted;
}

double Spread::at(const Samples& samples, double level) {
  if (samples.empty()) return 0;
  const auto place =
      std::lower_bound(samples.begin(), samples.end(), level, [](const Sample& sample, double q) {
        return sample.below < q;
      });
  return place == samples.end() ? samples.back().value : place->value;
}

double Spread::reach(double level) const {
  const bool upper = level >= .5;
  const double own = upper ? level : 1 - level;
  const double q = kOwnSideShare * at(upper ? above_ : below_, own) +
                   (1 - kOwnSideShare) * at(both_, 2 * own - 1);
  return width_ * q;
}

double Spread::quantile(double level,
                        double forecast,
                        std::uint32_t step,
                        std::uint64_t place) const {
  const double distance = reach(level) * size(step, place) * scale_.of(forecast);
  return level >= .5 ? forecast + distance : forecast - distance;
}

void Spread::save(Writer& out) const {
  out.put(scale_.gamma);
  out.put(scale_.floor);
  out.put(width_);
  for (const auto* numbers : {&growth_, &day_}) {
    out.put_varint(numbers->size());
    for (const double number : *numbers) out.put(number);
  }
  for (const Samples* samples : {&above_, &below_, &both_}) {
    out.put_varint(samples->size());
    for (const Sample& sample : *samples) {
      out.put(sample.value);
      out.put(sample.below);
    }
  }
}

void Spread::load(Reader& in, bool floored) {
  in.get(scale_.gamma);
  scale_.floor = floored ? in.get<double>() : kRelative.floor;
  // Below nothing a scale has no size; NaN compares false.
  if (!(scale_.floor > 0 && std::isfinite(scale_.floor))) in.fail();
  in.get(width_);
  const auto count = [&](std::size_t bytes) {
    const std::uint64_t found = in.get_varint();
    if (found > in.remaining() / bytes) in.fail();
    return in.ok() ? static_cast<std::size_t>(found) : 0;
  };
  for (auto* numbers : {&growth_, &day_}) {
    numbers->resize(count(sizeof(double)));
    for (double& number : *numbers) in.get(number);
  }
  for (Samples* samples : {&above_, &below_, &both_}) {
    samples->resize(count(sizeof(Sample)));
    for (Sample& sample : *samples) {
      in.get(sample.value);
      in.get(sample.below);
    }
  }
}

}  // namespace liminal::forecast
