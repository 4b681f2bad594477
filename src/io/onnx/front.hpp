#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/onnx/refusal.hpp"

namespace liminal::onnx {

/// What is done to a row of features before a model gets it: input i is
/// (features[columns[i]] − mean[i]) / deviation[i], in single precision; a feature that is NaN or
/// infinite is taken as the mean.
struct Front {
  std::size_t features = 0;            ///< of a row
  std::vector<std::int64_t> columns;   ///< one an input, below `features`
  std::vector<float> mean, deviation;  ///< one an input; deviations are not 0
};

/// A model with a front before its graph: its input keeps its name and takes rows of `features`
/// values. For models that were trained on standardised values and do not hold by which.
///
/// The file must have one input of floats, calls × `columns.size()`, and operators of ONNX 9 or
/// later; else `kUnsupported` in words, as for a file that has a front already.
[[nodiscard]] Read<std::string> with_front(std::string_view bytes, const Front& front);

}  // namespace liminal::onnx
