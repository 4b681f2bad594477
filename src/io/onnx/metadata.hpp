#pragma once

#include <onnx/onnx_pb.h>

#include "core/models/model.hpp"
#include "io/onnx/refusal.hpp"

namespace liminal::onnx {

/// The version of what `write` writes: names of nodes and metadata.
inline constexpr std::string_view kFormat = "1";
/// Of what `describe` writes: the graph is another's.
inline constexpr std::string_view kForeignFormat = "foreign-1";

inline constexpr std::string_view kMetadataPrefix = "liminal.";
/// Most keys of it that a file may have.
inline constexpr std::size_t kMetadataKeysMax = 64;

/// What a file says that it was written by; empty when it says nothing.
[[nodiscard]] std::string_view format_of(const ::onnx::ModelProto& file);

/// Whether a file says that `write` wrote it.
[[nodiscard]] bool is_ours(const ::onnx::ModelProto& file);

/// Puts the metadata into metadata_props: "liminal.format", ".name", ".task", ".features",
/// ".units",
/// ".schema" (hexadecimal), ".trainer", ".line" and ".facts"; lists as JSON.
void write_metadata(const models::Metadata& metadata,
                    std::string_view format,
                    ::onnx::ModelProto& file);

/// Reads them again, of either format; all must be there.
[[nodiscard]] Read<models::Metadata> read_metadata(const ::onnx::ModelProto& file);

}  // namespace liminal::onnx
