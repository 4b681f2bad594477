#include "core/wire/body_reader.hpp"

#include <charconv>
#include <optional>

namespace liminal::wire {
namespace {

/// A line that tells a chunk's size, extensions too, has to be over by then.
constexpr std::size_t kSizeLineMax = 256;

/// A whole number with nothing around it.
std::optional<std::size_t> number(std::string_view text, int base) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || text.empty() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

BodyReader::BodyReader(const UpgradeResponse& head, std::size_t bytes_max) : bytes_max_(bytes_max) {
  if (head.status < 200 || head.status == 204 || head.status == 304) {
    state_ = State::kDone;
    return;
  }
  const std::size_t lengths = head.fields.count("Content-Length");
  const std::size_t codings = head.fields.count("Transfer-Encoding");
  if (lengths + codings > 1) {
    state_ = State::kUnusable;
  } else if (codings == 1) {
    framing_ = Framing::kChunks;
    if (!same_name(*head.fields.find("Transfer-Encoding"), "chunked")) state_ = State::kUnusable;
  } else if (lengths == 1) {
    framing_ = Framing::kLength;
    const auto length = number(*head.fields.find("Content-Length"), 10);
    length_ = length.value_or(0);
    if (!length || length_ > bytes_max_) state_ = State::kUnusable;
    if (length && length_ == 0) state_ = State::kDone;
  }
}

BodyReader::State BodyReader::take(std::string_view bytes) {
  if (state_ != State::kMore) return state_;
  switch (framing_) {
    case Framing::kLength:
      body_.append(bytes.substr(0, length_ - body_.size()));
      if (body_.size() == length_) state_ = State::kDone;
      break;
    case Framing::kChunks:
      raw_.append(bytes);
      take_chunks();
      break;
    case Framing::kUntilEnd:
      if (bytes.size() > bytes_max_ - body_.size()) return state_ = State::kUnusable;
      body_.append(bytes);
      break;
  }
  return state_;
}

BodyReader::State BodyReader::end() {
  if (state_ == State::kMore)
    state_ = framing_ == Framing::kUntilEnd ? State::kDone : State::kUnusable;
  return state_;
}

void BodyReader::take_chunks() {
  std::string_view rest = raw_;
  while (state_ == State::kMore && take_chunk(rest)) {
  }
  raw_.erase(0, raw_.size() - rest.size());
}

/// Takes one chunk off the beginning; false when it is not whole yet, or none.
bool BodyReader::take_chunk(std::string_view& rest) {
  const std::size_t line = rest.substr(0, kSizeLineMax).find("\r\n");
  if (line == std::string_view::npos) {
    if (rest.size() >= kSizeLineMax) state_ = State::kUnusable;
    return false;
  }
  const std::string_view digits = rest.substr(0, line);
  const auto size = number(digits.substr(0, digits.find(';')), 16);
  if (!size || *size > bytes_max_ - body_.size()) {
    state_ = State::kUnusable;
    return false;
  }
  if (*size == 0) {
    state_ = State::kDone;
    return false;
  }
  const std::size_t begin = line + 2;
  if (rest.size() < begin + *size + 2) return false;
  if (rest.substr(begin + *size, 2) != "\r\n") {
    state_ = State::kUnusable;
    return false;
  }
  body_.append(rest.substr(begin, *size));
  rest.remove_prefix(begin + *size + 2);
  return true;
}

}  // namespace liminal::wire
