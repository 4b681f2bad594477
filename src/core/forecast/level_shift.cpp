#include "core/forecast/level_shift.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/stats/median.hpp"

namespace liminal::forecast {
namespace {

using stats::median;

constexpr double kDeviations = 5;
constexpr double kStepMin = .2;
constexpr double kSideShare = .9;
/// Of a shift that is younger than a day: fewer points speak, so each of them must, and louder.
constexpr double kYoungDeviations = 10;
constexpr std::size_t kYoungPointsMin = 3, kYoungPartMin = 8;  ///< an eighth of a day
/// How far back is looked: so many days, and two seasons.
constexpr std::size_t kDaysBack = 4, kSeasonsBack = 2;
/// Before that as much must lie, to know how steady the series was.
constexpr std::size_t kDaysSteady = 5;
/// Candidates for the first look lie so many a day.
constexpr std::size_t kPlacesADay = 8;
constexpr double kMedianToDeviation = 1.4826;

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

/// The share of the values that lie beyond half the step.
double beyond_half(const std::vector<double>& values, double less, double step) {
  const auto count = std::count_if(
      values.begin(), values.end(), [&](double value) { return (value - less) / step > .5; });
  return static_cast<double>(count) / static_cast<double>(values.size());
}

/// Looks for the place that parts low from high best, in one series.
class Search {
 public:
  Search(std::span<const double> log, std::span<const double> observed, Seasons seasons)
      : points_(log.size()),
        day_(seasons.day),
        season_(seasons.week > 0 ? seasons.week : seasons.day),
        first_(std::max(
            season_ + kDaysSteady * day_,
            points_ - std::min(points_, std::max(kDaysBack * day_, kSeasonsBack * season_)))),
        changes_(log, observed, season_) {
    const std::vector<double> steady = changes_.between(season_, first_);
    if (steady.size() < 2 * day_) return;
    steady_ = true;
    growth_ = median(steady);
    spread_ = deviation(steady);
  }

  /// Where a place is looked for, and what it must show.
  struct Terms {
    std::size_t first = 0, last = 0;
    std::size_t after_min = 0;  ///< observed points since it
    double deviations = 0;      ///< that the step has at least
    double side_share = 0;      ///< of the points since it that lie beyond half the step
  };

  [[nodiscard]] std::optional<LevelShift> find(const Terms& terms) const {
    if (!steady_) return std::nullopt;
    const Candidate best = best_place(terms);
    if (best.at == 0) return std::nullopt;
    // Over several seasons more than one's chance adds up.
    const double seasons_since = static_cast<double>((points_ - 1 - best.at) / season_ + 1);
    if (std::abs(best.step) <
        std::max(kStepMin, terms.deviations * spread_ * std::sqrt(seasons_since)))
      return std::nullopt;
    const std::vector<double> before = changes_.between(best.at - day_, best.at);
    if (std::abs(median(before) - growth_) > .25 * std::abs(best.step)) return std::nullopt;
    if (season_ == day_ && happened_before(best)) return std::nullopt;
    if (beyond_half(changes_.since(best.at, growth_), 0, best.step) < terms.side_share ||
        beyond_half(before, growth_, best.step) > 1 - kSideShare)
      return std::nullopt;
    return LevelShift{best.at, best.step};
  }

  [[nodiscard]] std::size_t first() const { return first_; }

 private:
  [[nodiscard]] Candidate judge(std::size_t at, std::size_t after_min) const {
    const std::vector<double> after = changes_.since(at, growth_);
    const std::vector<double> before = changes_.between(at - day_, at);
    if (after.size() < after_min || before.size() < day_ / 2) return {};
    Candidate found{at, median(after), 0};
    const double half = std::abs(found.step) / 2, sign = found.step < 0 ? -1 : 1;
    const auto side = [&](double value) { return std::clamp(value * sign - half, -half, half); };
    for (const double value : after) found.contrast += side(value);
    for (const double value : before) found.contrast -= side(value - growth_);
    return found;
  }

  /// First among some of each day, then next to it.
  [[nodiscard]] Candidate best_place(const Terms& terms) const {
    Candidate best;
    const auto look = [&](std::size_t from, std::size_t to, std::size_t stride) {
      for (std::size_t at = from; at <= to; at += stride) {
        const Candidate found = judge(at, terms.after_min);
        if (found.contrast > best.contrast) best = found;
      }
    };
    const std::size_t stride = std::max<std::size_t>(1, day_ / kPlacesADay);
    look(terms.first, terms.last, stride);
    if (best.at > 0)
      look(std::max(terms.first, best.at - stride + 1),
           std::min(terms.last, best.at + stride - 1),
           1);
    return best;
  }

  /// Without a week, the days of one may differ: whether the level moved like this, for a day,
  /// before.
  [[nodiscard]] bool happened_before(const Candidate& one) const {
    for (std::size_t at = season_; at + day_ <= one.at;
         at += std::max<std::size_t>(1, day_ / kPlacesADay)) {
      const std::vector<double> moved = changes_.between(at, at + day_);
      if (moved.size() >= day_ / 2 && (median(moved) - growth_) / one.step > .5) return true;
    }
    return false;
  }

  std::size_t points_, day_, season_, first_;
  Changes changes_;
  bool steady_ = false;
  double growth_ = 0, spread_ = 0;
};

}  // namespace

std::optional<LevelShift> find_level_shift(std::span<const double> log,
                                           std::span<const double> observed,
                                           Seasons seasons) {
  const std::size_t n = log.size(), day = seasons.day;
  const std::size_t season = seasons.week > 0 ? seasons.week : day;
  if (day == 0 || n < season + (kDaysBack + kDaysSteady) * day) return std::nullopt;
  const Search search(log, observed, seasons);
  if (const auto lasting = search.find({.first = search.first(),
                                        .last = n - day,
                                        .after_min = day / 2,
                                        .deviations = kDeviations,
                                        .side_share = kSideShare}))
    return lasting;
  const std::size_t young_min = std::max(kYoungPointsMin, day / kYoungPartMin);
  if (young_min >= day) return std::nullopt;
  return search.find({.first = n - day + 1,
                      .last = n - young_min,
                      .after_min = young_min,
                      .deviations = kYoungDeviations,
                      .side_share = 1});
}

}  // namespace liminal::forecast
