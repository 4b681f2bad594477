#pragma once

#include <cstdint>
#include <string_view>
#include <tl/expected.hpp>

namespace liminal {

/// Why something from outside was not accepted. The text for a person is made at the edge.
enum class ErrorCode : std::uint8_t {
  kTruncated,    ///< ends before it is complete
  kMalformed,    ///< does not follow its grammar
  kTooLarge,     ///< exceeds a stated bound
  kUnsupported,  ///< a version, kind or option that is not known
  kChecksum,     ///< does not match its checksum
  kOutOfRange,   ///< a number that its place cannot hold
  kMissing,      ///< a required part is not there
  kConflict,     ///< contradicts what is already there
  kUnavailable,  ///< a system that is needed does not answer
  kIo,           ///< the operating system refused
};

[[nodiscard]] constexpr std::string_view name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kTruncated:
      return "truncated";
    case ErrorCode::kMalformed:
      return "malformed";
    case ErrorCode::kTooLarge:
      return "too large";
    case ErrorCode::kUnsupported:
      return "unsupported";
    case ErrorCode::kChecksum:
      return "checksum mismatch";
    case ErrorCode::kOutOfRange:
      return "out of range";
    case ErrorCode::kMissing:
      return "missing";
    case ErrorCode::kConflict:
      return "conflict";
    case ErrorCode::kUnavailable:
      return "unavailable";
    case ErrorCode::kIo:
      return "input/output error";
  }
  return "unknown";
}

/// A code and where it happened (byte, line or row, as the function says). Does not allocate.
struct Error {
  ErrorCode code = ErrorCode::kMalformed;
  std::uint64_t position = 0;
  friend bool operator==(const Error&, const Error&) = default;
};

/// A value, or why there is none. For whatever the outside can cause; never thrown.
template <class T>
using Result = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> failure(ErrorCode code, std::uint64_t position = 0) {
  return tl::unexpected<Error>(Error{code, position});
}

}  // namespace liminal
