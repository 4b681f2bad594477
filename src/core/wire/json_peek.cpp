#include "core/wire/json_peek.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

#include "core/wire/json_text.hpp"
#include "core/wire/utf8.hpp"

namespace liminal::wire {
namespace {

constexpr std::size_t kNoPlace = std::string_view::npos;

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
bool is_number_char(char c) {
  return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}
bool ends_scalar(char c) { return c == ',' || c == '}' || c == ']' || is_space(c); }

std::size_t place_of(std::string_view part) {
  std::size_t place = 0;
  const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), place);
  return error == std::errc{} && end == part.data() + part.size() ? place : kNoPlace;
}

}  // namespace

/// A place in the text that only moves on.
class JsonPeek::Cursor {
 public:
  struct Text {
    std::string_view raw;
    bool escaped = false;
  };

  explicit Cursor(std::string_view text) : at_(text.data()), end_(at_ + text.size()) {}

  /// The next character that is not white space; 0 at the end.
  char peek() {
    while (at_ != end_ && is_space(*at_)) ++at_;
    return at_ == end_ ? '\0' : *at_;
  }

  bool take(char expected) {
    if (peek() != expected || at_ == end_) return false;
    ++at_;
    return true;
  }

  /// A string's inside; none when it does not end. Stands at its opening quote.
  std::optional<Text> take_text() {
    const char* const start = ++at_;
    bool escaped = false;
    // memchr is the fastest search there is; the quote is kept, so that many escapes before it do
    // not search for it again.
    const char* quote = find('"', at_, end_);
    while (quote != nullptr) {
      const char* const backslash = find('\\', at_, quote);
      if (backslash == nullptr) {
        at_ = quote + 1;
        return Text{{start, static_cast<std::size_t>(quote - start)}, escaped};
      }
      escaped = true;
      if (end_ - backslash < 2) break;
      at_ = backslash + 2;
      if (at_ > quote) quote = find('"', at_, end_);
    }
    at_ = end_;
    return std::nullopt;
  }

  /// `true`, `null` or a number, whatever stands up to the next delimiter.
  std::string_view take_scalar() {
    const char* const start = at_;
    while (at_ != end_ && !ends_scalar(*at_)) ++at_;
    return {start, static_cast<std::size_t>(at_ - start)};
  }

  /// Passes an object or array by counting brackets. Stands at the opening one.
  bool skip_container() {
    std::size_t depth = 0;
    while (at_ != end_) {
      const char c = *at_;
      if (c == '"') {
        if (!take_text()) return false;
        continue;
      }
      ++at_;
      if (c == '{' || c == '[') ++depth;
      if ((c == '}' || c == ']') && --depth == 0) return true;
    }
    return false;
  }

 private:
  static const char* find(char c, const char* from, const char* to) {
    return static_cast<const char*>(std::memchr(from, c, static_cast<std::size_t>(to - from)));
  }

  const char* at_;
  const char* end_;
};

Problems validate_peek_paths(std::span<const std::string> paths) {
  Problems found;
  if (paths.size() > kPeekPathsMax) found.push_back({"", "at most 4 paths can be looked for"});
  for (std::size_t i = 0; i < paths.size(); ++i) {
    std::size_t depth = 0;
    for (std::string_view rest = paths[i];; ++depth) {
      const std::size_t dot = rest.find('.');
      const std::string_view part = rest.substr(0, dot);
      if (part.empty() || part.size() > kPeekPathBytesMax)
        found.push_back({std::to_string(i), "the keys of a path have 1 to 63 bytes each"});
      if (dot == std::string_view::npos) break;
      rest.remove_prefix(dot + 1);
    }
    if (depth >= kPeekDepthMax) found.push_back({std::to_string(i), "a path has at most 4 keys"});
  }
  return found;
}

JsonPeek::JsonPeek(std::span<const std::string> paths) : count_(paths.size()) {
  for (std::size_t i = 0; i < count_; ++i) {
    Path& path = paths_.at(i);
    for (std::string_view rest = paths[i];;) {
      const std::size_t dot = rest.find('.');
      path.places.at(path.depth) = place_of(rest.substr(0, dot));
      path.parts.at(path.depth++) = rest.substr(0, dot);
      if (dot == std::string_view::npos) break;
      rest.remove_prefix(dot + 1);
    }
  }
}

