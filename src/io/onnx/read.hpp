#pragma once

#include <string_view>

#include "core/models/model.hpp"
#include "io/onnx/refusal.hpp"

namespace liminal::onnx {

/// Larger files are refused.
inline constexpr std::size_t kFileBytesMax = std::size_t{256} << 20;

/// Reads a model that the core can evaluate.
///
/// From a file that `write` wrote: the same model, whose answers are the same bits. The graph is
/// written again from what was read and must be the file's: so nothing in it was overlooked.
/// From others: Imputer and Scaler, then one TreeEnsembleRegressor, TreeEnsembleClassifier (of two
/// classes), LinearRegressor or LinearClassifier, then what converters put behind it (Cast,
/// Identity, Normalizer, ZipMap), as sklearn's, XGBoost's and LightGBM's converters write them. Its
/// features are called "feature_0" and so on, the trainer is the file's producer.
///
/// Anything else is `kUnsupported` and names the operator. Bounded by the file's length; what comes
/// back is valid.
[[nodiscard]] Read<models::Model> read(std::string_view bytes);

}  // namespace liminal::onnx
