#pragma once

#include <onnx/onnx_pb.h>

#include <string_view>

#include "io/onnx/refusal.hpp"

namespace liminal::onnx {

/// Parses a file that has a graph, within the memory that `read` promises.
[[nodiscard]] Read<::onnx::ModelProto> parse(std::string_view bytes);

}  // namespace liminal::onnx
