#pragma once

#include <memory>
#include <optional>

#include "io/csv/record_reader.hpp"

namespace liminal::csv {

/// Whether the first record names the columns.
enum class Header : std::uint8_t {
  kDetect,  ///< it does when it holds text and no number
  kPresent,
  kAbsent,
};

/// A file of rows under named or numbered columns, read row by row.
///
/// A column is called by its name in the header or by its number from 1; a name wins over a number.
/// Every row has as many fields as the first record, unless the table is ragged (series of
/// different lengths, one a row). Thread rule: one owner.
///
///     auto table = Table::open(file);
///     if (!table) return complain(table.error());
///     const auto column = table->find("requests");
///     for (;;) {
///       const auto more = table->next();
///       if (!more) return complain(more.error());
///       if (!*more) break;
///       const auto value = table->number(*column);
///     }
class Table {
 public:
  struct Options {
    Header header = Header::kDetect;
    char separator = 0;   ///< 0: found in the first line
    bool ragged = false;  ///< rows may have fewer or more fields than the first
  };

  /// Reads the header. A file without any record is a mistake (`kMissing`). The stream must outlive
  /// the table.
  [[nodiscard]] static tl::expected<Table, Mistake> open(std::istream& in, Options options);
  [[nodiscard]] static tl::expected<Table, Mistake> open(std::istream& in) {
    return open(in, Options{});
  }
  /// The same of records that are split already; of the options the separator is not looked at.
  [[nodiscard]] static tl::expected<Table, Mistake> open(std::unique_ptr<Records> records,
                                                         Options options);

  [[nodiscard]] bool has_header() const { return has_header_; }
  /// The names in the header, or "1", "2", …
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  /// The name of a column, also of one beyond the first record's.
  [[nodiscard]] std::string name(std::size_t column) const;
  /// The place of the column of this name or number.
  [[nodiscard]] std::optional<std::size_t> find(std::string_view name_or_number) const;

  /// Moves to the next row; false at the end.
  [[nodiscard]] tl::expected<bool, Mistake> next();
  [[nodiscard]] std::uint64_t line() const { return records_->line(); }
  /// The row's fields, valid until `next`.
  [[nodiscard]] const std::vector<std::string_view>& fields() const { return records_->fields(); }
  /// A field of the row, empty beyond its end.
  [[nodiscard]] std::string_view field(std::size_t column) const;
  /// A field as a number, NaN when it is missing (`csv::number`).
  [[nodiscard]] tl::expected<double, Mistake> number(std::size_t column) const;

 private:
  Table(std::unique_ptr<Records> records, Options options)
      : records_(std::move(records)), options_(options) {}

  std::unique_ptr<Records> records_;
  Options options_;
  std::vector<std::string> names_;
  bool has_header_ = false;
  bool first_waits_ = false;  ///< the first record is a row and was not given yet
};

}  // namespace liminal::csv