std::span<const std::string_view> JsonPeek::look(std::string_view json) {
  values_.fill({});
  const PathSet all = (1U << count_) - 1U;
  Cursor at(json);
  const char first = at.peek();
  if (first == '{') {
    (void)walk_object(at, all, 0);
  } else if (first == '[') {
    (void)walk_array(at, all, 0);
  }
  return {values_.data(), count_};
}

/// The paths of which all parts are matched once `depth` of them are.
JsonPeek::PathSet JsonPeek::ending(PathSet matched, std::size_t depth) const {
  PathSet found = 0;
  for (std::size_t i = 0; i < count_; ++i)
    if ((matched >> i & 1U) != 0 && paths_[i].depth == depth) found |= 1U << i;
  return found;
}

/// Passes the value of a key or place that the first `depth` parts of the `matched` paths name.
/// False when the text ends or breaks there.
bool JsonPeek::walk_value(Cursor& at, PathSet matched, std::size_t depth) {
  const char first = at.peek();
  // An equal key before this one may have left something: the last one counts.
  if (matched != 0) forget(matched);
  const PathSet here = matched == 0 ? PathSet{0} : ending(matched, depth);
  const PathSet deeper = matched & ~here;
  if (first == '"') {
    const auto text = at.take_text();
    if (text && here != 0) store(here, text->raw, text->escaped);
    return text.has_value();
  }
  if (first == '{') return deeper != 0 ? walk_object(at, deeper, depth) : at.skip_container();
  if (first == '[') return deeper != 0 ? walk_array(at, deeper, depth) : at.skip_container();
  const std::string_view scalar = at.take_scalar();
  if (here != 0 && std::all_of(scalar.begin(), scalar.end(), is_number_char))
    store(here, scalar, false);
  return !scalar.empty();
}

bool JsonPeek::walk_object(Cursor& at, PathSet candidates, std::size_t depth) {
  (void)at.take('{');
  if (at.take('}')) return true;
  do {
    if (at.peek() != '"') return false;
    const auto key = at.take_text();
    if (!key || !at.take(':')) return false;
    const PathSet matched = matching_key(candidates, depth, key->raw, key->escaped);
    if (!walk_value(at, matched, depth + 1)) return false;
  } while (at.take(','));
  return at.take('}');
}

bool JsonPeek::walk_array(Cursor& at, PathSet candidates, std::size_t depth) {
  (void)at.take('[');
  if (at.take(']')) return true;
  std::size_t place = 0;
  do {
    if (!walk_value(at, matching_place(candidates, depth, place), depth + 1)) return false;
    ++place;
  } while (at.take(','));
  return at.take(']');
}

JsonPeek::PathSet JsonPeek::matching_key(PathSet candidates,
                                         std::size_t depth,
                                         std::string_view raw,
                                         bool escaped) const {
  std::array<char, kPeekPathBytesMax + 1> decoded;
  std::string_view key = raw;
  if (escaped) key = {decoded.data(), decode_json_text(raw, decoded.data(), decoded.size())};
  PathSet found = 0;
  for (std::size_t i = 0; i < count_; ++i)
    if ((candidates >> i & 1U) != 0 && paths_[i].parts[depth] == key) found |= 1U << i;
  return found;
}

JsonPeek::PathSet JsonPeek::matching_place(PathSet candidates,
                                           std::size_t depth,
                                           std::size_t place) const {
  PathSet found = 0;
  for (std::size_t i = 0; i < count_; ++i)
    if ((candidates >> i & 1U) != 0 && paths_[i].places[depth] == place) found |= 1U << i;
  return found;
}

void JsonPeek::store(PathSet found, std::string_view raw, bool escaped) {
  for (std::size_t i = 0; i < count_; ++i) {
    if ((found >> i & 1U) == 0) continue;
    if (escaped) {
      values_[i] = {decoded_[i].data(),
                    decode_json_text(raw, decoded_[i].data(), kPeekValueBytesMax)};
    } else {
      values_[i] = cut_at_character(raw, kPeekValueBytesMax);
    }
  }
}

void JsonPeek::forget(PathSet paths) {
  for (std::size_t i = 0; i < count_; ++i)
    if ((paths >> i & 1U) != 0) values_[i] = {};
}

}  // namespace liminal::wire
