#pragma once

#include <cstdint>
#include <vector>

#include "core/base/codec.hpp"
#include "core/forecast/seasons.hpp"

namespace liminal::forecast {

/// How a history of some length is fitted and tested: worked out once, from its length, the horizon
/// and the seasons. Lengths are in points.
///
/// The constants are those of an hourly series with a day and a week (Source: our own study,
/// docs/benchmarks.md); for other seasons the same pattern stands around their multiples, and what
/// a short history cannot feed is left out: the week below two of its cycles and a day, the day
/// below two and a half of its own, then lags.
struct Plan {
  std::uint32_t horizon = 0;
  Seasons seasons;
  /// Between refits of the back-test: a horizon, and more of a long history, so that how far off
  /// forecasts are is learnt at all times of the day.
  std::uint32_t block = 0;
  std::uint32_t cuts = 0;                    ///< refits of the back-test, at most 6
  std::uint32_t stride = 0;                  ///< between the origins of the back-test lately
  double memory = 400;                       ///< a point's weight is e^(−age/memory)
  std::vector<std::uint32_t> lags;           ///< for members without a profile
  std::vector<std::uint32_t> day_lags;       ///< the same without the week; empty when it has none
  std::vector<std::uint32_t> residual_lags;  ///< for what a profile leaves

  [[nodiscard]] static Plan of(std::uint64_t points, std::uint32_t horizon, Seasons seasons);

  /// The season that repeats the whole pattern; 1 without seasons.
  [[nodiscard]] std::uint32_t longest() const;
  /// The first step of the horizon's second half, which has weights of its own.
  [[nodiscard]] std::uint32_t half() const { return (horizon + 1) / 2; }
  /// What counts as lately, in points: after so many a refit is due, and by their age in such units
  /// members are believed less.
  [[nodiscard]] std::uint32_t recent() const;
  /// Between the origins of the back-test, so many points before the end: `stride` where members
  /// are judged, and before that at most 48 origins a block.
  [[nodiscard]] std::uint32_t stride_at(std::uint64_t before_end) const;
  /// Points that a forecast looks back.
  [[nodiscard]] std::size_t reach() const;

  void save(Writer& out) const;
  void load(Reader& in);
};

}  // namespace liminal::forecast
