#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/base/time.hpp"

namespace liminal::json {

/// Appends one JSON value to a string, compact and in the order of the calls.
///
///     Writer out;
///     out.begin_object();
///     out.field("user_id", user);
///     out.end_object();
///
/// Commas are its business; that calls make a valid document is the caller's. What it writes is
/// always valid UTF-8 and JSON: bytes that are no UTF-8 become U+FFFD, a number that JSON cannot
/// hold (NaN, infinity) becomes null. Real numbers are written as the shortest text that reads back
/// as the same number. Cost: a few ns a byte; no allocation beyond the string's growth.
class Writer {
 public:
  void begin_object() { open('{'); }
  void end_object() { close('}'); }
  void begin_array() { open('['); }
  void end_array() { close(']'); }

  /// The name of what is written next.
  void key(std::string_view name);

  void value(std::string_view text);
  void value(const char* text) { value(std::string_view(text)); }
  void value(const std::string& text) { value(std::string_view(text)); }
  void value(double number);
  void value(float number);
  void value(std::same_as<bool> auto truth) { raw(truth ? "true" : "false"); }
  template <std::integral T>
  requires(!std::same_as<T, bool>) void value(T number) {
    if constexpr (std::signed_integral<T>) {
      integer(static_cast<std::int64_t>(number));
    } else {
      whole(static_cast<std::uint64_t>(number));
    }
  }
  void value(SteadyTime time);
  template <class T>
  void value(const std::optional<T>& maybe) {
    if (maybe) {
      value(*maybe);
    } else {
      null();
    }
  }
  void null() { raw("null"); }

  /// Text, or null when it is empty.
  void value_or_null(std::string_view text) {
    if (text.empty()) {
      null();
    } else {
      value(text);
    }
  }

  template <class T>
  void field(std::string_view name, const T& what) {
    key(name);
    value(what);
  }

  /// A value that is JSON already.
  void raw(std::string_view json);

  [[nodiscard]] const std::string& text() const { return out_; }
  /// What was written since the last time; writing goes on where it was.
  [[nodiscard]] std::string take() { return std::exchange(out_, {}); }
  void clear() {
    out_.clear();
    comma_ = false;
  }

 private:
  void open(char bracket);
  void close(char bracket);
  void separate();
  void integer(std::int64_t number);
  void whole(std::uint64_t number);

  std::string out_;
  bool comma_ = false;
};

/// Appends text between quotes, escaped.
void append_quoted(std::string_view text, std::string& out);

}  // namespace liminal::json
