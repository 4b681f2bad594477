#include "app/forecast/series_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/forecast/spacing.hpp"
#include "io/csv/number.hpp"
#include "io/csv/table.hpp"

namespace liminal::app {
namespace {

/// What can be forecast: squares of larger values do not exist.
constexpr double kValueMax = 1e300;
/// Points of one series, filled gaps included.
constexpr std::size_t kPointsMax = 10'000'000;

using Failure = tl::unexpected<std::string>;

bool is_date(std::string_view field) { return !csv::number(field) && table_time(field); }

class SeriesReader {
 public:
  SeriesReader(std::string file, csv::Table& table, const SeriesChoice& choice, bool may_be_rows)
      : file_(std::move(file)), table_(table), choice_(choice), may_be_rows_(may_be_rows) {}

  tl::expected<SeriesFile, std::string> read() {
    auto more = table_.next();
    if (!more) return fail(more.error());
    if (!*more) return Failure(fmt::format("{}: has a header and no rows", file_));
    const bool by_row = may_be_rows_ && table_.fields().size() > 2 &&
                        !csv::number(table_.field(0)) && !is_date(table_.field(0));
    return by_row ? read_rows() : read_column();
  }

 private:
  Failure fail(const csv::Mistake& mistake) const {
    return Failure(csv::text(
        mistake, file_, mistake.field == 0 ? std::string{} : table_.name(mistake.field - 1)));
  }
  Failure fail_at(std::size_t column, std::string_view what) const {
    return fail({ErrorCode::kMalformed, table_.line(), column + 1, what});
  }

  tl::expected<double, std::string> value(std::size_t column) const {
    const auto found = table_.number(column);
    if (!found) return fail(found.error());
    if (std::abs(*found) > kValueMax) return fail_at(column, "is larger than 1e300");
    return *found;
  }

  tl::expected<SeriesFile, std::string> read_rows() {
    SeriesFile file;
    file.by_row = true;
    for (;;) {
      NamedSeries series{std::string(table_.field(0)), {}, 0, 0};
      std::size_t end = 0;
      for (std::size_t i = 1; i < table_.fields().size(); ++i) {
        const auto found = value(i);
        if (!found) return Failure(found.error());
        series.values.push_back(*found);
        if (!std::isnan(*found)) end = i;
      }
      series.values.resize(end);
      file.series.push_back(std::move(series));
      const auto more = table_.next();
      if (!more) return fail(more.error());
      if (!*more) return file;
    }
  }

  /// The columns that are meant; a text when that is not clear.
  std::optional<std::string> choose() {
    const auto named = [&](const std::string& name, std::size_t& column) {
      const auto place = table_.find(name);
      if (place) column = *place;
      return place.has_value();
    };
    const auto unknown = [&](const std::string& name) {
      return fmt::format(
          "{}: has no column {}, but {}", file_, name, fmt::join(table_.names(), ", "));
    };
    if (!choice_.time.empty()) {
      timed_ = true;
      if (!named(choice_.time, time_)) return unknown(choice_.time);
    } else {
      // What is called a time and is none is a column as any other.
      const auto called = table_.has_header() ? time_column(table_.names()) : std::nullopt;
      if (called && table_time(table_.field(*called))) timed_ = true, time_ = *called;
      for (std::size_t i = 0; i < table_.fields().size() && !timed_; ++i) {
        if (is_date(table_.field(i))) timed_ = true, time_ = i;
      }
    }
    if (!choice_.column.empty()) {
      return named(choice_.column, column_) ? std::nullopt : std::optional(unknown(choice_.column));
    }
    if (table_.fields().size() == 1) return std::nullopt;
    std::size_t candidates = 0;
    for (std::size_t i = 0; i < table_.fields().size(); ++i) {
      if ((timed_ && i == time_) || !csv::number(table_.field(i))) continue;
      column_ = i;
      ++candidates;
    }
    if (candidates == 1) return std::nullopt;
    return fmt::format(
        "{}: {}; choose one with --column: {}",
        file_,
        candidates == 0 ? "has no column of numbers in its first row" : "has several columns",
        fmt::join(table_.names(), ", "));
  }

  tl::expected<SeriesFile, std::string> read_column() {
    if (const auto unclear = choose()) return Failure(*unclear);
    if (time_ == column_ && choice_.time.empty()) timed_ = false;
    NamedSeries series{table_.name(column_), {}, 0, 0};
    std::vector<double> times;
    for (;;) {
      const auto found = value(column_);
      if (!found) return Failure(found.error());
      if (series.values.size() == kPointsMax)
        return fail_at(column_, "has more than 10,000,000 values");
      series.values.push_back(*found);
      if (timed_) {
        const auto time = table_time(table_.field(time_));
        if (!time) return fail_at(time_, "is no time: RFC 3339 or seconds since the epoch");
        const double t = seconds(time->time_since_epoch());
        if (!times.empty() && t <= times.back())
          return fail_at(time_, "is not after the time before it");
        times.push_back(t);
      }
      const auto more = table_.next();
      if (!more) return fail(more.error());
      if (!*more) break;
    }
    if (times.size() > 1) {
      series.begin_s = times.front();
      series.step_s = forecast::usual_step(times);
      auto spaced = forecast::space_evenly(times, series.values, series.step_s, kPointsMax);
      if (!spaced)
        return Failure(fmt::format(
            "{}: column {} leaves gaps of more than 10,000,000 steps", file_, table_.name(time_)));
      series.values = std::move(*spaced);
    }
    SeriesFile file;
    file.series.push_back(std::move(series));
    return file;
  }

  std::string file_;
  csv::Table& table_;
  const SeriesChoice& choice_;
  const bool may_be_rows_;
  std::size_t column_ = 0, time_ = 0;
  bool timed_ = false;
};

}  // namespace

tl::expected<SeriesFile, std::string> read_series(TableFile& file, const SeriesChoice& choice) {
  // Rows of series differ in length; a table's rows do not, which is looked at per field.
  const bool may_be_rows = !file.holds_json() && choice.column.empty() && choice.time.empty();
  auto table = open_table(file, {.ragged = may_be_rows});
  if (!table) return Failure(csv::text(table.error(), file.name));
  return SeriesReader(file.name, *table, choice, may_be_rows).read();
}

}  // namespace liminal::app
