#include "server/api/query.hpp"

#include <charconv>

#include "io/json/time_text.hpp"

namespace liminal::api {
namespace {

template <class T>
std::optional<T> parsed(const std::string& text) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

std::string shown(double number) {
  char buffer[40];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, number).ptr};
}

}  // namespace

Query::Query(const Pairs& pairs) : pairs_(pairs) {
  std::set<std::string_view> seen;
  for (const auto& pair : pairs_) {
    if (!seen.insert(pair.first).second) wrong(pair.first, "given twice");
  }
}

const std::string* Query::find(std::string_view name) {
  read_.insert(name);
  for (const auto& [key, value] : pairs_) {
    if (key == name) return &value;
  }
  return nullptr;
}

void Query::wrong(std::string_view name, std::string text) {
  problems_.push_back({std::string(name), std::move(text)});
}

std::optional<std::string> Query::text(std::string_view name,
                                       std::size_t bytes_min,
                                       std::size_t bytes_max) {
  const std::string* given = find(name);
  if (given == nullptr) return std::nullopt;
  if (given->size() >= bytes_min && given->size() <= bytes_max) return *given;
  wrong(name,
        "must be text of " + std::to_string(bytes_min) + " to " + std::to_string(bytes_max) +
            " bytes");
  return std::nullopt;
}

std::optional<EventTime> Query::time(std::string_view name) {
  constexpr double kSecondsMax = 7'258'118'400;  // 2200
  const std::string* given = find(name);
  if (given == nullptr) return std::nullopt;
  const auto since = parsed<double>(*given);
  if (since && *since >= 0 && *since <= kSecondsMax) return EventTime{from_seconds(*since)};
  const auto at = json::parse_time(*given);
  if (!at) wrong(name, "must be RFC 3339 or seconds since the epoch");
  return at;
}

std::uint64_t Query::whole(std::string_view name,
                           std::uint64_t fallback,
                           std::uint64_t low,
                           std::uint64_t high) {
  const std::string* given = find(name);
  if (given == nullptr) return fallback;
  const auto value = parsed<std::uint64_t>(*given);
  if (value && *value >= low && *value <= high) return *value;
  wrong(name, "must be a whole number from " + std::to_string(low) + " to " + std::to_string(high));
  return fallback;
}

double Query::number(std::string_view name, double fallback, double low, double high) {
  const std::string* given = find(name);
  if (given == nullptr) return fallback;
  const auto value = parsed<double>(*given);
  if (value && *value >= low && *value <= high) return *value;
  wrong(name, "must be a number from " + shown(low) + " to " + shown(high));
  return fallback;
}

bool Query::flag(std::string_view name) {
  const std::string* given = find(name);
  if (given == nullptr || *given == "0" || *given == "false") return false;
  if (!given->empty() && *given != "1" && *given != "true")
    wrong(name, "must be empty, 1, true, 0 or false");
  return true;
}

Problems Query::finish() {
  for (const auto& pair : pairs_) {
    if (!read_.contains(pair.first)) wrong(pair.first, "unknown parameter");
  }
  return std::move(problems_);
}

}  // namespace liminal::api
