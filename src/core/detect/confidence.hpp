#pragma once

#include "core/traffic/finding.hpp"

namespace liminal::detect {

/// The share of findings of this detector at this score (1 = the alarm line) that were true, among
/// those of the tuning half of bench/abuse: what one finding alone is worth. Between 0 and 1.
/// Where a detector spoke too rarely to tell, the estimate is drawn to one half.
[[nodiscard]] float confidence(traffic::Detector detector, float score);

}  // namespace liminal::detect
