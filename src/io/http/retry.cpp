#include "io/http/retry.hpp"

#include <algorithm>
#include <charconv>

namespace liminal::http {
namespace {

constexpr unsigned kRequestTimeout = 408;
constexpr unsigned kTooEarly = 425;
constexpr unsigned kTooManyRequests = 429;
constexpr std::int64_t kRetryAfterSecondsMax = 24 * 3600;

Duration asked_for(std::string_view retry_after) {
  std::int64_t count = 0;
  const char* end = retry_after.data() + retry_after.size();
  const auto [rest, error] = std::from_chars(retry_after.data(), end, count);
  if (error != std::errc() || rest != end || count < 0) return Duration::zero();
  return std::chrono::seconds{std::min(count, kRetryAfterSecondsMax)};
}

}  // namespace

Outcome outcome_of(unsigned status, std::string_view retry_after) {
  if (status >= 200 && status < 300) return {Outcome::Kind::kDone, {}};
  const bool passing = status == kRequestTimeout || status == kTooEarly ||
                       status == kTooManyRequests || status >= 500;
  if (!passing) return {Outcome::Kind::kRejected, {}};
  return {Outcome::Kind::kRetry, asked_for(retry_after)};
}

Outcome outcome_of(const Result<Response>& answer) {
  if (!answer) return {Outcome::Kind::kRetry, {}};
  return outcome_of(answer->status, answer->header("Retry-After").value_or(""));
}

Duration Backoff::pause(std::uint32_t failures) const {
  Duration pause = first;
  for (std::uint32_t i = 1; i < failures && pause < max; ++i) pause *= 2;
  return std::min(pause, max);
}

}  // namespace liminal::http
