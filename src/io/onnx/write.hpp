#pragma once

#include <string>

#include "core/models/model.hpp"
#include "io/onnx/refusal.hpp"

namespace liminal::onnx {

/// A model as an ONNX file (docs/formats/model.md): standard operators only, so that any runtime
/// gives the same answers (to float rounding). `model` must be valid. The same model gives the same
/// bytes. Fails with `kUnsupported` when the file would be larger than `read` takes
/// (`kFileBytesMax`).
[[nodiscard]] Read<std::string> write(const models::Model& model);

}  // namespace liminal::onnx
