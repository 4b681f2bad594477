#include <onnx/onnx_pb.h>

#include <cstdint>

#include "core/base/check.hpp"
#include "io/onnx/front.hpp"

// Whatever file is given: no crash; a refusal has a text; what comes is a file that has a front.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liminal;
  const std::string_view file(reinterpret_cast<const char*>(data), size);
  for (const liminal::onnx::Front& front :
       {liminal::onnx::Front{2, {0, 1}, {0, 1}, {1, 2}},
        liminal::onnx::Front{5, {4, 2, 0}, {0, 1, 2}, {1, 2, 3}},
        liminal::onnx::Front{4, {0, 1, 2, 3}, {0, 1, 2, 3}, {1, 2, 3, 4}}}) {
    const auto made = liminal::onnx::with_front(file, front);
    if (!made) {
      LIMINAL_CHECK(!made.error().text.empty());
      continue;
    }
    ::onnx::ModelProto parsed;
    LIMINAL_CHECK(parsed.ParseFromString(*made));
    LIMINAL_CHECK(parsed.graph().node_size() > 0);
    LIMINAL_CHECK(!liminal::onnx::with_front(*made, {1, {0}, {0}, {1}}));
  }
  return 0;
}
