#pragma once

#include <vector>

#include "core/learn/fit.hpp"
#include "core/learn/material.hpp"
#include "core/models/model.hpp"

namespace liminal::learn {

/// Makes models of one kind and inputs one: margins are weighted sums, so trees and weights are,
/// too.
class Mixer {
 public:
  /// `material` is what the fits were made of.
  explicit Mixer(const Material& material) : material_(material) {}

  /// Adds the mean of some fits of one candidate, with a weight.
  void add(const std::vector<const Fit*>& fits, double weight);

  /// The blend, with its margins mapped by slope and intercept. Boosted trees alone stay trees.
  [[nodiscard]] models::Predictor finish(double slope, double intercept) &&;

 private:
  void add_sum(const models::Trees& trees, double weight);
  void add_linear(const models::Linear& linear, double weight);

  const Material& material_;
  std::vector<models::Blend::Member> members_;
  models::Trees sum_;
  double base_ = 0;
  models::Linear linear_;
};

}  // namespace liminal::learn
