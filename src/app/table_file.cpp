#include "app/table_file.hpp"

#include <fmt/core.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>

#include "app/json_records.hpp"
#include "io/http/message.hpp"
#include "io/json/time_text.hpp"

namespace liminal::app {
namespace {

constexpr std::array<std::string_view, 5> kTimeNames{"timestamp", "time", "datetime", "date", "t"};

}  // namespace

std::optional<TableFile> open_table_file(const std::string& path) {
  if (path == "-") {
    return TableFile{"standard input", std::make_unique<std::istream>(std::cin.rdbuf())};
  }
  auto in = std::make_unique<std::ifstream>(path, std::ios::binary);
  // A folder can be opened but not read.
  if (!*in || (in->peek(), in->bad())) {
    fmt::print(stderr, "liminal: {}: cannot be read\n", path);
    return std::nullopt;
  }
  in->clear();  // to look at an empty file is no reading of it
  return TableFile{path, std::move(in)};
}

void tell_passed_over(const std::vector<std::string>& names, std::FILE* out) {
  if (names.empty()) return;
  fmt::print(out,
             "liminal: passed over, because the first line does not have them: {}{}\n",
             fmt::join(names, ", "),
             names.size() == JsonRecords::kPassedOverMax ? " and perhaps more" : "");
}

bool TableFile::holds_json() {
  int first = in->peek();
  for (; first == '\n' || first == '\r' || first == ' ' || first == '\t'; first = in->peek())
    blank += in->get() == '\n' ? 1U : 0U;
  in->clear();
  return first == '{';
}

tl::expected<csv::Table, csv::Mistake> open_table(TableFile& file, csv::Table::Options options) {
  if (!file.holds_json()) return csv::Table::open(*file.in, options);
  options.header = csv::Header::kPresent;
  return csv::Table::open(std::make_unique<JsonRecords>(*file.in, file.blank, file.passed_over),
                          options);
}

std::optional<EventTime> table_time(std::string_view field) {
  double seconds = 0;
  const char* end = field.data() + field.size();
  if (const auto [stop, error] = std::from_chars(field.data(), end, seconds);
      stop == end && error == std::errc{}) {
    if (!(seconds >= 0 && seconds <= static_cast<double>(json::kSecondsMax))) return std::nullopt;
    return EventTime{std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds))};
  }
  if (const auto time = json::parse_time(field)) return time;
  std::string completed(field);
  if (completed.size() == std::string_view("2026-01-01").size()) completed += "T00:00:00";
  return json::parse_time(completed + 'Z');
}

std::optional<std::size_t> time_column(std::span<const std::string> names) {
  const auto found = std::find_if(names.begin(), names.end(), [](const std::string& name) {
    return std::any_of(kTimeNames.begin(), kTimeNames.end(), [&](std::string_view known) {
      return http::same_name(known, name);
    });
  });
  if (found == names.end()) return std::nullopt;
  return static_cast<std::size_t>(found - names.begin());
}

}  // namespace liminal::app
