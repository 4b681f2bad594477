#include "core/stats/reaching.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/base/math.hpp"
#include "core/stats/median.hpp"
#include "core/stats/normal.hpp"

namespace liminal::stats {
namespace {

constexpr std::size_t kDay = 144, kQuarter = 36, kHour = 6;
/// What a constant may seem to change by, in parts of it: blocks are kept as `float`.
constexpr double kRounding = 1e-6;

// What a day may reach beyond all before, in parts of what is seen of its like; the tail is that of
// a generalised Pareto distribution. Found on every second of NAB's series.
constexpr double kOfDays = 2, kOfQuarters = .47, kOfSpread = .1, kTail = .6;
/// Days that come far come together: so many count as that power of them.
constexpr double kClustered = .85;

/// A straight line leaves what is as rough as its steps are.
constexpr double kSmooth = 2;
/// Standard errors of the noise by which it may be bent.
constexpr double kBendErrors = 3.5;
/// Standard errors by which a trend must be there: along a line, and from day to day.
constexpr double kLineErrors = 5, kDayErrors = 2.5;
/// Part of the times of day that must have moved the trend's way, and how far apart thirds may be.
constexpr double kAgreeing = .9, kThirdsApart = 2;
/// Of the highest that was above a trend, what is above it when it gets there.
constexpr double kOfHighest = .7;

using Values = std::vector<double>;

double highest_of(std::span<const double> values) {
  return *std::max_element(values.begin(), values.end());
}
double lowest_of(std::span<const double> values) {
  return *std::min_element(values.begin(), values.end());
}

double mean_of(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

double variance_of(std::span<const double> values) {
  const double mean = mean_of(values);
  double sum = 0;
  for (const double value : values) sum += (value - mean) * (value - mean);
  return sum / static_cast<double>(values.size());
}

double size_of(std::span<const double> values) {
  return std::max(std::abs(highest_of(values)), std::abs(lowest_of(values)));
}

/// Mean square of the changes over so many.
double change_square(std::span<const double> values, std::size_t over) {
  double sum = 0;
  for (std::size_t i = over; i < values.size(); ++i)
    sum += (values[i] - values[i - over]) * (values[i] - values[i - over]);
  return sum / static_cast<double>(values.size() - over);
}

/// By how much the upper part of some values is above the rest.
double upper_above_rest(Values values, std::size_t upper) {
  if (values.size() <= upper) return 0;
  std::sort(values.begin(), values.end(), std::greater<>());
  const std::span<const double> all(values);
  return mean_of(all.first(upper)) - mean_of(all.subspan(upper));
}

/// By how much the upper half of some values is above the next.
double upper_above_next(Values values) {
  const std::size_t half = std::max<std::size_t>(1, values.size() / 2);
  if (values.size() <= half) return 0;
  std::sort(values.begin(), values.end(), std::greater<>());
  return mean_of(std::span<const double>(values).first(half)) - values[half];
}

/// The probability that what goes up and down reaches a limit: by how far its days came.
double by_days(
    std::span<const double> values, Values days, double blocks, double limit, double within) {
  const double top_now = highest_of(values);
  // Before a day is over its quarters are no more alike than night and noon.
  const double of_quarters = days.empty() ? 0 : kOfQuarters;
  if (days.empty()) days.push_back(top_now);
  const auto count = static_cast<double>(days.size());
  const double top = std::max(top_now, highest_of(days));
  double exceed = 0;  ///< how many days come as far, of as many as are known
  if (limit <= top) {
    for (const double day : days) exceed += day >= limit ? 1 : 0;
    exceed = exp(kClustered * log(std::max(exceed, 1.)));
  } else {
    Values quarters;
    for (std::size_t end = values.size(); end >= kQuarter; end -= kQuarter)
      quarters.push_back(highest_of(values.subspan(end - kQuarter, kQuarter)));
    const std::size_t third = std::max<std::size_t>(1, quarters.size() / 3);
    const double beyond =
        std::max({kOfDays * upper_above_next(days),
                  of_quarters * upper_above_rest(std::move(quarters), third) / count,
                  kOfSpread * sqrt(variance_of(values)) / count});
    if (beyond > 0) exceed = exp(-log1p(kTail * (limit - top) / beyond) / kTail);
  }
  return 1 - exp(exceed * log(blocks / (blocks + within)));
}

/// Where something goes for certain.
struct Course {
  double slope = 0, level = 0;  ///< in a block; now
  double slope_error = 0;
  double walk = 0;   ///< variance that a day adds
  double doubt = 0;  ///< 1: it is only just there
  Values left;       ///< what is above or below it
};

bool is_there(Course& course, double errors) {
  const double doubt = errors * course.slope_error / std::abs(course.slope);
  course.doubt = doubt * doubt;
  return doubt < 1;
}

std::optional<Course> straight(std::span<const double> values) {
  const auto n = static_cast<double>(values.size());
  const double middle = (n - 1) / 2, mean = mean_of(values);
  double xy = 0;
  for (std::size_t i = 0; i < values.size(); ++i)
    xy += (static_cast<double>(i) - middle) * values[i];
  const double xx = n * (n * n - 1) / 12;
  Course out;
  out.slope = xy / xx;
  out.level = mean + out.slope * middle;
  double squares = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    out.left.push_back(values[i] - mean - out.slope * (static_cast<double>(i) - middle));
    squares += out.left.back() * out.left.back();
  }
  const double rounding = kRounding * size_of(values);
  const double variance = squares / (n - 2);
  // A curve leaves what is smoother than noise.
  if (variance > kSmooth * change_square(out.left, 1) / 2 + rounding * rounding)
    return std::nullopt;
  const double error = sqrt(variance + rounding * rounding);
  // The Legendre polynomials of second and third degree, but for factors.
  double bend = 0, bend_size = 0, twist = 0, twist_size = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double u = (static_cast<double>(i) - middle) / middle;
    const double second = u * u - 1. / 3, third = u * (u * u - .6);
    bend += second * out.left[i], bend_size += second * second;
    twist += third * out.left[i], twist_size += third * third;
  }
  if (std::abs(bend) > kBendErrors * error * sqrt(bend_size) ||
      std::abs(twist) > kBendErrors * error * sqrt(twist_size))
    return std::nullopt;
  out.slope_error = error / sqrt(xx);
  return is_there(out, kLineErrors) ? std::optional(std::move(out)) : std::nullopt;
}

/// From each time of day to the same of the next.
std::optional<Course> from_day_to_day(std::span<const double> values) {
  if (values.size() < 2 * kDay) return std::nullopt;
  Values moves;
  for (std::size_t i = kDay; i < values.size(); ++i) moves.push_back(values[i] - values[i - kDay]);
  const double move = median(moves);
  std::size_t agreeing = 0;
  for (const double one : moves) agreeing += one * move > 0 ? 1 : 0;
  if (static_cast<double>(agreeing) < kAgreeing * static_cast<double>(moves.size()))
    return std::nullopt;
  for (std::size_t k = 0; k < 3; ++k) {
    const auto from = moves.begin() + static_cast<std::ptrdiff_t>(k * moves.size() / 3);
    const auto to = moves.begin() + static_cast<std::ptrdiff_t>((k + 1) * moves.size() / 3);
    const double part = median({from, to}) / move;
    if (!(part >= 1 / kThirdsApart && part <= kThirdsApart)) return std::nullopt;
  }
  Course out;
  constexpr auto kBlocks = static_cast<double>(kDay);
  const double days = static_cast<double>(moves.size()) / kBlocks;
  double squares = 0;
  for (const double one : moves) squares += (one - move) * (one - move);
  // A walk's changes grow with the time; those of moves have no time of day in them.
  const double short_ones = change_square(moves, kHour), long_ones = change_square(moves, kQuarter);
  constexpr double kGrowth = double{kQuarter} / kHour;
  const double walking =
      short_ones > 0 ? std::clamp((long_ones / short_ones - 1) / (kGrowth - 1), 0., 1.) : 0;
  out.walk = walking * long_ones * (kBlocks / kQuarter) / 2;
  const double rounding = kRounding * size_of(values);
  const double spread = squares / static_cast<double>(moves.size());
  out.slope = move / kBlocks;
  out.slope_error =
      sqrt(spread / 2 / (days * days) + out.walk / days + rounding * rounding) / kBlocks;
  if (!is_there(out, kDayErrors)) return std::nullopt;
  const auto last = static_cast<double>(values.size() - 1);
  for (std::size_t i = 0; i < values.size(); ++i)
    out.left.push_back(values[i] + out.slope * (last - static_cast<double>(i)));
  out.level = median({out.left.end() - static_cast<std::ptrdiff_t>(kDay), out.left.end()});
  for (double& one : out.left) one -= out.level;
  return out;
}

/// Along a line out of all that was seen before it.
std::optional<Course> departure(const Seen& seen) {
  for (std::size_t i = 0; i < kDepartures.size(); ++i) {
    const std::size_t size = kDepartures[i];
    // Of less than a day before, every morning leaves what was seen.
    if (size >= seen.values.size() || seen.blocks < static_cast<double>(size + kDay)) continue;
    const auto before = seen.values.first(seen.values.size() - size);
    const auto half = seen.values.last(size / 2);
    const double high = std::max(highest_of(before), seen.before[i].high);
    const double low = std::min(lowest_of(before), seen.before[i].low);
    if (!(lowest_of(half) > high || highest_of(half) < low)) continue;
    auto found = straight(seen.values.last(size));
    if (found && (found->slope > 0) == (lowest_of(half) > high)) return found;
  }
  return std::nullopt;
}

std::optional<Course> course_of(const Seen& seen) {
  if (auto found = from_day_to_day(seen.values)) return found;
  // What begins may be anything, and a line is the simplest.
  if (seen.blocks < 2 * kDay) {
    if (auto found = straight(seen.values)) return found;
  }
  return departure(seen);
}

}  // namespace

