#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "app/configuration/setting.hpp"

namespace liminal::app {

/// One table of a list of a file, as `[[detect.rules]]`, as it was written.
struct WrittenTable {
  struct Field {
    Written written;
    std::string where;
    std::uint32_t line = 0;
  };
  std::map<std::string, Field> fields;
  std::string where;
  std::uint32_t line = 0;
};

}  // namespace liminal::app
