#include "core/forecast/level_shift.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace liminal::forecast {
namespace {

constexpr double kDeviations = 5;
constexpr double kStepMin = .2;
constexpr double kSideShare = .9;
/// How far back is looked: so many days, and two seasons.
constexpr std::size_t kDaysBack = 4, kSeasonsBack = 2;
/// Before that as much must lie, to know how steady the series was.
constexpr std::size_t kDaysSteady = 5;
/// Candidates for the first look lie so many a day.
constexpr std::size_t kPlacesADay = 8;
constexpr double kMedianToDeviation = 1.4826;

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

double deviation(const std::vector<double>& values) {
  const double centre = median(values);
  std::vector<double> sizes;
  for (const double value : values) sizes.push_back(std::abs(value - centre));
  return kMedianToDeviation * median(std::move(sizes));
}

/// How the logarithm moved within a season, of values that were observed.
class Changes {
 public:
  Changes(std::span<const double> log, std::span<const double> observed, std::size_t season)
      : log_(log), observed_(observed), season_(season) {}

  /// From one season to the next.
  [[nodiscard]] std::vector<double> between(std::size_t from, std::size_t to) const {
    std::vector<double> values;
    for (std::size_t t = from; t < to; ++t) add(t, 1, 0, values);
    return values;
  }

  /// Since the last season that lies before `at`, without what `growth` a season explains.
  [[nodiscard]] std::vector<double> since(std::size_t at, double growth) const {
    std::vector<double> values;
    for (std::size_t t = at; t < log_.size(); ++t) {
      const std::size_t seasons = (t - at) / season_ + 1;
      add(t, seasons, growth * static_cast<double>(seasons), values);
    }
    return values;
  }

 private:
  void add(std::size_t t, std::size_t seasons, double less, std::vector<double>& values) const {
    const std::size_t then = t - seasons * season_;
    if (observed_[t] > 0 && observed_[then] > 0) values.push_back(log_[t] - log_[then] - less);
  }

  std::span<const double> log_, observed_;
  std::size_t season_;
};

/// A place that may part two levels.
struct Candidate {
  std::size_t at = 0;
  double step = 0;
  double contrast = 0;  ///< how far all points together lie on their own side of half the step
};

Candidate judge(const Changes& changes, std::size_t at, std::size_t day, double growth) {
  const std::vector<double> after = changes.since(at, growth);
  const std::vector<double> before = changes.between(at - day, at);
  if (after.size() < day / 2 || before.size() < day / 2) return {};
  Candidate found{at, median(after), 0};
  const double half = std::abs(found.step) / 2, sign = found.step < 0 ? -1 : 1;
  const auto side = [&](double value) { return std::clamp(value * sign - half, -half, half); };
  for (const double value : after) found.contrast += side(value);
  for (const double value : before) found.contrast -= side(value - growth);
  return found;
}

/// The place that parts low from high best: first among some of each day, then next to it.
Candidate best_place(
    const Changes& changes, std::size_t first, std::size_t last, std::size_t day, double growth) {
  Candidate best;
  const auto look = [&](std::size_t from, std::size_t to, std::size_t stride) {
    for (std::size_t at = from; at <= to; at += stride) {
      const Candidate found = judge(changes, at, day, growth);
      if (found.contrast > best.contrast) best = found;
    }
  };
  const std::size_t stride = std::max<std::size_t>(1, day / kPlacesADay);
  look(first, last, stride);
  if (best.at > 0)
    look(std::max(first, best.at - stride + 1), std::min(last, best.at + stride - 1), 1);
  return best;
}

/// Without a week, the days of one may differ: whether the level moved like this, for a day,
/// before.
bool happened_before(const Changes& changes,
                     std::size_t from,
                     std::size_t to,
                     std::size_t day,
                     double growth,
                     double step) {
  for (std::size_t at = from; at + day <= to; at += std::max<std::size_t>(1, day / kPlacesADay)) {
    const std::vector<double> moved = changes.between(at, at + day);
    if (moved.size() >= day / 2 && (median(moved) - growth) / step > .5) return true;
  }
  return false;
}

}  // namespace

std::optional<LevelShift> find_level_shift(std::span<const double> log,
                                           std::span<const double> observed,
                                           Seasons seasons) {
  const std::size_t n = log.size(), day = seasons.day;
  const std::size_t season = seasons.week > 0 ? seasons.week : day;
  if (day == 0 || n < season + (kDaysBack + kDaysSteady) * day) return std::nullopt;
  const std::size_t first =
      std::max(season + kDaysSteady * day,
               n - std::min(n, std::max(kDaysBack * day, kSeasonsBack * season)));
  const Changes changes(log, observed, season);
  const std::vector<double> steady = changes.between(season, first);
  if (steady.size() < 2 * day) return std::nullopt;
  const double growth = median(steady), spread = deviation(steady);

  const Candidate best = best_place(changes, first, n - day, day, growth);
  if (best.at == 0) return std::nullopt;
  // Over several seasons more than one's chance adds up.
  const double seasons_since = static_cast<double>((n - 1 - best.at) / season + 1);
  if (std::abs(best.step) < std::max(kStepMin, kDeviations * spread * std::sqrt(seasons_since)))
    return std::nullopt;
  const std::vector<double> before = changes.between(best.at - day, best.at);
  if (std::abs(median(before) - growth) > .25 * std::abs(best.step)) return std::nullopt;
  if (season == day && happened_before(changes, season, best.at, day, growth, best.step))
    return std::nullopt;
  const std::vector<double> after = changes.since(best.at, growth);
  const auto beyond = std::count_if(
      after.begin(), after.end(), [&](double value) { return value / best.step > .5; });
  if (static_cast<double>(beyond) < kSideShare * static_cast<double>(after.size()))
    return std::nullopt;
  return LevelShift{best.at, best.step};
}

}  // namespace liminal::forecast
