#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "core/base/problem.hpp"
#include "core/base/time.hpp"
#include "io/json/value.hpp"

namespace liminal::json {

enum class Need : bool { kOptional, kRequired };

/// Reads the fields of one JSON object strictly: a field that is missing, of the wrong type or out
/// of its range, given twice or not asked for is a problem with its path
/// ("policies.user.messages.burst", empty for the whole body). Problems are collected; what is read
/// of a wrong field is nothing.
///
///     Fields in(value, "", problems);
///     const auto user = in.text("user_id", Need::kRequired, 1, 128);
///     in.finish();
///     if (!problems.empty()) …
class Fields {
 public:
  /// `value` and `problems` must outlive it. A value that is no object is one problem, and then
  /// nothing more is reported of it.
  Fields(const Value& value, std::string path, Problems& problems);

  /// Text of so many bytes.
  std::optional<std::string> text(std::string_view name,
                                  Need need,
                                  std::size_t bytes_min,
                                  std::size_t bytes_max);
  /// A number from `low` to `high`.
  std::optional<double> number(std::string_view name, Need need, double low, double high);
  /// A whole number from `low` to `high`; 2.0 is one.
  std::optional<std::uint64_t> whole(
      std::string_view name,
      Need need,
      std::uint64_t low,
      std::uint64_t high = std::numeric_limits<std::uint32_t>::max());
  /// true or false.
  std::optional<bool> flag(std::string_view name, Need need);
  /// RFC 3339, or seconds since the epoch.
  std::optional<EventTime> time(std::string_view name, Need need);

  /// A word that `by_name` knows; `words` lists them for whoever wrote another.
  template <class ByName>
  auto one_of(std::string_view name, Need need, ByName by_name, std::string_view words)
      -> decltype(by_name(std::string_view{})) {
    const Value* value = find(name, need);
    if (value == nullptr) return std::nullopt;
    if (const auto* word = value->as<std::string>()) {
      if (const auto known = by_name(*word)) return known;
    }
    wrong(name, "must be " + std::string(words));
    return std::nullopt;
  }

  /// An object; nothing when it is absent, or null.
  std::optional<Fields> object(std::string_view name, Need need);
  /// A list of so many elements, whose paths are "name[0]" and so on.
  const Value::Array* array(std::string_view name,
                            Need need,
                            std::size_t count_min,
                            std::size_t count_max);
  /// The fields of an element of a list that `array` gave.
  [[nodiscard]] Fields element(std::string_view name, std::size_t index, const Value& value) const;
  /// True when the field is given and null; it counts as read then.
  bool is_null(std::string_view name);
  /// True when the field is given and not null; it counts as read then.
  bool has(std::string_view name);

  /// Reports the fields that nobody asked for.
  void finish();

  /// Reports a problem with a field of this object.
  void wrong(std::string_view name, std::string text);

 private:
  const Value* find(std::string_view name, Need need);
  [[nodiscard]] std::string path_of(std::string_view name) const;

  const Value::Object* members_ = nullptr;
  std::string path_;
  Problems& problems_;
  std::set<std::string_view> read_;
};

/// What `Fields` reads from one value, for query parameters and the like too.
[[nodiscard]] std::optional<double> as_number(const Value& value);
[[nodiscard]] std::optional<std::uint64_t> as_whole(const Value& value);

}  // namespace liminal::json
