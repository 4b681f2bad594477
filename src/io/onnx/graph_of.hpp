#pragma once

#include <onnx/onnx_pb.h>

#include "core/models/model.hpp"

namespace liminal::onnx {

/// The graph that computes a valid model by standard operators (ai.onnx 17, ai.onnx.ml 3). The same
/// model gives the same graph, byte for byte: the reader holds a file to that.
[[nodiscard]] ::onnx::GraphProto graph_of(const models::Model& model);

}  // namespace liminal::onnx