Reaching reaching(const Seen& seen, double limit, double within) {
  Reaching out;
  const auto course = course_of(seen);
  const double without = by_days(seen.values, seen.days, seen.blocks, limit, within);
  if (!course) {
    out.probability = without;
    return out;
  }
  const double away = limit - course->level, moved = course->slope * within;
  if (course->slope > 0) out.expected_blocks = std::max(0., away / course->slope);
  const double uncertain = within * course->slope_error;
  const double rounding = 1e-9 * course->level;
  const double error = sqrt(uncertain * uncertain + variance_of(course->left) +
                            course->walk * within / kDay + rounding * rounding);
  double gets_there = 0;
  if (course->slope > 0 || course->walk > 0) {
    const double above = course->slope > 0 ? moved + kOfHighest * highest_of(course->left) : 0;
    gets_there = error > 0 ? normal_below((above - away) / error) : (above >= away ? 1 : 0);
  }
  // And what is above it may.
  double jumps_there = 1;
  if (const double rest = away - std::max(0., moved); rest > 0) {
    const std::span<const double> left(course->left);
    Values days;
    const std::size_t parts = std::max<std::size_t>(1, left.size() / kDay);
    for (std::size_t k = 0; k < parts; ++k) {
      const std::size_t from = k * left.size() / parts, to = (k + 1) * left.size() / parts;
      days.push_back(highest_of(left.subspan(from, to - from)));
    }
    jumps_there = by_days(left, std::move(days), static_cast<double>(left.size()), rest, within);
  }
  const double with = 1 - (1 - gets_there) * (1 - jumps_there);
  out.probability = (1 - course->doubt) * with + course->doubt * without;
  return out;
}

}  // namespace liminal::stats
