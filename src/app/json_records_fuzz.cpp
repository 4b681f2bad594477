#include <cstddef>
#include <cstdint>
#include <sstream>
#include <string>

#include "app/json_records.hpp"
#include "core/base/check.hpp"

// Whatever the lines are: every record has a field for each name, and at its end the reader stays.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liminal;
  std::istringstream in(std::string(reinterpret_cast<const char*>(data), size));
  app::JsonRecords records(in);
  std::size_t names = 0;
  for (;;) {
    const auto more = records.next();
    if (!more) LIMINAL_CHECK(more.error().line > 0 && !more.error().what.empty());
    if (!more || !*more) break;
    if (names == 0) names = records.fields().size();
    LIMINAL_CHECK(names > 0 && records.fields().size() == names);
  }
  LIMINAL_CHECK(records.next() == false);
  return 0;
}
