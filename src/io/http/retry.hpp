#pragma once

#include <cstdint>
#include <string_view>

#include "core/base/result.hpp"
#include "core/base/time.hpp"
#include "io/http/message.hpp"

namespace liminal::http {

/// How an attempt to send something went.
struct Outcome {
  enum class Kind : std::uint8_t {
    kDone,      ///< 2xx
    kRetry,     ///< no answer, 408, 425, 429, 5xx: may go better later
    kRejected,  ///< any other answer: would go the same again
  };
  Kind kind = Kind::kRetry;
  Duration retry_after{};  ///< what the receiver asked for, at most a day; zero: nothing
};

/// What an answer's status means; `retry_after` is the text of that header in seconds, if any (a
/// date there is ignored).
[[nodiscard]] Outcome outcome_of(unsigned status, std::string_view retry_after);
/// The same of an answer, or of none.
[[nodiscard]] Outcome outcome_of(const Result<Response>& answer);

/// How long to wait before the next attempt.
struct Backoff {
  Duration first = std::chrono::seconds{1};
  Duration max = std::chrono::minutes{5};

  /// After the nth failure in a row, n ≥ 1: min(max, first · 2^(n−1)).
  [[nodiscard]] Duration pause(std::uint32_t failures) const;
};

}  // namespace liminal::http
