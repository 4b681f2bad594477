#pragma once

#include <string_view>

#include "core/models/model.hpp"
#include "io/onnx/refusal.hpp"

namespace liminal::onnx {

/// Larger files are refused.
inline constexpr std::size_t kFileBytesMax = std::size_t{64} << 20;

/// Reading a file of n bytes takes at most `kMemoryFactor`·n + `kMemorySlack` bytes at once, the
/// model included (a forest about 10·n).
inline constexpr std::size_t kMemoryFactor = 32;
inline constexpr std::size_t kMemorySlack = std::size_t{2} << 20;

/// Reads a model that the core can evaluate.
///
/// From a file that `write` wrote: the same model, whose answers are the same bits. The graph is
/// written again from what was read and must be the file's: so nothing in it was overlooked.
/// From others: Imputer and Scaler, then one TreeEnsembleRegressor, TreeEnsembleClassifier (of two
/// classes), LinearRegressor or LinearClassifier, then what converters put behind it (Cast,
/// Identity, Normalizer, ZipMap), as sklearn's, XGBoost's and LightGBM's converters write them. Its
/// features are called "feature_0" and so on, the trainer is the file's producer.
///
/// Anything else is `kUnsupported` and names the operator. So are files of so many small parts that
/// they would grow beyond the memory promised above; that is seen before they are parsed. What
/// comes back is valid.
[[nodiscard]] Read<models::Model> read(std::string_view bytes);

}  // namespace liminal::onnx
