#include "app/configuration/quantity.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>

namespace liminal::app {
namespace {

struct Unit {
  std::string_view name;
  double size;
};

// Largest first, and of equal size the one that is written first.
constexpr std::array<Unit, 9> kTimes{{{"d", 86400e9},
                                      {"h", 3600e9},
                                      {"min", 60e9},
                                      {"m", 60e9},
                                      {"s", 1e9},
                                      {"ms", 1e6},
                                      {"us", 1e3},
                                      {"µs", 1e3},
                                      {"ns", 1}}};
constexpr std::array<Unit, 9> kSizes{{{"TiB", 0x1p40},
                                      {"GiB", 0x1p30},
                                      {"GB", 1e9},
                                      {"MiB", 0x1p20},
                                      {"MB", 1e6},
                                      {"KiB", 0x1p10},
                                      {"KB", 1e3},
                                      {"kB", 1e3},
                                      {"B", 1}}};
constexpr double kLargest = 0x1p62;  // fits the integers of both kinds with room to spare

template <std::size_t N>
std::optional<std::int64_t> parse(std::string_view text, const std::array<Unit, N>& units) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || !(number >= 0) || number > kLargest) return std::nullopt;
  std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  while (!unit.empty() && unit.front() == ' ') unit.remove_prefix(1);
  if (unit.empty() && number == 0) return 0;
  for (const Unit& one : units) {
    if (one.name != unit) continue;
    const double value = number * one.size;
    // A part of the smallest unit is refused; a rounding error of the product is not.
    if (value > kLargest || std::abs(value - std::round(value)) > 1e-6) return std::nullopt;
    return static_cast<std::int64_t>(std::llround(value));
  }
  return std::nullopt;
}

/// The largest unit of which it is a whole number.
template <std::size_t N>
std::string format(std::uint64_t value, const std::array<Unit, N>& units, bool binary) {
  if (value == 0) return fmt::format("0 {}", binary ? "B" : "s");
  for (const Unit& unit : units) {
    const auto size = static_cast<std::uint64_t>(unit.size);
    if (binary && (size & (size - 1)) != 0) continue;  // 64000 B rather than 64 KB
    if (value % size == 0) return fmt::format("{} {}", value / size, unit.name);
  }
  return fmt::format("{} {}", value, units.back().name);
}

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
  const auto value = parse(text, kTimes);
  if (!value) return std::nullopt;
  return Duration{*value};
}

std::string format_duration(Duration duration) {
  return format(static_cast<std::uint64_t>(duration.count()), kTimes, false);
}

std::optional<Duration> parse_time_of_day(std::string_view text) {
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  for (const std::size_t place : {0U, 1U, 3U, 4U})
    if (text[place] < '0' || text[place] > '9') return std::nullopt;
  const int hour = 10 * (text[0] - '0') + text[1] - '0';
  const int minute = 10 * (text[3] - '0') + text[4] - '0';
  if (hour > 23 || minute > 59) return std::nullopt;
  return std::chrono::hours{hour} + std::chrono::minutes{minute};
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  const auto value = parse(text, kSizes);
  if (!value) return std::nullopt;
  return static_cast<std::uint64_t>(*value);
}

std::string format_bytes(std::uint64_t bytes) { return format(bytes, kSizes, true); }

}  // namespace liminal::app
