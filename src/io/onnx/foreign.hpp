#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/models/model.hpp"
#include "io/onnx/refusal.hpp"

/// Files that `read` does not turn into a model, which somebody else computes: only what is said
/// beside the graph is read and written here.
namespace liminal::onnx {

/// Larger files of others are refused.
inline constexpr std::size_t kForeignBytesMax = std::size_t{256} << 20;

/// What `describe` put into a file; none when nobody did. Walks over the file's outermost parts and
/// parses its metadata alone (at most 16 MiB of them). Fails with `kBroken` when it is no message.
[[nodiscard]] Read<std::optional<models::Metadata>> description_of(std::string_view file);

/// The file with metadata put at its end, in the place of those that it had from here. Everything
/// else stays as it is, to the byte. Fails with `kBroken` when it is no message, with
/// `kUnsupported` when it would be larger than `kForeignBytesMax`.
[[nodiscard]] Read<std::string> describe(std::string_view file, const models::Metadata& metadata);

}  // namespace liminal::onnx
