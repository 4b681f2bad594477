#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/codec.hpp"

namespace liminal::forecast {

/// What is usual at each place of the day, and of the week when it has one: level + mean by place
/// of the day + deviation by place of the week, the latter shrunk by one mean point's weight, so
/// that few weeks say little. "Day" and "week" stand for any short and long season.
class Profile {
 public:
  /// @param first    the absolute number of the first point: places are numbers modulo the season
  /// @param weights  one a point, ≥ 0; points of weight 0 count nowhere
  /// @param week     0 for none
  void fit(std::span<const double> series,
           std::span<const double> weights,
           std::uint64_t first,
           std::uint32_t day,
           std::uint32_t week);

  /// What is usual at the point of this absolute number.
  [[nodiscard]] double at(std::uint64_t point) const {
    double value = level_;
    if (!day_.empty()) value += day_[point % day_.size()];
    if (!week_.empty()) value += week_[point % week_.size()];
    return value;
  }

  void save(Writer& out) const;
  void load(Reader& in);

 private:
  double level_ = 0;
  std::vector<double> day_, week_;
};

}  // namespace liminal::forecast
