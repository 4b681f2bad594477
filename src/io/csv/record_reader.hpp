#pragma once

#include <cstdint>
#include <istream>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "core/base/result.hpp"

namespace liminal::csv {

/// What is wrong with a file, and where. Does not allocate: `what` is a text of the program.
struct Mistake {
  ErrorCode code = ErrorCode::kMalformed;
  std::uint64_t line = 0;   ///< counted from 1; 0 means the file as a whole
  std::uint64_t field = 0;  ///< counted from 1; 0 means the line as a whole
  std::string_view what;    ///< "is no number"
  friend bool operator==(const Mistake&, const Mistake&) = default;
};

/// Writes `FILE:LINE: column NAME WHAT`, without the parts that are not known.
[[nodiscard]] std::string text(const Mistake& mistake,
                               std::string_view file,
                               std::string_view column = {});

/// Rows of fields, one at a time, from whatever a table is read from.
class Records {
 public:
  Records() = default;
  Records(const Records&) = delete;
  Records& operator=(const Records&) = delete;
  virtual ~Records() = default;

  /// Moves to the next record; false at the end, and after a mistake.
  [[nodiscard]] virtual tl::expected<bool, Mistake> next() = 0;
  /// The fields of the record, valid until `next`.
  [[nodiscard]] virtual const std::vector<std::string_view>& fields() const = 0;
  /// The line on which the record begins, from 1.
  [[nodiscard]] virtual std::uint64_t line() const = 0;
};

/// Splits a stream of comma-separated values into records, one at a time, so that a file of any
/// length needs the memory of its longest record.
///
/// Accepts what RFC 4180 describes, and what spreadsheets and databases write beside it: comma,
/// semicolon or tab (found in the first line when not given), LF and CRLF, a byte order mark,
/// blanks around fields, quoted fields with doubled quotes and line ends inside. Blank lines are no
/// records. Refused, with line and field: a quote that is never closed, text after a closing quote,
/// NUL bytes (UTF-16, binary files), records above `kRecordBytesMax` or `kFieldsMax`.
///
/// Cost: about 5 ns a byte.
/// Source: RFC 4180, section 2.
class RecordReader final : public Records {
 public:
  static constexpr std::size_t kRecordBytesMax = 16U << 20;
  static constexpr std::size_t kFieldsMax = 100'000;

  /// The stream must outlive the reader. Separator 0 is found in the first line.
  explicit RecordReader(std::istream& in, char separator = 0);

  [[nodiscard]] tl::expected<bool, Mistake> next() override;
  [[nodiscard]] const std::vector<std::string_view>& fields() const override { return fields_; }
  [[nodiscard]] std::uint64_t line() const override { return record_line_; }
  [[nodiscard]] char separator() const { return separator_; }

 private:
  enum class State : std::uint8_t { kFieldStart, kPlain, kQuoted, kQuoteInQuoted, kAfterQuoted };
  static constexpr int kEnd = -1;

  [[nodiscard]] int take();
  [[nodiscard]] int peek();
  void fill();
  void find_separator();
  void begin_record();
  void end_field(bool quoted);
  [[nodiscard]] bool ends_record(int c);
  [[nodiscard]] tl::expected<bool, Mistake> record();
  [[nodiscard]] tl::unexpected<Mistake> mistake(ErrorCode code, std::string_view what);

  std::istream& in_;
  std::vector<char> buffer_;
  std::size_t at_ = 0;
  std::size_t filled_ = 0;
  char separator_;
  bool started_ = false;
  bool done_ = false;
  std::uint64_t line_ = 1;
  std::uint64_t record_line_ = 0;
  std::vector<char> text_;
  std::vector<std::size_t> ends_;  ///< where each field ends in `text_`
  std::vector<std::string_view> fields_;
};

}  // namespace liminal::csv
