#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/learn/outcome.hpp"
#include "core/learn/search.hpp"
#include "core/models/model.hpp"

namespace liminal::training {

/// What is said of a training run beside its models.
struct RunFacts {
  std::string name;  ///< of the model
  std::string target;
  std::string negative, positive;  ///< names of the classes
  learn::Loss loss;
  learn::Objective objective = learn::Objective::kRocAuc;
  learn::Validation validation = learn::Validation::kFolds;
  std::uint64_t seed = 1;
  std::size_t rows = 0;
  double elapsed_s = 0;
  std::uint64_t schema = 0;  ///< of users' features; 0: they are a file's own
};

/// A trained predictor as a model with all that must be known to ask it: features, the texts of
/// their levels, classes, figures, intervals.
[[nodiscard]] models::Model model_of(const learn::Table& table,
                                     const learn::Outcome& outcome,
                                     const learn::Trained& trained,
                                     const RunFacts& facts);

/// The features of a table and the texts of their levels, as every model of it carries them.
void describe(const learn::Table& table, models::Metadata& metadata);

/// Half the widths of intervals around a value that hold .8, .9 and .95 of what came, by rows that
/// judge: what was said of them and their labels.
void tell_half_widths(std::span<const float> said,
                      std::span<const float> labels,
                      models::Metadata& metadata);

/// The texts that stand for a category's values 0, 1, …; empty when the feature is a number.
[[nodiscard]] std::vector<std::string> levels_of(const models::Metadata& metadata,
                                                 const std::string& feature);

}  // namespace liminal::training
