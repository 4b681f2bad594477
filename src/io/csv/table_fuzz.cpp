#include <cmath>
#include <sstream>

#include "core/base/check.hpp"
#include "io/csv/table.hpp"

// Whatever file is given: no crash, bounded fields, and mistakes that name their line.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liminal;
  for (const bool ragged : {false, true}) {
    std::istringstream in(std::string(reinterpret_cast<const char*>(data), size));
    auto table = csv::Table::open(in, {.ragged = ragged});
    if (!table) {
      LIMINAL_CHECK(!csv::text(table.error(), "file").empty());
      continue;
    }
    std::uint64_t line = 0;
    for (;;) {
      const auto more = table->next();
      if (!more) LIMINAL_CHECK(more.error().line > 0 && !more.error().what.empty());
      if (!more || !*more) break;
      LIMINAL_CHECK(table->line() > line);
      line = table->line();
      LIMINAL_CHECK(ragged || table->fields().size() == table->names().size());
      for (std::size_t i = 0; i <= table->fields().size(); ++i) {
        if (const auto value = table->number(i)) LIMINAL_CHECK(!std::isinf(*value));
        static_cast<void>(table->find(table->field(i)));
      }
    }
  }
  return 0;
}
