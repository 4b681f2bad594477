#include <limits>
#include <vector>

#include "core/base/check.hpp"
#include "core/models/evaluator.hpp"
#include "io/onnx/foreign.hpp"
#include "io/onnx/peak_memory.hpp"
#include "io/onnx/read.hpp"
#include "io/onnx/write.hpp"

// Whatever file is given: no crash; no more memory than promised; a refusal has a text; what is
// read can be evaluated, written and read again, and then answers the same.
// And whatever can be described says what it was described as.
namespace {

void check_description(std::string_view file) {
  using namespace liminal;
  const auto said = onnx::description_of(file);
  models::Metadata metadata;
  metadata.features = {{"a", "b"}};
  const auto described = onnx::describe(file, said && *said ? **said : metadata);
  if (!described) return;
  const auto again = onnx::description_of(*described);
  LIMINAL_CHECK(again && *again);
  if (!said || !*said) LIMINAL_CHECK(**again == metadata);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liminal;
  check_description({reinterpret_cast<const char*>(data), size});
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
  const auto written = onnx::write(*model);
  LIMINAL_CHECK(written);
  const auto again = onnx::read(*written);
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
