#include "io/svg/ticks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

namespace liminal::svg {
namespace {

/// The shortest of 1, 2 and 5 times a power of ten that is at least `step`.
double round_step(double step) {
  const double power = std::pow(10, std::floor(std::log10(step)));
  for (const double factor : {1., 2., 5.}) {
    if (factor * power >= step * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

std::string number_label(double value, double step) {
  if (value == 0) return "0";
  const double size = std::abs(value);
  if (size >= 1e7 || size < 1e-4) return fmt::format("{:.4g}", value);
  const int decimals = std::max(0, static_cast<int>(std::ceil(-std::log10(step) - 1e-9)));
  std::string label = fmt::format("{:.{}f}", value, decimals);
  // Thousands apart, by a narrow space as ISO 80000 writes them.
  const auto begin = static_cast<std::ptrdiff_t>(value < 0 ? 1 : 0);
  auto end = static_cast<std::ptrdiff_t>(label.find('.') == std::string::npos ? label.size()
                                                                              : label.find('.'));
  if (end - begin > 4) {
    for (end -= 3; end > begin; end -= 3) label.insert(static_cast<std::size_t>(end), "\u202f");
  }
  return label;
}

std::vector<Tick> multiples(double low, double high, double step) {
  std::vector<Tick> found;
  const double last = std::floor(high / step + 1e-9);
  for (double k = std::ceil(low / step - 1e-9); k <= last; ++k)
    found.push_back({k * step, number_label(k * step, step)});
  return found;
}

constexpr double kMinute = 60, kHour = 3600, kDay = 86400;
constexpr std::array kTimeSteps = {
    1.,          2.,          5.,           10.,          15.,          30.,      kMinute,
    2 * kMinute, 5 * kMinute, 10 * kMinute, 15 * kMinute, 30 * kMinute, kHour,    2 * kHour,
    3 * kHour,   6 * kHour,   12 * kHour,   kDay,         2 * kDay,     7 * kDay, 14 * kDay,
    28 * kDay,   91 * kDay,   182 * kDay,   364 * kDay};

std::string time_label(double at, double step) {
  using namespace std::chrono;
  const sys_seconds time{seconds{static_cast<std::int64_t>(std::llround(at))}};
  const auto day = floor<days>(time);
  const year_month_day date{day};
  const hh_mm_ss<seconds> clock{time - day};
  const std::string date_text = fmt::format("{:04}-{:02}-{:02}",
                                            static_cast<int>(date.year()),
                                            static_cast<unsigned>(date.month()),
                                            static_cast<unsigned>(date.day()));
  if (step >= kDay) return date_text;
  const std::string clock_text =
      step >= kMinute ? fmt::format("{:02}:{:02}", clock.hours().count(), clock.minutes().count())
                      : fmt::format("{:02}:{:02}:{:02}",
                                    clock.hours().count(),
                                    clock.minutes().count(),
                                    clock.seconds().count());
  // Midnight names its day, so that a reader of hours knows which day they are of.
  return time == day ? date_text.substr(5) + ' ' + clock_text : clock_text;
}

std::vector<Tick> times(double low, double high, int count) {
  const double wished = (high - low) / count;
  const auto place = std::find_if(
      kTimeSteps.begin(), kTimeSteps.end(), [&](double step) { return step >= wished; });
  const double step = place == kTimeSteps.end() ? kDay * round_step(wished / kDay) : *place;
  std::vector<Tick> found;
  const double last = std::floor(high / step + 1e-9);
  for (double k = std::ceil(low / step - 1e-9); k <= last; ++k)
    found.push_back({k * step, time_label(k * step, step)});
  return found;
}

std::vector<Tick> powers(double low, double high, int count) {
  const double decades = std::log10(high / low);
  const bool few = decades < std::max(2, count / 2);
  const double skip = std::max(1., std::ceil(decades / count));
  std::vector<Tick> found;
  for (double e = std::floor(std::log10(low)); e <= std::log10(high) + 1e-9; ++e) {
    if (std::fmod(e, skip) != 0) continue;
    for (const double factor : {1., 2., 5.}) {
      const double at = factor * std::pow(10, e);
      if (factor > 1 && !few) break;
      if (at < low * (1 - 1e-9) || at > high * (1 + 1e-9)) continue;
      found.push_back({at, number_label(at, at)});
    }
  }
  return found;
}

}  // namespace

std::vector<Tick> ticks(AxisKind kind, double low, double high, int count) {
  if (!(low < high) || !std::isfinite(high - low) || count < 1) return {};
  // So near together that steps vanish in rounding: no ticks are better than an endless loop.
  if (high - low <= 1e-12 * std::max(std::abs(low), std::abs(high))) return {};
  switch (kind) {
    case AxisKind::kNumber:
      return multiples(low, high, round_step((high - low) / count));
    case AxisKind::kTime:
      return high - low < 2 || std::max(std::abs(low), std::abs(high)) > 2.5e11
                 ? multiples(low, high, round_step((high - low) / count))
                 : times(low, high, count);
    case AxisKind::kLog:
      if (!(low > 0)) return {};
      if (high / low < 3) return multiples(low, high, round_step((high - low) / count));
      return powers(low, high, count);
  }
  return {};
}

}  // namespace liminal::svg
