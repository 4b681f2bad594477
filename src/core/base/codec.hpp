#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

#include "core/base/result.hpp"
#include "core/base/time.hpp"

namespace liminal {

/// Appends values to a string of bytes, little-endian, as snapshots and journals hold them
/// (docs/formats/). Text and blobs carry their length as a varint.
class Writer {
 public:
  template <class T>
  requires(std::is_arithmetic_v<T> || std::is_enum_v<T>) void put(T value) {
    static_assert(std::endian::native == std::endian::little);
    char raw[sizeof value];
    std::memcpy(raw, &value, sizeof value);
    bytes_.append(raw, sizeof value);
  }

  /// Seven bits a byte, lowest first; 1 to 10 bytes.
  void put_varint(std::uint64_t value) {
    while (value >= 0x80) {
      bytes_.push_back(static_cast<char>(static_cast<unsigned char>(value) | 0x80U));
      value >>= 7;
    }
    bytes_.push_back(static_cast<char>(value));
  }

  void put_text(std::string_view text) {
    put_varint(text.size());
    bytes_.append(text);
  }

  [[nodiscard]] const std::string& bytes() const { return bytes_; }
  [[nodiscard]] std::string take() { return std::move(bytes_); }
  void clear() { bytes_.clear(); }

 private:
  std::string bytes_;
};

/// Reads what a `Writer` wrote. Never reads outside its bytes: after the first failure every
/// further `get` gives zeros and `ok()` stays false, so a loader checks once, at its end, and
/// bounds what it allocates by `remaining()`.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  template <class T>
  requires(std::is_arithmetic_v<T> || std::is_enum_v<T>) T get() {
    T value{};
    if (const std::string_view raw = take(sizeof value); raw.size() == sizeof value)
      std::memcpy(&value, raw.data(), sizeof value);
    return value;
  }

  template <class T>
  requires(std::is_arithmetic_v<T> || std::is_enum_v<T>) void get(T& value) { value = get<T>(); }

  std::uint64_t get_varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = get<std::uint8_t>();
      value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
      if ((byte & 0x80U) == 0) return ok_ ? value : 0;
    }
    fail();
    return 0;
  }

  /// Points into the bytes that are read.
  std::string_view get_text() { return take(get_varint()); }

  void fail() { ok_ = false; }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool at_end() const { return ok_ && position_ == bytes_.size(); }
  [[nodiscard]] std::size_t position() const { return position_; }
  [[nodiscard]] std::size_t remaining() const { return ok_ ? bytes_.size() - position_ : 0; }

  /// What a loader returns when it is done: success, or that the bytes end early or make no sense.
  [[nodiscard]] Result<void> finish() const {
    if (!ok_) return failure(ErrorCode::kTruncated, position_);
    return {};
  }

 private:
  std::string_view take(std::uint64_t count) {
    if (!ok_ || count > bytes_.size() - position_) {
      ok_ = false;
      return {};
    }
    const std::string_view taken = bytes_.substr(position_, static_cast<std::size_t>(count));
    position_ += static_cast<std::size_t>(count);
    return taken;
  }

  std::string_view bytes_;
  std::size_t position_ = 0;
  bool ok_ = true;
};

/// A time in nanoseconds, 8 bytes.
inline void put_time(SteadyTime time, Writer& out) { out.put(nanoseconds(time)); }
inline SteadyTime get_time(Reader& in) { return SteadyTime{Duration{in.get<Duration::rep>()}}; }

}  // namespace liminal
