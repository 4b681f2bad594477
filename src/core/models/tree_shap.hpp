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
/// Cost: leaves × depth². Recursion as deep as the tree, at most 512.
/// Source: Lundberg et al., "From local explanations to global understanding with explainable AI
/// for trees", 2020, algorithm 2.
double add_shapley_values(const Tree& tree,
                          std::span<const float> columns,
                          std::span<const std::uint32_t> feature_of,
                          std::span<double> contributions);

}  // namespace liminal::models
