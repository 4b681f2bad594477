#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace liminal::onnx {

/// About how many bytes an ONNX file takes once it is parsed, found by walking over it without
/// making any of it: a part of 2 bytes can become an object of 300.
///
/// Nothing when it is no message, nests deeper than 100 messages, or holds groups, which ONNX has
/// none of. Cost: linear in the file's length, no memory.
/// Source: the wire format of Protocol Buffers; which fields are messages is asked of ONNX's own
/// description of itself.
[[nodiscard]] std::optional<std::size_t> parsed_size(std::string_view file);

}  // namespace liminal::onnx
