#pragma once

#include <cstdint>
#include <span>

#include "core/forecast/backtest.hpp"
#include "core/forecast/history.hpp"
#include "core/forecast/plan.hpp"
#include "core/forecast/spread.hpp"

namespace liminal::forecast {

/// All that a refit learnt. Together with the points since, it forecasts.
struct Model {
  Plan plan;
  Scaling scaling;
  MemberModels members;
  Standing standing;
  Spread spread;
  std::uint64_t fitted_at = 0;  ///< points that had been learnt
  std::uint64_t shift_at = 0;   ///< absolute number of the first point after a level shift; 0: none
  double shift_factor = 1;      ///< what lies before it is multiplied by

  /// Fits to a history of at least one value; missing ones are NaN.
  [[nodiscard]] static Model fit(std::span<const double> values,
                                 std::uint64_t first,
                                 std::uint32_t horizon,
                                 Seasons seasons,
                                 ErrorMeasure measure);

  /// Whether the shift had lasted a day at the fit: else it may be an outage or a holiday.
  [[nodiscard]] bool shift_certain() const;
  /// What the forecast would be multiplied by to stand at the level that it does not follow, since
  /// intervals are to hold both; 1 where there is no doubt.
  [[nodiscard]] double other_level() const;

  /// The history as this model's members want it.
  [[nodiscard]] History view(std::span<const double> values, std::uint64_t first) const;

  void save(Writer& out) const;
  /// `floored`: as Spread::load has it.
  void load(Reader& in, bool floored);
  /// Whether a loaded model's parts fit each other and a history of so many points, so that it
  /// forecasts without reading outside of anything.
  [[nodiscard]] bool valid(std::size_t points) const;

 private:
  /// Whether it had lasted half a day: the members see what lies before at the new level.
  [[nodiscard]] bool shift_followed() const;
};

}  // namespace liminal::forecast
