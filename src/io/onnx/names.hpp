#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// What the nodes and constants of our files are called; the reader finds them by it. Those of a
/// blend's member begin with `member_prefix`.
namespace liminal::onnx::names {

inline constexpr std::string_view kFeatures = "features";  ///< the graph's input, rows × features

// From features to columns.
inline constexpr std::string_view kFinite = "finite";   ///< Add: infinite features made NaN
inline constexpr std::string_view kPick = "pick_";      ///< Gather, one a run of columns
inline constexpr std::string_view kIndexes = "index_";  ///< its constant
inline constexpr std::string_view kEncode = "encode_";  ///< LabelEncoder, after a `kPick`
inline constexpr std::string_view kPicked = "picked";   ///< Concat
inline constexpr std::string_view kFill = "fill";       ///< Imputer
inline constexpr std::string_view kScale = "scale";     ///< Scaler
inline constexpr std::string_view kLimit = "limit";
inline constexpr std::string_view kLevel = "level";
inline constexpr std::string_view kIsIndicator = "is_indicator";

// Margins, rows × 1.
inline constexpr std::string_view kTrees = "trees";
inline constexpr std::string_view kLinear = "linear";
inline constexpr std::string_view kLayer = "layer_";
inline constexpr std::string_view kWeights = "weights_";
inline constexpr std::string_view kBias = "bias_";
inline constexpr std::string_view kActivation = "activation_";
inline constexpr std::string_view kLogit = "logit";
inline constexpr std::string_view kCentroids = "centroids";
inline constexpr std::string_view kExpected = "expected";
inline constexpr std::string_view kMemberWeights = "member_weights";
inline constexpr std::string_view kSlope = "slope";
inline constexpr std::string_view kIntercept = "intercept";

inline constexpr std::string_view kLogistic = "logistic";

// The graph's outputs.
inline constexpr std::string_view kLabel = "label";
inline constexpr std::string_view kProbabilities = "probabilities";
inline constexpr std::string_view kValue = "value";
inline constexpr std::string_view kCluster = "cluster";
inline constexpr std::string_view kDistance = "distance";
inline constexpr std::string_view kScore = "score";

[[nodiscard]] inline std::string numbered(std::string_view name, std::size_t i) {
  return std::string(name) + std::to_string(i);
}

[[nodiscard]] inline std::string member_prefix(std::size_t i) {
  return "member_" + std::to_string(i) + "/";
}

}  // namespace liminal::onnx::names
