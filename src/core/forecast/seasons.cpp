#include "core/forecast/seasons.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/base/math.hpp"
#include "core/forecast/products.hpp"

namespace liminal::forecast {
namespace {

constexpr std::size_t kSearchPoints = 2000;
constexpr double kSignificance = 3.3;
constexpr double kCycleFreedom = 4;
constexpr double kCycleCorrelationMin = .2;
constexpr double kWeekCorrelationMin = .25;
constexpr double kPeakMin = .1;
constexpr double kNearlyBest = .75;

/// Takes away the straight line that fits best.
void detrend(std::span<double> values) {
  const auto n = static_cast<double>(values.size());
  const double middle = (n - 1) / 2;
  double mean = 0, slope = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    mean += values[i];
    slope += (static_cast<double>(i) - middle) * values[i];
  }
  mean /= n;
  slope = n > 1 ? slope / (n * (n * n - 1) / 12) : 0;
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] -= mean + slope * (static_cast<double>(i) - middle);
}

double correlation(std::span<const double> a, std::span<const double> b) {
  const double aa = dot(a.data(), a.data(), a.size());
  const double bb = dot(b.data(), b.data(), b.size());
  const double size = sqrt(aa * bb);
  return size > 0 ? dot(a.data(), b.data(), a.size()) / size : 0;
}

/// The mean correlation of successive cycles, each detrended by itself; the newest cycle is whole.
double cycle_correlation(std::span<const double> values, std::size_t period) {
  const std::size_t cycles = values.size() / period;
  std::vector<double> whole(values.end() - static_cast<std::ptrdiff_t>(cycles * period),
                            values.end());
  const auto cycle = [&](std::size_t c) { return std::span(whole).subspan(c * period, period); };
  double sum = 0;
  for (std::size_t c = 0; c < cycles; ++c) {
    detrend(cycle(c));
    if (c > 0) sum += correlation(cycle(c - 1), cycle(c));
  }
  return sum / static_cast<double>(cycles - 1);
}

std::vector<double> autocorrelation(std::span<const double> values, std::size_t lag_max) {
  std::vector<double> r(lag_max + 1);
  const double all = dot(values.data(), values.data(), values.size());
  if (!(all > 0)) return r;
  for (std::size_t k = 0; k <= lag_max; ++k) {
    const std::size_t count = values.size() - k;
    // Unbiased: the same over as many products as there are.
    r[k] = dot(values.data(), values.data() + k, count) / all *
           (static_cast<double>(values.size()) / static_cast<double>(count));
  }
  return r;
}

std::uint32_t find_day(std::span<const double> values) {
  const std::size_t n = values.size();
  std::vector<double> flat(values.begin(), values.end());
  detrend(flat);
  const std::vector<double> r = autocorrelation(flat, n / 3 + 1);
  struct Candidate {
    std::size_t period;
    double correlation;
  };
  std::vector<Candidate> proven;
  double best = 0;
  for (std::size_t k = 2; k <= n / 3; ++k) {
    if (!(r[k] > .1 && r[k] >= r[k - 1] && r[k] > r[k + 1])) continue;
    // Four points at least: two are nothing but their own level and slope.
    if (k < 4) continue;
    const double c = cycle_correlation(flat, k);
    const auto cycles = static_cast<double>(n / k);
    if (c < kCycleCorrelationMin || c * sqrt(kCycleFreedom * (cycles - 1)) < kSignificance)
      continue;
    proven.push_back({k, c});
    best = std::max(best, c);
  }
  for (const Candidate& candidate : proven) {
    if (candidate.correlation >= kNearlyBest * best)
      return static_cast<std::uint32_t>(candidate.period);
  }
  return 0;
}

