#include "server/webhook/outbox.hpp"

#include <algorithm>
#include <utility>

namespace liminal::webhook {

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

void Outbox::settle(Delivery delivery, const http::Outcome& outcome, SteadyTime now) {
  using Kind = http::Outcome::Kind;
  ++delivery.attempts;
  if (outcome.kind != Kind::kRetry) {
    // Whoever says no is there: others may fare better.
    failures_in_a_row_ = 0;
    const bool delivered = outcome.kind == Kind::kDone;
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
  const Duration longest = http::Backoff{options_.retry_first, options_.retry_max}.pause(failures);
  const auto half = static_cast<std::uint64_t>(longest.count() / 2);
  return longest - Duration{static_cast<Duration::rep>(random_.below(half + 1))};
}

}  // namespace liminal::webhook
