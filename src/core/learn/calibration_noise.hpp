#pragma once

#include <cstdint>
#include <span>

namespace liminal::learn {

/// What `calibration_error` is exceeded by in 5 % of cases where all probabilities are right: few
/// users, or rows of one user that are right or wrong together, make it large by chance alone.
/// Infinite where the positives are of fewer than four users alike. `users` is one a row, or empty:
/// each row is then one of its own. Deterministic for a seed. Cost: n log n and 500 passes.
///
/// Source: the wild bootstrap by cluster, Cameron, Gelbach, Miller 2008, of what was said less what
/// came: under right probabilities each user's have mean zero, and are here as likely of the other
/// sign, all of them at once. Wider by as much as Student's quantile of so many users alike exceeds
/// the normal one.
[[nodiscard]] double calibration_noise(std::span<const float> probabilities,
                                       std::span<const float> labels,
                                       std::span<const std::uint64_t> users,
                                       std::uint64_t seed);

}  // namespace liminal::learn
