#pragma once

#include <span>

#include "core/base/result.hpp"
#include "core/learn/fit.hpp"
#include "core/learn/recipe.hpp"
#include "core/learn/table.hpp"
#include "core/models/model.hpp"

namespace liminal::learn {

/// Linear regression (squared loss), logistic regression (two classes) or quantile regression with
/// an L2 penalty; the intercept is not penalised. Columns must be finite, of like scale; zeros are
/// cheap. `weights` empty: all 1. The model's inputs are left empty.
///
/// Newton's method (one step is exact for squared loss); the pinball loss by reweighted squares.
/// It asks whether to stop every 4,096 rows; what was begun is then dropped. Errors: `kUnavailable`
/// when stopped before the first step was done, `kOutOfRange` when the columns are more than
/// `models::kColumnsMax` or admit no finite solution. Cost: n·d²/2 a step (d the columns that are
/// not zero), some 8 steps.
///
/// Source: Hastie, Tibshirani, Friedman 2009, section 4.4.1; reweighting after Hunter, Lange 2000.
[[nodiscard]] Result<models::Linear> fit_linear(const Matrix& x,
                                                std::span<const float> labels,
                                                std::span<const float> weights,
                                                const Loss& loss,
                                                const LinearRecipe& recipe,
                                                const Stop& stop);

/// intercept + Σ weight·column of a row that is encoded already.
[[nodiscard]] double linear_sum(const models::Linear& model, std::span<const float> row);

}  // namespace liminal::learn
