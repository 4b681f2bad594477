#pragma once

#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "app/table_file.hpp"

namespace liminal::app {

/// Evenly spaced values of one name; missing ones are NaN.
struct NamedSeries {
  std::string name;
  std::vector<double> values;
  double begin_s = 0;  ///< time of the first value, seconds since the epoch, when `step_s` > 0
  double step_s = 0;   ///< between values; 0 when the file has no times
};

struct SeriesFile {
  bool by_row = false;  ///< a series is a row of the file, not a column
  std::vector<NamedSeries> series;
};

/// Which part of a file is wanted; empty names are found.
struct SeriesChoice {
  std::string column;  ///< by name or number from 1
  std::string time;    ///< a column of times: gaps between them become missing values
};

/// Reads a column of a table as a series, or every row of a file of CSV whose rows are series (a
/// name, then values, as M4 has them; told by its first row, when no column is named).
///
/// Without a named column there must be just one that is no time. A column of dates is found by
/// itself, one of seconds when it is called a time (`time_column`). Steps are the median distance
/// of the times; a row later than one step leaves missing values between. Values missing at the end
/// of a row are its end.
///
/// A failure is a text for the user that names file, line and column.
[[nodiscard]] tl::expected<SeriesFile, std::string> read_series(TableFile& file,
                                                                const SeriesChoice& choice);

}  // namespace liminal::app
