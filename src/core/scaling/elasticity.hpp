#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace liminal::scaling {

/// How well a supply of instances followed what was needed, per minute. Shares are means over
/// minutes of the part that was missing or too much, relative to what was needed; times are shares
/// of minutes.
///
/// Source: Herbst et al., "Ready for rain? A view from SPEC Research on the future of cloud
/// metrics", 2016: θ_U, θ_O, τ_U, τ_O; instability is given as instances moved a day.
struct Elasticity {
  double under_share_ratio = 0;
  double over_share_ratio = 0;
  double under_time_ratio = 0;
  double over_time_ratio = 0;
  double moves_per_day = 0;  ///< instances started or stopped
  double mean_instances = 0;
  double instance_minutes = 0;
};

/// What is ready each minute when `desired` instances were ordered: more come `delay` minutes
/// later, fewer are gone the next minute. Orders pass a stabilisation first: the largest of the
/// last `stabilisation` ones counts (1: none).
///
/// Cost: O(minutes × (delay + stabilisation)).
[[nodiscard]] std::vector<double> supply(std::span<const double> desired,
                                         std::uint32_t stabilisation,
                                         std::uint32_t delay);

/// `needed` and `ready` are equally long; `needed` is at least 1.
[[nodiscard]] Elasticity elasticity(std::span<const double> needed, std::span<const double> ready);

/// One policy's points from few to many instances.
using Curve = std::vector<Elasticity>;

/// The under-provisioned share that a curve has at this many instances, between its points
/// (logarithm over instances), at its ends theirs.
[[nodiscard]] double under_share_at(const Curve& curve, double mean_instances);

}  // namespace liminal::scaling
