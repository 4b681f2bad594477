#include "server/webhook/outbox.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace liminal::webhook {
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
  if (status >= 200 && status < 300) return {Outcome::Kind::kDelivered, {}};
  const bool passing = status == kRequestTimeout || status == kTooEarly ||
                       status == kTooManyRequests || status >= 500;
  if (!passing) return {Outcome::Kind::kRejected, {}};
  return {Outcome::Kind::kRetry, asked_for(retry_after)};
}

void Outbox::push(std::string id, std::string body, SteadyTime now) {
  waiting_.push_back({.id = std::move(id), .body = std::move(body), .attempts = 0, .due = now});
  make_room();
}

void Outbox::make_room() {
  while (waiting_.size() > options_.queue_max) {
    waiting_.pop_front();
    ++counters_.overflowed;
  }
}

std::deque<Delivery>::const_iterator Outbox::earliest() const {
  return std::min_element(
      waiting_.begin(), waiting_.end(), [](const Delivery& a, const Delivery& b) {
        return a.due < b.due;  // among equals the oldest
      });
}

std::optional<SteadyTime> Outbox::next_due() const {
  if (waiting_.empty()) return std::nullopt;
  return std::max(earliest()->due, receiver_due_);
}

std::optional<Delivery> Outbox::take(SteadyTime now) {
  const std::optional<SteadyTime> due = next_due();
  if (!due || *due > now) return std::nullopt;
  const auto place = earliest();
  Delivery delivery = *place;
  waiting_.erase(place);
  return delivery;
}

void Outbox::settle(Delivery delivery, const Outcome& outcome, SteadyTime now) {
  ++delivery.attempts;
  if (outcome.kind != Outcome::Kind::kRetry) {
    // Whoever says no is there: others may fare better.
    failures_in_a_row_ = 0;
    const bool delivered = outcome.kind == Outcome::Kind::kDelivered;
    ++(delivered ? counters_.delivered : counters_.rejected);
    counters_.failed_attempts += delivered ? 0 : 1;
    return;
  }
  ++counters_.failed_attempts;
  const Duration asked = std::min(outcome.retry_after, options_.retry_max);
  receiver_due_ = now + std::max(asked, pause_after(++failures_in_a_row_));
  if (delivery.attempts >= options_.attempts_max) {
    ++counters_.given_up;
    return;
  }
  delivery.due = now + std::max(asked, pause_after(delivery.attempts));
  waiting_.push_front(std::move(delivery));  // it is older than all that came meanwhile, or nearly
  make_room();
}

Duration Outbox::pause_after(std::uint32_t failures) {
  Duration longest = options_.retry_first;
  for (std::uint32_t i = 1; i < failures && longest < options_.retry_max; ++i) longest *= 2;
  longest = std::min(longest, options_.retry_max);
  const auto half = static_cast<std::uint64_t>(longest.count() / 2);
  return longest - Duration{static_cast<Duration::rep>(random_.below(half + 1))};
}

}  // namespace liminal::webhook
