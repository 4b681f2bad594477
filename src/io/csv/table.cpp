#include "io/csv/table.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "io/csv/number.hpp"

namespace liminal::csv {
namespace {

/// Numbers and dates begin with a digit, a sign or a point; names of columns do not.
bool is_value(std::string_view field) {
  if (is_missing(field)) return false;
  const char c = field.front();
  return (c >= '0' && c <= '9') || csv::number(field).has_value();
}

bool is_header(const std::vector<std::string_view>& fields) {
  return std::none_of(fields.begin(), fields.end(), is_value) &&
         !std::all_of(fields.begin(), fields.end(), is_missing);
}

}  // namespace

tl::expected<Table, Mistake> Table::open(std::istream& in, Options options) {
  return open(std::make_unique<RecordReader>(in, options.separator), options);
}

tl::expected<Table, Mistake> Table::open(std::unique_ptr<Records> records, Options options) {
  Table table(std::move(records), options);
  const auto first = table.records_->next();
  if (!first) return tl::unexpected<Mistake>(first.error());
  if (!*first) return tl::unexpected<Mistake>(Mistake{ErrorCode::kMissing, 0, 0, "is empty"});
  const auto& fields = table.records_->fields();
  table.has_header_ = options.header == Header::kPresent ||
                      (options.header == Header::kDetect && is_header(fields));
  table.first_waits_ = !table.has_header_;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    table.names_.push_back(table.has_header_ ? std::string(fields[i]) : std::to_string(i + 1));
  }
  return table;
}

std::string Table::name(std::size_t column) const {
  if (column < names_.size() && !names_[column].empty()) return names_[column];
  return std::to_string(column + 1);
}

std::optional<std::size_t> Table::find(std::string_view name_or_number) const {
  const auto named = std::find(names_.begin(), names_.end(), name_or_number);
  if (named != names_.end()) return static_cast<std::size_t>(named - names_.begin());
  std::size_t number = 0;
  const char* end = name_or_number.data() + name_or_number.size();
  const auto [stop, error] = std::from_chars(name_or_number.data(), end, number);
  if (error != std::errc{} || stop != end || number == 0 || number > names_.size())
    return std::nullopt;
  return number - 1;
}

tl::expected<bool, Mistake> Table::next() {
  if (first_waits_) {
    first_waits_ = false;
    return true;
  }
  const auto more = records_->next();
  if (!more || !*more || options_.ragged || fields().size() == names_.size()) return more;
  return tl::unexpected<Mistake>(Mistake{ErrorCode::kMalformed,
                                         line(),
                                         0,
                                         fields().size() < names_.size()
                                             ? "has fewer fields than the first line"
                                             : "has more fields than the first line"});
}

std::string_view Table::field(std::size_t column) const {
  return column < fields().size() ? fields()[column] : std::string_view{};
}

tl::expected<double, Mistake> Table::number(std::size_t column) const {
  const auto value = csv::number(field(column));
  if (value) return *value;
  return tl::unexpected<Mistake>(Mistake{value.error().code,
                                         line(),
                                         column + 1,
                                         value.error().code == ErrorCode::kOutOfRange
                                             ? "is larger than a number can be"
                                             : "is no number"});
}

}  // namespace liminal::csv
