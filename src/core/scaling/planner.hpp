#pragma once

#include <cstdint>
#include <string_view>

#include "core/base/codec.hpp"
#include "core/base/problem.hpp"
#include "core/scaling/load_model.hpp"

namespace liminal::scaling {

/// What a plan is made from besides the load.
struct PlanOptions {
  /// The probability that the order covers the next minutes at mean load, .3 to .99999: the
  /// operating point. Higher costs instances, lower costs shortages.
  double operating_point = .99;
  std::uint32_t replicas_min = 1;
  std::uint32_t replicas_max = 1000;
};
[[nodiscard]] Problems validate(const PlanOptions& options, std::string_view at = "plan");

/// What to order and why that much.
struct Plan {
  double load = 0;      ///< what the order covers
  double forecast = 0;  ///< instances for it, before the bounds
  double now = 0;       ///< instances below which the present load would be short
  std::uint32_t replicas = 0;
};

/// The upper tail that an operating point leaves at the present load: a shortage weighs more, in
/// relation, while little runs.
[[nodiscard]] double tail_probability(const LoadModel& model, double operating_point);

/// The load to be ready for: the quantile of the peak at the operating point, at most one and a
/// half times what the week has seen.
[[nodiscard]] double load_to_cover(const LoadModel& model, double operating_point);

/// Turns one service's foretold load into an order, minute by minute.
///
/// Instances for the foretold peak, never fewer than what is needed now with a margin that grows
/// with the operating point. What the forecast asks for falls by at most three fifths of the way a
/// minute: an instance given up for a minute is missing for the whole provisioning delay.
///
/// Asked again within a minute it answers from the same past. Memory: 24 bytes.
///
/// Source: our own study (docs/benchmarks.md has method and figures).
class Planner {
 public:
  /// `load` is the present one; an instance takes `capacity` of it, above 0.
  Plan next(const LoadModel& model, double load, double capacity, const PlanOptions& options);

  void save(Writer& out) const;
  [[nodiscard]] Result<void> load(Reader& in);

 private:
  std::int64_t minute_ = 0;
  double before_ = -1, covered_ = -1;  ///< the load to cover; -1: none yet
};

}  // namespace liminal::scaling
