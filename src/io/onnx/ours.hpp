#pragma once

#include <onnx/onnx_pb.h>

#include "core/models/model.hpp"
#include "io/onnx/refusal.hpp"

namespace liminal::onnx {

/// Reads what `graph_of` made. What comes back may be invalid, or differ from the graph: the caller
/// checks.
[[nodiscard]] Read<models::Model> read_ours(const ::onnx::GraphProto& graph,
                                            models::Metadata metadata);

}  // namespace liminal::onnx
