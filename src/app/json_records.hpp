#pragma once

#include <istream>
#include <map>
#include <string>
#include <vector>

#include "io/csv/record_reader.hpp"

namespace liminal::app {

/// Lines of JSON objects (NDJSON) as the records of a table: first the names of the first object's
/// fields, then a record for each object, with its fields in the order of those names.
///
/// Numbers are written as the shortest text that reads back as the same number, text as it is; null
/// and what an object leaves out is empty. Lists and objects become their opening bracket, which is
/// neither a number nor missing. Blank lines are none. Refused, with the line: what is no JSON
/// object, a field that the first object does not have (unless such are passed over) or that comes
/// twice, and lines above `csv::RecordReader::kRecordBytesMax`.
class JsonRecords final : public csv::Records {
 public:
  static constexpr std::size_t kPassedOverMax = 20;

  /// The stream must outlive it. `line`: how many of its lines were read before. `passed_over`
  /// takes the names of fields that the first object does not have, the first twenty, each once;
  /// null: they are refused.
  explicit JsonRecords(std::istream& in,
                       std::uint64_t line = 0,
                       std::vector<std::string>* passed_over = nullptr)
      : in_(in), line_(line), passed_over_(passed_over) {}

  [[nodiscard]] tl::expected<bool, csv::Mistake> next() override;
  [[nodiscard]] const std::vector<std::string_view>& fields() const override { return fields_; }
  [[nodiscard]] std::uint64_t line() const override { return line_; }

 private:
  [[nodiscard]] bool read_line();
  [[nodiscard]] tl::expected<void, csv::Mistake> read_object();
  [[nodiscard]] tl::unexpected<csv::Mistake> mistake(ErrorCode code, std::string_view what);
  void pass_over(const std::string& name);
  void show(const std::vector<std::string>& texts);

  std::istream& in_;
  std::string text_;  ///< of the line
  std::uint64_t line_;
  std::vector<std::string>* passed_over_;
  std::map<std::string, std::size_t, std::less<>> places_;
  std::vector<std::string> names_, values_;
  std::vector<std::string_view> fields_;
  enum class Next : std::uint8_t { kNames, kFirst, kMore, kEnd } next_ = Next::kNames;
};

}  // namespace liminal::app
