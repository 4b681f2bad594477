#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/models/model.hpp"

namespace liminal::models {

/// How far an explanation can be trusted, from best to worst.
enum class Exactness : std::uint8_t {
  kExact,    ///< Shapley values of the margin
  kScaled,   ///< exact for a forest's probability, stretched by one factor to the margin's
             ///< difference
  kSampled,  ///< mean over random orders of the features
};
[[nodiscard]] std::string_view name(Exactness exactness);

/// Why a row has the margin it has: margin = expectation + Σ contributions (to 1e-9 relative).
struct Explanation {
  double margin = 0;
  double expectation = 0;             ///< of the margin, before anything is known of the row
  std::vector<double> contributions;  ///< one a feature
  Exactness exactness = Exactness::kExact;
};

struct ExplainOptions {
  /// Rows that stand for what is usual, row-major, at most 100: what sampling takes for features
  /// that are not yet known. Empty: one row of zeros in the model's columns. Where the inputs take
  /// the mean away that is the mean; of an indicator it is "another level", and of a column that is
  /// not scaled plainly 0: give rows where these count.
  std::span<const float> background;
  std::uint32_t orders = 200;  ///< random orders of the features, in pairs of one and its reverse
  std::uint64_t seed = 1;
};

/// Explains one row. Trees and isolation forests by path-dependent TreeSHAP, linear models by
/// weight·(column − mean of the background), blends by their members; networks and k-means by
/// sampling (k-means: the distance). `model` must be valid, `row` one value a feature.
///
/// Cost: trees × nodes × depth / 2 (100 trees of depth 6: under 1 ms); sampling: orders × features
/// predictions.
/// Source: `tree_shap.hpp`; Štrumbelj and Kononenko, "Explaining prediction models and
/// individual predictions with feature contributions", 2014; antithetic orders after Mitchell et
/// al., "Sampling permutations for Shapley value estimation", 2022.
[[nodiscard]] Explanation explain(const Model& model,
                                  std::span<const float> row,
                                  const ExplainOptions& options = {});

}  // namespace liminal::models
