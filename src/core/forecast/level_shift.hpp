#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "core/forecast/seasons.hpp"

namespace liminal::forecast {

/// A lasting change of level so near the end that the back-test cannot have learnt it: a migration,
/// a new customer, half the traffic moved away.
struct LevelShift {
  std::size_t at = 0;  ///< the first point at the new level
  double step = 0;     ///< of the logarithm
};

/// Looks for one within the last four days, and within the last two seasons: two weeks of a series
/// that has one. What comes after it is compared with the last season before it. The new level must
/// have lasted a day, so that an outage or a holiday is none, and stand out: what remains after the
/// season is taken away moves by five robust standard deviations (more when seasons lie between)
/// and 22 %, nine points of ten on the new side, and as many of the day before on the old one.
/// Where no week is known, what moved like this for a day before is none either: it may be a
/// weekend. At the old side the history is then moved to the new level, so that its seasons stay of
/// use.
///
/// Where there is none, looks for one of less than a day, which is not certain: an eighth of a day
/// and three points at least, each of them on the new side, and ten deviations. The history is
/// moved when it has lasted half a day; until it is certain intervals hold both levels (model.hpp).
/// These lengths are a judgement: no data of ours tell how often what lasted so long goes on.
///
/// None for a series without a day, whose members forget fast by themselves.
/// @param log       logarithms, filled
/// @param observed  0 where a value was filled
[[nodiscard]] std::optional<LevelShift> find_level_shift(std::span<const double> log,
                                                         std::span<const double> observed,
                                                         Seasons seasons);

}  // namespace liminal::forecast