std::uint32_t find_week(std::span<const double> values, std::uint32_t day) {
  const std::size_t n = values.size();
  std::vector<double> rest(values.begin(), values.end());
  detrend(rest);
  std::vector<double> sum(day), count(day);
  for (std::size_t i = 0; i < n; ++i) sum[i % day] += rest[i], count[i % day] += 1;
  for (std::size_t i = 0; i < n; ++i) rest[i] -= sum[i % day] / count[i % day];
  const auto at = [&](std::size_t days) {
    const std::size_t lag = days * day;
    return correlation(std::span(rest).first(n - lag), std::span(rest).subspan(lag));
  };
  std::vector<double> r{1};
  for (std::size_t days = 1; (days + 1) * day <= n / 2; ++days) r.push_back(at(days));
  std::vector<std::size_t> peaks;
  double largest = 0;
  for (std::size_t days = 2; days + 1 < r.size(); ++days) {
    if (!(r[days] > r[days - 1] + kPeakMin && r[days] > r[days + 1] + kPeakMin)) continue;
    peaks.push_back(days);
    largest = std::max(largest, r[days]);
  }
  // The shortest that is nearly the best: two weeks correlate as well as one.
  const auto place = std::find_if(peaks.begin(), peaks.end(), [&](std::size_t days) {
    return r[days] >= kNearlyBest * largest;
  });
  const std::size_t best = place == peaks.end() ? 0 : *place;
  if (best == 0 || r[best] < kWeekCorrelationMin) return 0;
  const double weeks = static_cast<double>(n) / static_cast<double>(best * day);
  if (r[best] * sqrt(2 * static_cast<double>(best) * (weeks - 1)) < kSignificance) return 0;
  return static_cast<std::uint32_t>(best * day);
}

Seasons find(std::span<const double> values) {
  Seasons seasons;
  seasons.day = find_day(values);
  if (seasons.day > 0) seasons.week = find_week(values, seasons.day);
  return seasons;
}

std::vector<double> block_means(std::span<const double> values, std::size_t block) {
  const std::size_t blocks = values.size() / block;
  std::vector<double> means(blocks);
  const auto newest = values.subspan(values.size() - blocks * block);
  for (std::size_t i = 0; i < blocks * block; ++i)
    means[i / block] += newest[i] / static_cast<double>(block);
  return means;
}

/// The exact length of a season that is known to a block: where the autocorrelation over one to
/// seven seasons is largest. The seventh multiple tells lengths apart seven times as sharply as the
/// first.
std::uint32_t refine(std::span<const double> values, std::uint32_t about, std::size_t block) {
  constexpr std::size_t kMultiplesMax = 7;
  std::vector<double> flat(values.begin(), values.end());
  detrend(flat);
  const std::size_t n = flat.size();
  const std::size_t multiples =
      std::clamp<std::size_t>(n / (2 * std::size_t{about}), 1, kMultiplesMax);
  std::size_t best = about;
  double largest = -1;
  for (std::size_t lag = about - block; lag <= about + block; ++lag) {
    double r = 0;
    for (std::size_t k = 1; k <= multiples && k * lag < n; ++k) {
      r += dot(flat.data(), flat.data() + k * lag, n - k * lag) / static_cast<double>(n - k * lag);
    }
    if (lag != about - block && r <= largest) continue;
    largest = r;
    best = lag;
  }
  return static_cast<std::uint32_t>(best);
}

}  // namespace

Seasons find_seasons(std::span<const double> values) {
  if (values.size() < 12) return {};
  const Seasons near = find(values.last(std::min(values.size(), kSearchPoints)));
  if (values.size() <= kSearchPoints) return near;
  const std::size_t block = (values.size() + kSearchPoints - 1) / kSearchPoints;
  const Seasons far = find(block_means(values, block));
  if (far.day == 0) return near;
  const auto whole = static_cast<std::uint32_t>(block);
  const std::uint32_t day = refine(values, far.day * whole, block);
  if (far.week > 0) {
    // The week in whole days, once the day's length is known exactly.
    const std::uint32_t days = (far.week + far.day / 2) / far.day;
    return {day, days * day};
  }
  if (near.day == 0 || near.day * 2 > day) return {day, near.week > day ? near.week : 0};
  return {near.day, day};
}

}  // namespace liminal::forecast
