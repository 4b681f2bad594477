#pragma once

#include <cstdint>
#include <span>

namespace liminal::forecast {

/// After how many points a series repeats itself: the day and the week of an hourly load, or any
/// shorter and longer season. 0 stands for none; a week only beside a day.
struct Seasons {
  std::uint32_t day = 0;
  std::uint32_t week = 0;
  friend bool operator==(const Seasons&, const Seasons&) = default;
};

/// Finds up to two seasons by test, none when none is proven.
///
/// A candidate is a peak of the autocorrelation (lag 2 to a third of the history, the last 2,000
/// points; longer seasons in means of blocks). It is a season when successive cycles, each without
/// its own level and slope, correlate by r > .2 with r·√(4·(cycles − 1)) > 3.3: a random walk's
/// cycles are independent once their trend is gone, and have about four degrees of freedom. Among
/// the proven ones the shortest with three quarters of the largest r is the day. A week is a
/// multiple of the day at which what the day does not explain correlates best: by ρ > .25, .1 more
/// than one day earlier and later, and ρ·√(2·days·(weeks − 1)) > 3.3.
///
/// Tested: at most 2 of 200 random walks and 2 of 200 white noises show a season.
/// Cost: n²/6 multiply-adds for at most 2,000 points, .5 ms.
/// @param values  finite, gaps filled
[[nodiscard]] Seasons find_seasons(std::span<const double> values);

}  // namespace liminal::forecast
