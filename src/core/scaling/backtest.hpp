#pragma once

#include <cstdint>
#include <vector>

#include "core/scaling/elasticity.hpp"
#include "core/scaling/service.hpp"

namespace liminal::scaling {

/// What policies would have made of a service's last week.
struct Backtest {
  struct Point {
    double setting = 0;  ///< operating point, or target utilisation
    Elasticity result;
  };
  std::uint32_t minutes = 0;          ///< played
  std::uint32_t warm_up_minutes = 0;  ///< of them not judged
  std::uint32_t delay_minutes = 0;
  double capacity = 0;        ///< load of an instance
  Point chosen;               ///< the service's own settings
  Point chosen_unstabilised;  ///< and without stabilisation: its difference is what that costs
  std::vector<Point> planned;
  std::vector<Point> planned_stabilised;  ///< the largest order of ten minutes: what it would cost
  std::vector<Point> reactive;
  std::vector<Point> reactive_stabilised;
};

/// Plays the load that a service's history keeps through the plan, from nothing known, and through
/// reactive scaling (load over capacity times target utilisation; stabilised: the largest of ten
/// orders). A missing minute counts as the one before it. kConflict with the number of minutes that
/// are needed while there are fewer; kMissing while the capacity is not known.
///
/// Cost: about 20 µs a minute, .2 s a week.
[[nodiscard]] Result<Backtest> backtest(const Service& service, const ServiceOptions& options);

}  // namespace liminal::scaling
