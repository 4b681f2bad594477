#include "io/kenning/series.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "core/base/check.hpp"

namespace liminal::kenning {
namespace {

void check_names(const Series& series, Problems& problems) {
  std::vector<std::string> sorted = series.features;
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end())
    problems.push_back({"features", "has a name twice"});
  for (const std::string& name : sorted) {
    if (name.empty() || name.find('\0') != std::string::npos)
      problems.push_back({"features", "has a name that no header can hold"});
  }
}

void check_column(const Series& series, std::size_t column, Problems& problems) {
  const std::size_t width = series.features.size();
  const float first = series.values[column];
  bool changes = false;
  for (std::size_t row = 0; row < series.rows(); ++row) {
    const float value = series.values[row * width + column];
    if (!std::isfinite(value)) {
      problems.push_back({series.features[column], fmt::format("is missing in row {}", row + 1)});
      return;
    }
    changes = changes || value != first;
  }
  if (!changes) problems.push_back({series.features[column], "never changes"});
}

/// Quoted where a reader of CSV would otherwise take it apart.
std::string header_of(const std::string& name) {
  if (name.find_first_of(",\"\r\n") == std::string::npos) return name;
  std::string quoted = "\"";
  for (const char c : name) {
    if (c == '"') quoted += c;
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace

Problems validate(const Series& series) {
  Problems problems;
  const std::size_t width = series.features.size();
  if (width == 0) problems.push_back({"features", "is empty"});
  if (series.values.size() != series.rows() * width)
    problems.push_back({"values", "must be one a row and feature"});
  if (series.rows() > kRowsMax)
    problems.push_back({"rows", fmt::format("must be at most {}", kRowsMax)});
  if (!problems.empty()) return problems;
  check_names(series, problems);
  const auto positives = static_cast<std::size_t>(std::count_if(
      series.labels.begin(), series.labels.end(), [](std::uint8_t label) { return label > 0; }));
  const std::size_t fewest = std::min(positives, series.rows() - positives);
  if (fewest < kOfEachClassMin) {
    problems.push_back(
        {"labels",
         fmt::format("must be at least {} of each class, not {} anomalies of {} rows",
                     kOfEachClassMin,
                     positives,
                     series.rows())});
    return problems;
  }
  for (std::size_t column = 0; column < width; ++column) check_column(series, column, problems);
  if (std::none_of(series.values.begin(), series.values.end(), [](float v) { return v < 0; }))
    problems.push_back({"values", "must be standardised: none is negative"});
  return problems;
}

std::string csv_of(const Series& series) {
  LIMINAL_CHECK(validate(series).empty());
  std::string text = "row";
  for (const std::string& name : series.features) text += ',' + header_of(name);
  text += ",label\n";
  const std::size_t width = series.features.size();
  for (std::size_t line = 0; line <= series.rows(); ++line) {
    const std::size_t row = std::min(line, series.rows() - 1);
    fmt::format_to(std::back_inserter(text), "{}", line);
    for (std::size_t column = 0; column < width; ++column)
      fmt::format_to(std::back_inserter(text), ",{}", series.values[row * width + column]);
    const bool anomaly = line > 0 && series.labels[line - 1] > 0;
    text += anomaly ? ",1\n" : ",0\n";
  }
  return text;
}

}  // namespace liminal::kenning
