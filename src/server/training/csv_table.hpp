#pragma once

#include <istream>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "core/learn/table.hpp"

namespace liminal::training {

/// What the columns of a file are for. Names or numbers from 1; empty: none.
struct CsvChoice {
  std::string target{};
  std::string time{};    ///< RFC 3339 or seconds: splits by time
  std::string group{};   ///< a user or host: splits by it; a row without one is of its own
  std::string weight{};  ///< of a row
  std::vector<std::string> ignored{};
};

struct CsvTable {
  learn::Table table;
  bool classes = false;            ///< the target has two values
  std::string negative, positive;  ///< as the file calls them
  std::vector<std::string> notes;  ///< what was left out, for a person
};

/// Columns of text become categories; one of more than `kLevelsMax` different texts is left out,
/// which a note says.
inline constexpr std::size_t kLevelsMax = 4096;

/// Reads a file of rows for training. A column is numeric when all that is not missing in it are
/// numbers. The target: two different values (of numbers the larger, of texts the later in
/// alphabetical order is the positive one) or numbers; rows without it are left out. Reads the
/// stream twice, so it must be a file. Fails with a text that names file, line and column.
[[nodiscard]] tl::expected<CsvTable, std::string> read_csv_table(std::istream& in,
                                                                 const std::string& name,
                                                                 const CsvChoice& choice);

}  // namespace liminal::training
