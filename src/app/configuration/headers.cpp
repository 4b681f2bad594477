#include "app/configuration/headers.hpp"

#include <algorithm>

namespace liminal::app {
namespace {

/// Reads as far as strings, comments and brackets go; what is wrong otherwise is the parser's to
/// say.
class Lines {
 public:
  explicit Lines(std::string_view text) : text_(text) {}

  std::optional<std::size_t> nameless() {
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '\n') {
        fresh_ = true;
      } else if (c == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size()) - 1;
      } else if (c == '[' && fresh_ && depth_ == 0) {
        const std::string_view before = text_.substr(0, at_);
        if (!header())
          return 1 + static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
      } else {
        rest(c);
      }
    }
    return std::nullopt;
  }

 private:
  /// Whether a name follows, or what the parser itself looks at: another bracket, or nothing.
  bool header() {
    fresh_ = false;
    skip_blanks();
    if (at_ + 1 < text_.size() && text_[at_ + 1] == '[') {
      ++at_;
      skip_blanks();
    }
    if (at_ + 1 >= text_.size()) return true;
    const char c = text_[at_ + 1];
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_-\"']").find(c) != std::string_view::npos;
  }

  void skip_blanks() {
    while (at_ + 1 < text_.size() && (text_[at_ + 1] == ' ' || text_[at_ + 1] == '\t')) ++at_;
  }

  void rest(char c) {
    if (c == '[' || c == '{') ++depth_;
    if ((c == ']' || c == '}') && depth_ > 0) --depth_;
    if (c == '"' || c == '\'') skip_string(c);
    if (c > ' ' && c <= '~') fresh_ = false;
  }

  /// To the last quote of a string; to the end of the line or text when it has none.
  void skip_string(char quote) {
    const char three[] = {quote, quote, quote};
    const std::string_view quotes(three, 3);
    const bool tall = text_.substr(at_, 3) == quotes;
    at_ += tall ? 3 : 1;
    for (; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\\' && quote == '"') {
        ++at_;
      } else if (!tall && text_[at_] == '\n') {
        --at_;
        return;
      } else if (text_[at_] == quote && (!tall || text_.substr(at_, 3) == quotes)) {
        at_ += tall ? 2 : 0;
        // A tall string may end in two quotes of its own.
        while (tall && at_ + 1 < text_.size() && text_[at_ + 1] == quote) ++at_;
        return;
      }
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
  bool fresh_ = true;  ///< nothing was on this line yet
};

}  // namespace

std::optional<std::size_t> nameless_header(std::string_view text) { return Lines(text).nameless(); }

}  // namespace liminal::app
