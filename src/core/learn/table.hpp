#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/base/problem.hpp"

namespace liminal::learn {

/// One column of training data. With levels it is a category, whose values are the places of its
/// levels (0, 1, …).
struct Feature {
  std::string name;
  std::string unit;
  std::vector<std::string> levels;

  [[nodiscard]] bool category() const { return !levels.empty(); }
};

/// Training data. What is empty beside `values` is not known: no labels (clustering, anomalies),
/// all weights 1, no times, no groups.
struct Table {
  static constexpr std::size_t kRowsMax = 10'000'000;

  std::vector<Feature> features;
  std::vector<float> values;          ///< rows × features, row-major; NaN or infinite is missing
  std::vector<float> labels;          ///< 0 or 1 for classes
  std::vector<float> weights;         ///< of a row in training, above 0
  std::vector<double> times_s;        ///< when it was; the split is then by time
  std::vector<std::uint64_t> groups;  ///< whose it is; the split is then by user

  [[nodiscard]] std::size_t rows() const {
    return features.empty() ? 0 : values.size() / features.size();
  }
  [[nodiscard]] std::span<const float> row(std::size_t index) const {
    return std::span(values).subspan(index * features.size(), features.size());
  }
  [[nodiscard]] float weight(std::size_t index) const {
    return weights.empty() ? 1.F : weights[index];
  }
  /// The group of a row whose user is not known: one of its own.
  [[nodiscard]] static std::uint64_t group_of_its_own(std::size_t row);
  /// Makes infinite values missing (NaN): thresholds, means and other programs cannot hold them.
  void drop_infinities();
  /// Some of its rows, in the order given.
  [[nodiscard]] Table chosen(std::span<const std::uint32_t> which) const;

  /// All that keeps it from being trained on. `labelled`: labels are needed, `classes`: and must be
  /// 0 or 1, with both there.
  [[nodiscard]] Problems validate(bool labelled, bool classes) const;
};

/// Numbers of `rows` × `columns`, row-major; NaN is missing.
struct Matrix {
  std::size_t rows = 0, columns = 0;
  std::vector<float> values;

  [[nodiscard]] std::span<const float> row(std::size_t index) const {
    return std::span(values).subspan(index * columns, columns);
  }
};

}  // namespace liminal::learn
