#include "core/forecast/spread.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/base/math.hpp"

namespace liminal::forecast {
namespace {

constexpr double kForecastFloor = .02;  // of the mean level: f^γ never vanishes
constexpr double kLineShare = .3;
constexpr double kDayShare = .7;
constexpr double kOwnSideShare = .75;
constexpr double kHorizonPerKernel = 12;  // a Gaussian of 4 h for 48 h
constexpr double kKernelsCut = 3;
constexpr double kDayPerKernel = 16;  // of 1.5 h for a day
constexpr double kTiny = 1e-18;
constexpr std::size_t kSamplesMax = 2048;
/// By the number of refits, 0 to 3: a judgement, since so short a back-test cannot be tested.
constexpr std::array kWiden = {2., 1.6, 1.35, 1.15};

double gaussian(double distance, double width) {
  const double z = distance / width;
  return liminal::exp(-.5 * z * z);
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

}  // namespace

double Spread::power(double forecast) const {
  if (gamma_ == 0) return 1;
  return liminal::exp(gamma_ * liminal::log(std::max(forecast, kForecastFloor)));
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
  gamma_ = non_negative ? .85 : 0;
  width_ = 1.1 * (cuts < kWiden.size() ? kWiden[cuts] : 1);
  day_.clear();
  std::vector<double> scaled, squares;
  for (const Residual& r : residuals) {
    scaled.push_back((r.actual - r.forecast) / power(r.forecast));
    squares.push_back(scaled.back() * scaled.back());
  }
  fit_growth(residuals, squares, horizon);
  if (day > 1) fit_day(residuals, squares, day);

  const std::size_t stride = (residuals.size() + kSamplesMax - 1) / kSamplesMax;
  std::vector<Sample> above, below, both;
  for (std::size_t i = 0; i < residuals.size(); i += stride) {
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
  growth_.assign(horizon, 0);
  for (std::size_t h = 0; h < horizon; ++h) {
    const double x = static_cast<double>(h) + 1;
    const double on_line = std::max(line.at_zero + line.slope * x, .25 * overall) + kTiny;
    double near = 0, near_weight = 0;
    for (std::ptrdiff_t d = -cut; d <= cut; ++d) {
      // At the ends the last step stands for those beyond it.
      const auto at = static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(
          static_cast<std::ptrdiff_t>(h) + d, 0, static_cast<std::ptrdiff_t>(horizon) - 1));
      const double k = gaussian(static_cast<double>(d), width) * weight[at];
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
  std::vector<double> v(day);
  double total = 0;
  for (std::size_t i = 0; i < day; ++i) {
    double near = 0, near_weight = 0;
    for (std::ptrdiff_t d = -cut; d <= cut; ++d) {
      const auto at = static_cast<std::size_t>((static_cast<std::ptrdiff_t>(i + day) + d)) % day;
      const double k = gaussian(static_cast<double>(d), width);
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

double Spread::quantile(double level,
                        double forecast,
                        std::uint32_t step,
                        std::uint64_t place) const {
  const bool upper = level >= .5;
  const double own = upper ? level : 1 - level;
  const double q = kOwnSideShare * at(upper ? above_ : below_, own) +
                   (1 - kOwnSideShare) * at(both_, 2 * own - 1);
  const double distance = width_ * q * size(step, place) * power(forecast);
  return upper ? forecast + distance : forecast - distance;
}

void Spread::save(Writer& out) const {
  out.put(gamma_);
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

void Spread::load(Reader& in) {
  in.get(gamma_);
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
