#include "io/json/fields.hpp"

#include <charconv>
#include <cmath>

#include "io/json/time_text.hpp"

namespace liminal::json {
namespace {

std::string shown(double number) {
  char buffer[40];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, number).ptr};
}

std::optional<EventTime> as_time(const Value& value) {
  if (const auto* text = value.as<std::string>()) return parse_time(*text);
  const std::optional<double> since = as_number(value);
  if (!since || !(*since >= 0 && *since <= static_cast<double>(kSecondsMax))) return std::nullopt;
  const double whole = std::floor(*since);
  return EventTime{std::chrono::seconds{static_cast<std::int64_t>(whole)} +
                   from_seconds(*since - whole)};
}

}  // namespace

std::optional<double> as_number(const Value& value) {
  if (const auto* real = value.as<double>()) return *real;
  if (const auto* integer = value.as<std::int64_t>()) return static_cast<double>(*integer);
  if (const auto* whole = value.as<std::uint64_t>()) return static_cast<double>(*whole);
  return std::nullopt;
}

std::optional<std::uint64_t> as_whole(const Value& value) {
  if (const auto* whole = value.as<std::uint64_t>()) return *whole;
  if (const auto* integer = value.as<std::int64_t>()) {
    if (*integer < 0) return std::nullopt;
    return static_cast<std::uint64_t>(*integer);
  }
  const auto* real = value.as<double>();
  if (real == nullptr || !(*real >= 0 && *real <= 0x1p53) || *real != std::floor(*real))
    return std::nullopt;
  return static_cast<std::uint64_t>(*real);
}

Fields::Fields(const Value& value, std::string path, Problems& problems)
    : members_(value.as<Value::Object>()), path_(std::move(path)), problems_(problems) {
  if (members_ == nullptr) {
    problems_.push_back({path_, "must be a JSON object"});
    return;
  }
  std::set<std::string_view> seen;
  for (const auto& member : *members_) {
    if (!seen.insert(member.first).second) wrong(member.first, "given twice");
  }
}

std::string Fields::path_of(std::string_view name) const {
  return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
}

void Fields::wrong(std::string_view name, std::string text) {
  problems_.push_back({path_of(name), std::move(text)});
}

const Value* Fields::find(std::string_view name, Need need) {
  if (members_ == nullptr) return nullptr;
  read_.insert(name);
  for (const auto& [key, value] : *members_) {
    if (key == name) return &value;
  }
  if (need == Need::kRequired) wrong(name, "is missing");
  return nullptr;
}

std::optional<std::string> Fields::text(std::string_view name,
                                        Need need,
                                        std::size_t bytes_min,
                                        std::size_t bytes_max) {
  const Value* value = find(name, need);
  if (value == nullptr) return std::nullopt;
  const auto* text = value->as<std::string>();
  if (text != nullptr && text->size() >= bytes_min && text->size() <= bytes_max) return *text;
  wrong(name,
        "must be text of " + std::to_string(bytes_min) + " to " + std::to_string(bytes_max) +
            " bytes");
  return std::nullopt;
}

std::optional<double> Fields::number(std::string_view name, Need need, double low, double high) {
  const Value* value = find(name, need);
  if (value == nullptr) return std::nullopt;
  const std::optional<double> number = as_number(*value);
  if (number && *number >= low && *number <= high) return number;
  wrong(name, "must be a number from " + shown(low) + " to " + shown(high));
  return std::nullopt;
}

std::optional<std::uint64_t> Fields::whole(std::string_view name,
                                           Need need,
                                           std::uint64_t low,
                                           std::uint64_t high) {
  const Value* value = find(name, need);
  if (value == nullptr) return std::nullopt;
  const std::optional<std::uint64_t> number = as_whole(*value);
  if (number && *number >= low && *number <= high) return number;
  wrong(name, "must be a whole number from " + std::to_string(low) + " to " + std::to_string(high));
  return std::nullopt;
}

std::optional<EventTime> Fields::time(std::string_view name, Need need) {
  const Value* value = find(name, need);
  if (value == nullptr) return std::nullopt;
  const std::optional<EventTime> time = as_time(*value);
  if (!time) wrong(name, "must be RFC 3339 or seconds since the epoch, from 1970 to 2200");
  return time;
}

std::optional<Fields> Fields::object(std::string_view name, Need need) {
  const Value* value = find(name, need);
  if (value == nullptr || value->as<std::nullptr_t>() != nullptr) return std::nullopt;
  return Fields(*value, path_of(name), problems_);
}

const Value::Array* Fields::array(std::string_view name,
                                  Need need,
                                  std::size_t count_min,
                                  std::size_t count_max) {
  const Value* value = find(name, need);
  if (value == nullptr) return nullptr;
  const auto* elements = value->as<Value::Array>();
  if (elements != nullptr && elements->size() >= count_min && elements->size() <= count_max)
    return elements;
  wrong(name,
        "must be a list of " + std::to_string(count_min) + " to " + std::to_string(count_max) +
            " elements");
  return nullptr;
}

Fields Fields::element(std::string_view name, std::size_t index, const Value& value) const {
  return Fields(value, path_of(name) + "[" + std::to_string(index) + "]", problems_);
}

std::optional<bool> Fields::flag(std::string_view name, Need need) {
  const Value* value = find(name, need);
  if (value == nullptr) return std::nullopt;
  if (const auto* truth = value->as<bool>()) return *truth;
  wrong(name, "must be true or false");
  return std::nullopt;
}

bool Fields::is_null(std::string_view name) {
  const Value* value = find(name, Need::kOptional);
  return value != nullptr && value->as<std::nullptr_t>() != nullptr;
}

bool Fields::has(std::string_view name) {
  const Value* value = find(name, Need::kOptional);
  return value != nullptr && value->as<std::nullptr_t>() == nullptr;
}

void Fields::finish() {
  if (members_ == nullptr) return;
  for (const auto& member : *members_) {
    if (!read_.contains(member.first)) wrong(member.first, "unknown field");
  }
}

}  // namespace liminal::json
