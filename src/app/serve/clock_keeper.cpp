#include "app/serve/clock_keeper.hpp"

#include <fmt/core.h>

#include <charconv>
#include <optional>
#include <string>
#include <string_view>

namespace liminal::app {
namespace {

constexpr std::string_view kClockMeta = "clock";

/// The engine's time may be ahead of the date by this much unnoticed; then it is said so often.
constexpr std::chrono::minutes kApartMax{1};
constexpr std::uint32_t kApartSeconds = 60;

/// "ENGINE_NS WALL_NS", as `save` writes it.
std::optional<shards::ClockState> parse_clock(const std::string& text) {
  std::int64_t engine = 0, wall = 0;
  const char* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, engine);
  if (first.ec != std::errc{} || first.ptr == end) return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, wall);
  if (second.ec != std::errc{} || second.ptr != end) return std::nullopt;
  return shards::ClockState{SteadyTime{Duration{engine}}, Duration{wall}};
}

std::optional<shards::ClockState> kept_by(sqlite::Store& store) {
  const auto kept = store.meta(std::string(kClockMeta));
  if (!kept || !*kept) return std::nullopt;
  return parse_clock(**kept);
}

}  // namespace

ClockKeeper::ClockKeeper(sqlite::Store& store, double scale, Log& log)
    : store_(store), log_(log), clock_(scale, kept_by(store)) {
  store_.advance(clock_.now());
}

void ClockKeeper::second() {
  follow();
  save();
}

void ClockKeeper::save() {
  const shards::ClockState state = clock_.state();
  store_.advance(state.engine);
  (void)store_.put(
      sqlite::Meta{std::string(kClockMeta),
                   fmt::format("{} {}", nanoseconds(state.engine), state.wall.count())});
}

void ClockKeeper::follow() {
  static LogSite site;
  if (const Duration step = clock_.follow(); step > Duration::zero()) {
    log_.write(
        LogLevel::kInfo, site, "clock.followed", {{"s", fmt::format("{:.3f}", seconds(step))}});
  }
  if (clock_.ahead() <= kApartMax) {
    seconds_until_apart_ = 0;
  } else if (seconds_until_apart_ > 0) {
    --seconds_until_apart_;
  } else {
    seconds_until_apart_ = kApartSeconds;
    log_.write(LogLevel::kWarning,
               site,
               "clock.apart",
               {{"ahead_s", fmt::format("{:.3f}", seconds(clock_.ahead()))}});
  }
}

}  // namespace liminal::app
