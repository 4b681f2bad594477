#pragma once

#include <snappy.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace liminal::remote_write::testing {

/// Writes messages of remote-write 1.0 for tests, byte by byte and independently of the reader.

inline std::string varint(std::uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7f) | 0x80);
  return out + static_cast<char>(value);
}

inline std::string delimited(unsigned field, std::string_view content) {
  return varint(field << 3 | 2) + varint(content.size()) + std::string(content);
}

inline std::string sample(double value, std::int64_t timestamp_ms) {
  char raw[sizeof value];
  std::memcpy(raw, &value, sizeof value);
  return delimited(2,
                   "\x09" + std::string(raw, sizeof raw) + "\x10" +
                       varint(static_cast<std::uint64_t>(timestamp_ms)));
}

using Labels = std::vector<std::pair<std::string, std::string>>;

/// One series as a field of its request; `samples` as `sample` gives them, one after the other.
inline std::string series(const Labels& labels, const std::string& samples) {
  std::string out;
  for (const auto& [name, value] : labels)
    out += delimited(1, delimited(1, name) + delimited(2, value));
  return delimited(1, out + samples);
}

inline std::string compressed(std::string_view message) {
  std::string out;
  snappy::Compress(message.data(), message.size(), &out);
  return out;
}

}  // namespace liminal::remote_write::testing
