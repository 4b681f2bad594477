#pragma once

#include <vector>

namespace liminal::stats {

/// The middle value, of an even number the mean of the two. There must be one. Cost: linear.
[[nodiscard]] double median(std::vector<double> values);

}  // namespace liminal::stats
