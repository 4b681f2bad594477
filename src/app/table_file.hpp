#pragma once

#include <cstdio>
#include <iostream>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/time.hpp"
#include "io/csv/table.hpp"

namespace liminal::app {

/// A file of rows that a command reads; "-" is the standard input.
struct TableFile {
  std::string name;  ///< as complaints call it
  std::unique_ptr<std::istream> in;

  std::uint64_t blank = 0;  ///< lines that were passed over at its beginning
  /// Takes fields of lines of JSON that the first line does not have (json_records.hpp), as those
  /// of a log often have; null: such a line is refused.
  std::vector<std::string>* passed_over = nullptr;

  /// Whether it begins as lines of JSON objects do, blank ones passed over. Before anything was
  /// read of it.
  [[nodiscard]] bool holds_json();
};

/// Says which fields were passed over, if any were.
void tell_passed_over(const std::vector<std::string>& names, std::FILE* out);

/// Opens a file. None when it cannot be, which was then said on the error output.
[[nodiscard]] std::optional<TableFile> open_table_file(const std::string& path);

/// The file's rows as a table: of CSV, or of lines of JSON objects (json_records.hpp), where the
/// options' header and separator are not looked at. The file must outlive it.
[[nodiscard]] tl::expected<csv::Table, csv::Mistake> open_table(TableFile& file,
                                                                csv::Table::Options options = {});

/// Reads a field of a table as a time: seconds since the epoch, or RFC 3339, where a date without a
/// zone is UTC and one without a time is its midnight. Nothing for other text and outside of the
/// years 1970 to 2200.
[[nodiscard]] std::optional<EventTime> table_time(std::string_view field);

/// The first column that is called timestamp, time, datetime, date or t, in capitals or not.
[[nodiscard]] std::optional<std::size_t> time_column(std::span<const std::string> names);

}  // namespace liminal::app
