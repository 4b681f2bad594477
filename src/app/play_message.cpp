#include "app/play_message.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/random.hpp"

namespace liminal::app {
namespace {

constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz ,.";

/// Text of a size that only the seed decides.
std::string content(std::uint64_t seed, std::size_t bytes) {
  Random random(seed);
  std::string text(bytes, ' ');
  for (char& letter : text) letter = kLetters[random.below(kLetters.size())];
  return text;
}

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string hub_message(const traffic::Event& event, std::uint64_t seed) {
  const std::string channel =
      json_text(event.channels.empty() ? std::string_view("lobby") : event.channels[0].text);
  // The hub answers a request of an unknown type with an error.
  const std::string start = fmt::format(
      R"({{"type":"{}","channel":{},"content":")", event.error ? "publich" : "publish", channel);
  const std::size_t frame = start.size() + 2;
  // Never empty: contents must differ where hashes do.
  const std::size_t room = event.bytes > frame + 8 ? event.bytes - frame : 8;
  return start + content(seed, room) + "\"}";
}

}  // namespace

std::optional<std::string> play_message(const traffic::Event& event,
                                        PlayFormat format,
                                        std::uint64_t number) {
  if (event.kind == traffic::EventKind::kSubscribe) {
    if (format != PlayFormat::kHub || event.channels.empty()) return std::nullopt;
    return fmt::format(R"({{"type":"subscribe","channel":{}}})", json_text(event.channels[0].text));
  }
  if (event.kind != traffic::EventKind::kMessage) return std::nullopt;
  const std::uint64_t seed = event.content_hash.value_or(mix64(number + 1));
  if (format == PlayFormat::kHub) return hub_message(event, seed);
  std::string text = content(seed, event.bytes);
  if (event.error && !text.empty()) text[0] = '!';
  return text;
}

}  // namespace liminal::app
