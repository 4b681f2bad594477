#pragma once

#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "app/table_file.hpp"
#include "core/novelty/source.hpp"
#include "io/csv/table.hpp"
#include "io/svg/chart.hpp"

namespace liminal::app {

/// What `liminal anomaly` was asked.
struct AnomalyOptions {
  std::vector<std::string> columns;  ///< none: every column that holds numbers
  std::string time;                  ///< none: a column called timestamp, time, date or t
  std::map<std::string, novelty::Range> ranges;
  std::vector<std::string> counters;
  double alarms_per_week = 0;
  bool plot = false;
};

/// "NAME=MIN:MAX". What is wrong is told in words.
[[nodiscard]] tl::expected<std::pair<std::string, novelty::Range>, std::string> parse_range(
    const std::string& text);

/// Judges a table row by row and writes a line of CSV for each: the time as it was read (or the
/// row's number), score, novelty, is_anomaly, and, of several columns, each one's contribution.
class Annotator {
 public:
  Annotator(AnomalyOptions options, std::FILE* out) : options_(std::move(options)), out_(out) {}

  /// What ended the run before the end of the table, in words.
  [[nodiscard]] tl::expected<void, std::string> run(TableFile& file);

  [[nodiscard]] std::uint64_t rows() const { return rows_; }
  [[nodiscard]] std::uint64_t alarms() const { return alarms_; }
  /// Rows before the row before them, which count as if no time had passed.
  [[nodiscard]] std::uint64_t late() const { return late_; }
  /// The series, what was expected of them, and the alarms; for `plot` only.
  [[nodiscard]] std::string svg(const std::string& title) const;

 private:
  struct Column {
    std::string name;
    std::size_t place = 0;
    std::uint32_t metric = 0;
    svg::Line line{};
    svg::Band band{};
  };

  [[nodiscard]] tl::expected<void, std::string> choose(const csv::Table& table);
  [[nodiscard]] tl::expected<std::size_t, std::string> column(const csv::Table& table,
                                                              const std::string& name) const;
  [[nodiscard]] tl::expected<void, std::string> row(const csv::Table& table,
                                                    const std::string& name);
  void write_header();
  void write(std::string_view time, const novelty::RowScore& score);
  void draw(double x, const novelty::RowScore& score);

  AnomalyOptions options_;
  std::FILE* out_;
  novelty::Source source_;
  novelty::RowScore score_;
  std::vector<novelty::Source::Value> values_;
  std::vector<Column> columns_;
  std::optional<std::size_t> time_;
  bool time_is_text_ = false;
  std::vector<std::pair<double, float>> marks_;
  std::uint64_t rows_ = 0, alarms_ = 0, late_ = 0;
};

}  // namespace liminal::app
