#pragma once

#include <array>

#include "core/base/time.hpp"
#include "core/traffic/finding.hpp"

namespace liminal::detect {

/// The alarm line of each detector in its own unit (nat; deviations for the metronome), by
/// `Detector`. Chosen on the tuning half of bench/abuse; the optima are flat.
inline constexpr std::array<double, traffic::kDetectors> kLines{
    1,     // rule
    6.8,   // rate surprise, 10 s
    8.4,   // 60 s
    4,     // 300 s
    3.2,   // 900 s
    11.3,  // rate CUSUM
    8.6,   // errors
    11.2,  // repeats
    7,     // sizes
    3.4,   // reconnects
    2,     // new channels
    6,     // metronome
    5,     // ring
    11.3,  // take-over
    4.5,   // hour of day
    .5,    // population: share of the active users
    1,     // model
};

[[nodiscard]] constexpr double line(traffic::Detector detector) {
  return kLines[static_cast<std::size_t>(detector)];
}

/// What the CUSUMs are capped at: an attack that ended is forgotten in bounded time.
inline constexpr double kCusumMax = 20, kLongCusumMax = 25;

/// The decay of evidence about errors, repeats and sizes.
inline constexpr double kEvidenceSeconds = 1800;

/// The time constant of the count of new channels.
inline constexpr double kNewChannelsSeconds = 120;

/// What users do without abuse: a third of a reconnection, and half a new channel, in a window.
inline constexpr double kReconnectDispersion = 3;
inline constexpr double kNewChannelsExpected = .6, kNewChannelsDispersion = 1.5;

/// Of the day in UTC, 0–23.
[[nodiscard]] constexpr std::size_t hour_of_day(SteadyTime time) {
  constexpr Duration::rep kHour = 3'600'000'000'000;
  const Duration::rep hours = (nanoseconds(time) - (nanoseconds(time) < 0 ? kHour - 1 : 0)) / kHour;
  return static_cast<std::size_t>(((hours % 24) + 24) % 24);
}

}  // namespace liminal::detect
