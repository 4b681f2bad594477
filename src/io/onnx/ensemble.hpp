#pragma once

#include <onnx/onnx_pb.h>

#include <span>
#include <string_view>
#include <vector>

#include "core/models/model.hpp"
#include "io/onnx/refusal.hpp"

namespace liminal::onnx {

/// Sets the nodes_* and target_* attributes of a TreeEnsembleRegressor. Nodes keep their numbers; a
/// node's cover is its hit rate.
void set_trees(::onnx::NodeProto& node, std::span<const models::Tree> trees);

/// The trees of a TreeEnsembleRegressor or TreeEnsembleClassifier, and what their leaves add to
/// each target or class.
struct Ensemble {
  struct Leaf {
    std::uint32_t tree = 0;
    std::uint32_t node = 0;
    std::int64_t target = 0;
    float weight = 0;
  };
  std::vector<models::Tree> trees;  ///< leaves' values are 0
  std::vector<Leaf> leaves;         ///< in the file's order; a leaf's targets are distinct
};

/// Reads them. `weights` is "target" or "class", as the attributes are called.
///
/// Every tree has one root; its nodes are renumbered when a child comes before its parent. Refused:
/// cycles, nodes without a way from the root, shared children, attributes of different lengths,
/// weights of nodes that are no leaves, comparisons other than <, ≤, > and ≥, doubles. A leaf that
/// is given no weight adds 0.
/// Cost: n log n.
[[nodiscard]] Read<Ensemble> read_ensemble(const ::onnx::NodeProto& node, std::string_view weights);

}  // namespace liminal::onnx
