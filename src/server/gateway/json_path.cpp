#include "server/gateway/json_path.hpp"

#include <cstring>

namespace liminal::gateway {
namespace {

/// Steps through JSON text, trusting nothing: at its end every step finds nothing.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  void skip_space() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) ++at_;
  }

  [[nodiscard]] bool take(char expected) {
    skip_space();
    if (at_ == end_ || *at_ != expected) return false;
    ++at_;
    return true;
  }

  /// The inside of a string, escapes as they stand.
  [[nodiscard]] std::optional<std::string_view> string() {
    if (!take('"')) return std::nullopt;
    const char* start = at_;
    for (const char* from = at_;;) {
      const auto* quote =
          static_cast<const char*>(std::memchr(from, '"', static_cast<std::size_t>(end_ - from)));
      if (quote == nullptr) return std::nullopt;
      const char* back = quote;
      while (back != start && back[-1] == '\\') --back;
      from = quote + 1;
      if ((quote - back) % 2 != 0) continue;  // an escaped quote
      at_ = from;
      return std::string_view(start, static_cast<std::size_t>(quote - start));
    }
  }

  /// A number or a literal.
  [[nodiscard]] std::optional<std::string_view> word() {
    skip_space();
    const char* start = at_;
    while (at_ != end_ && is_word(*at_)) ++at_;
    if (at_ == start) return std::nullopt;
    return std::string_view(start, static_cast<std::size_t>(at_ - start));
  }

  [[nodiscard]] std::optional<std::string_view> scalar() {
    skip_space();
    return at_ != end_ && *at_ == '"' ? string() : word();
  }

  /// Steps over any value.
  [[nodiscard]] bool skip_value() {
    skip_space();
    if (at_ == end_) return false;
    if (*at_ != '{' && *at_ != '[') return scalar().has_value();
    for (std::size_t depth = 0; at_ != end_;) {
      const char c = *at_;
      if (c == '"') {
        if (!string()) return false;
        continue;
      }
      ++at_;
      if (c == '{' || c == '[') ++depth;
      if ((c == '}' || c == ']') && --depth == 0) return true;
    }
    return false;
  }

 private:
  static bool is_word(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '+' || c == '.';
  }

  const char* at_;
  const char* end_;
};

/// Moves to the value of `key` in the object that starts here.
bool enter(Scanner& scanner, std::string_view key) {
  if (!scanner.take('{')) return false;
  for (;;) {
    const std::optional<std::string_view> name = scanner.string();
    if (!name || !scanner.take(':')) return false;
    if (*name == key) return true;
    if (!scanner.skip_value() || !scanner.take(',')) return false;
  }
}

}  // namespace

JsonPath::JsonPath(std::string_view dotted) {
  while (!dotted.empty()) {
    const std::size_t dot = dotted.find('.');
    keys_.emplace_back(dotted.substr(0, dot));
    dotted.remove_prefix(dot == std::string_view::npos ? dotted.size() : dot + 1);
  }
}

std::optional<std::string_view> JsonPath::find(std::string_view json) const {
  if (keys_.empty()) return std::nullopt;
  Scanner scanner(json);
  for (const std::string& key : keys_)
    if (!enter(scanner, key)) return std::nullopt;
  return scanner.scalar();
}

}  // namespace liminal::gateway
