#pragma once

#include <onnx/onnx_pb.h>

#include "core/models/model.hpp"
#include "io/onnx/refusal.hpp"

namespace liminal::onnx {

/// Reads a chain of the classical operators, as converters write it (`read` says which). What comes
/// back may be invalid: the caller checks.
[[nodiscard]] Read<models::Model> read_plain(const ::onnx::ModelProto& file);

}  // namespace liminal::onnx
