#pragma once

#include <cstdint>
#include <span>

#include "core/models/model.hpp"

namespace liminal::models {

/// Adds the Shapley values of one tree's answer for a row to `contributions` (one a feature), and
/// returns the expectation: the mean of the leaves, each split's children weighed by their cover.
///
/// What is not known of a row is averaged in the same way (path-dependent). `columns` are the
/// row's; `feature_of[column]` says whose part a column is, so that several columns made from one
/// feature become known together.
///
/// Exact but for rounding at every depth: within 1e-12 of the largest leaf. A leaf's weight when
/// each feature is known with chance t is a product of one factor a feature, a polynomial in t; a
/// feature's Shapley value is the integral over t of what knowing it changes, which Gauss–Legendre
/// takes exactly with half as many points as a way has features. All factors are positive, so
/// nothing cancels (as it does where Lundberg's algorithm 2 takes features away from a path).
///
/// Cost: nodes × features on a way / 2, and its square. Recursion as deep as the tree, at most 512.
/// Source: the values are those of Lundberg et al., "From local explanations to global
/// understanding with explainable AI for trees", 2020; the integral is of Owen, "Multilinear
/// extensions of games", 1972; summing from the leaves up after Yu et al., "Linear TreeShap", 2022.
double add_shapley_values(const Tree& tree,
                          std::span<const float> columns,
                          std::span<const std::uint32_t> feature_of,
                          std::span<double> contributions);

}  // namespace liminal::models
