#include "io/csv/number.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace liminal::csv {
namespace {

bool same_word(std::string_view field, std::string_view word) {
  return std::equal(field.begin(), field.end(), word.begin(), word.end(), [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  });
}

/// Whether a number that does not fit is too small rather than too large: its digits are read again
/// without the exponent's size mattering.
bool is_tiny(std::string_view digits) {
  const auto e = digits.find_first_of("eE");
  if (e != std::string_view::npos) return digits.substr(e + 1).starts_with('-');
  return digits.find_first_not_of("-0.") > digits.find('.');
}

}  // namespace

bool is_missing(std::string_view field) {
  if (field.empty()) return true;
  if (field.size() > 4) return false;
  for (const std::string_view word : {"nan", "na", "n/a", "null", "none", "-"}) {
    if (same_word(field, word)) return true;
  }
  return false;
}

Result<double> number(std::string_view field) {
  if (is_missing(field)) return std::numeric_limits<double>::quiet_NaN();
  if (field.size() > 1 && field.front() == '+' && field[1] != '-') field.remove_prefix(1);
  double value = 0;
  const char* end = field.data() + field.size();
  const auto [stop, error] = std::from_chars(field.data(), end, value);
  if (stop != end || error == std::errc::invalid_argument) return failure(ErrorCode::kMalformed);
  if (error == std::errc::result_out_of_range) {
    if (is_tiny(field)) return 0.;
    return failure(ErrorCode::kOutOfRange);
  }
  if (!std::isfinite(value)) return failure(ErrorCode::kOutOfRange);
  return value;
}

}  // namespace liminal::csv
