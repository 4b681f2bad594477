#include <cstdint>

#include "core/base/check.hpp"
#include "io/kenning/statistics.hpp"

// Whatever text is given: no crash; what is read is bounded and in order.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liminal;
  const auto read = kenning::read_statistics({reinterpret_cast<const char*>(data), size});
  if (!read) return 0;
  LIMINAL_CHECK(read->models.size() <= kenning::Statistics::kLinesMax);
  for (std::size_t i = 1; i < read->models.size(); ++i)
    LIMINAL_CHECK(read->models[i - 1].number <= read->models[i].number);
  return 0;
}
