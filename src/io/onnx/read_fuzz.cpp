#include <limits>
#include <vector>

#include "core/base/check.hpp"
#include "core/models/evaluator.hpp"
#include "io/onnx/peak_memory.hpp"
#include "io/onnx/read.hpp"
#include "io/onnx/write.hpp"

// Whatever file is given: no crash; no more memory than promised; a refusal has a text; what is
// read can be evaluated, written and read again, and then answers the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liminal;
  onnx::Read<models::Model> model = tl::unexpected(onnx::Refusal{});
  const std::size_t peak = onnx::testing::peak_of([&] {
    model = onnx::read({reinterpret_cast<const char*>(data), size});
  });
  LIMINAL_CHECK(peak <= onnx::kMemoryFactor * size + onnx::kMemorySlack);
  if (!model) {
    LIMINAL_CHECK(!model.error().text.empty());
    return 0;
  }
  const auto machine = models::Evaluator::create(*model);
  LIMINAL_CHECK(machine);
  const auto again = onnx::read(onnx::write(*model));
  LIMINAL_CHECK(again);
  const auto other = models::Evaluator::create(*again);
  LIMINAL_CHECK(other && other->features() == machine->features());
  for (const float value : {0.F, -3.F, 1e30F, std::numeric_limits<float>::quiet_NaN()}) {
    const std::vector<float> row(machine->features(), value);
    const models::Prediction one = machine->predict(row);
    const models::Prediction two = other->predict(row);
    LIMINAL_CHECK(one.cluster == two.cluster);
    LIMINAL_CHECK(one.score == two.score || (one.score != one.score && two.score != two.score));
  }
  return 0;
}
