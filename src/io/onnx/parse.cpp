#include "io/onnx/parse.hpp"

#include <optional>

#include "io/onnx/parsed_size.hpp"
#include "io/onnx/read.hpp"

namespace liminal::onnx {
namespace {

/// What a file may grow by when it is parsed. Trees grow about 6 times.
constexpr std::size_t kParsedFactor = 16;

}  // namespace

Read<::onnx::ModelProto> parse(std::string_view bytes) {
  if (bytes.size() > kFileBytesMax) return unsupported("files above 64 MiB");
  const std::optional<std::size_t> size = parsed_size(bytes);
  if (!size) return broken("it is no ONNX file");
  if (*size > kParsedFactor * bytes.size() + kMemorySlack / 2)
    return unsupported("files of so many small parts");
  ::onnx::ModelProto file;
  if (!file.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || !file.has_graph())
    return broken("it is no ONNX file");
  return file;
}

}  // namespace liminal::onnx
