#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/wire/upgrade_response.hpp"

namespace liminal::wire {

/// Reads the body of a server's answer as its bytes arrive, up to a bound, however its end is told:
/// by chunks, by its length, or by the end of the connection.
///
/// Guarantee: however it is cut, the outcome is the same. A body whose end could be read in two
/// ways is unusable, and so is one that is too large or breaks off.
///
/// Memory: `bytes_max`, and of a body in chunks as much again and what one `take` brings.
/// **Source:** RFC 9112, sections 6.3 and 7.1. Coded otherwise than in chunks it is unusable;
/// trailers are not waited for.
class BodyReader {
 public:
  enum class State : std::uint8_t { kMore, kDone, kUnusable };

  BodyReader(const UpgradeResponse& head, std::size_t bytes_max);

  /// Takes what follows the head, piece by piece.
  State take(std::string_view bytes);
  /// The connection has ended.
  State end();
  [[nodiscard]] State state() const { return state_; }
  /// What there is of it, without its coding.
  [[nodiscard]] const std::string& body() const { return body_; }

 private:
  enum class Framing : std::uint8_t { kLength, kChunks, kUntilEnd };
  void take_chunks();
  [[nodiscard]] bool take_chunk(std::string_view& rest);

  const std::size_t bytes_max_;
  std::size_t length_ = 0;
  std::string body_;
  std::string raw_;  ///< of chunks, what is not read yet
  Framing framing_ = Framing::kUntilEnd;
  State state_ = State::kMore;
};

}  // namespace liminal::wire
