#pragma once

#include <onnx/onnx_pb.h>

#include "core/models/model.hpp"
#include "io/onnx/refusal.hpp"

namespace liminal::onnx {

/// The version of what `write` writes: names of nodes and metadata.
inline constexpr std::string_view kFormat = "1";

/// Whether a file says that `write` wrote it.
[[nodiscard]] bool is_ours(const ::onnx::ModelProto& file);

/// Puts the metadata into metadata_props: "liminal.format", ".name", ".task", ".features",
/// ".units",
/// ".schema" (hexadecimal), ".trainer", ".line" and ".facts"; lists as JSON.
void write_metadata(const models::Metadata& metadata, ::onnx::ModelProto& file);

/// Reads them again; all must be there.
[[nodiscard]] Read<models::Metadata> read_metadata(const ::onnx::ModelProto& file);

}  // namespace liminal::onnx
