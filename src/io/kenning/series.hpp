#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/base/problem.hpp"

namespace liminal::kenning {

/// Rows with labels, as Kenning learns from them.
struct Series {
  std::vector<std::string> features;
  std::vector<float> values;         ///< rows × features, row-major
  std::vector<std::uint8_t> labels;  ///< one a row; above 0: an anomaly

  [[nodiscard]] std::size_t rows() const { return labels.size(); }
};

inline constexpr std::size_t kRowsMax = 1'000'000;
/// Of each class: it parts them by class into rows to learn, to choose and to judge.
inline constexpr std::size_t kOfEachClassMin = 10;

/// All that Kenning fails on, or, worse, takes without a word: an empty cell makes models that flag
/// nothing, one class alone fails after the whole time, a feature that never changes is divided by
/// its deviation of zero, and without a negative value its search fails on every configuration.
[[nodiscard]] Problems validate(const Series& series);

/// A valid series as the file that Kenning reads: a header, the row's number (it drops the first
/// column), the features, the label last (it takes whatever is last). Kenning judges a window of
/// rows by the label of the row behind it, so each row's label stands one line below the row, and
/// the last row stands there twice: with windows of one row, each row gets its own label.
[[nodiscard]] std::string csv_of(const Series& series);

}  // namespace liminal::kenning
