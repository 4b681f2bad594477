#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "core/base/random.hpp"
#include "core/base/time.hpp"
#include "io/http/retry.hpp"
#include "server/webhook/options.hpp"

namespace liminal::webhook {

struct Delivery {
  std::string id;  ///< the same for every attempt: receivers tell repetitions by it
  std::string body;
  std::uint32_t attempts = 0;  ///< made so far
  SteadyTime due;              ///< of the next one
};

/// What became of what was put in; each delivery ends in exactly one of the first four.
struct OutboxCounters {
  std::uint64_t delivered = 0;
  std::uint64_t rejected = 0;
  std::uint64_t given_up = 0;    ///< after the last attempt
  std::uint64_t overflowed = 0;  ///< pushed out by a younger one
  std::uint64_t failed_attempts = 0;
};

/// The waiting deliveries and when each is tried next: the pure part, told the time.
///
/// Back-off: the pause after a delivery's failed attempt is uniform in [d/2, d], d that of
/// `http::Backoff`, and no shorter than the receiver asked for (up to retry_max). The receiver as a
/// whole backs off by the same formula over its failures in a row: a dead one gets one attempt a
/// pause, however many deliveries wait; a single delivery that fails does not hold up the others
/// for longer than that.
///
/// At most `queue_max` wait; the oldest goes first when there are more. Not thread-safe.
class Outbox {
 public:
  /// `options` must be valid.
  Outbox(const Options& options, std::uint64_t seed) : options_(options), random_(seed) {}

  void push(std::string id, std::string body, SteadyTime now);

  /// Takes out the delivery that is to be tried at `now`, if any; `settle` must follow.
  [[nodiscard]] std::optional<Delivery> take(SteadyTime now);
  void settle(Delivery delivery, const http::Outcome& outcome, SteadyTime now);

  /// When `take` will next give something; none while nothing waits.
  [[nodiscard]] std::optional<SteadyTime> next_due() const;

  [[nodiscard]] std::size_t size() const { return waiting_.size(); }
  [[nodiscard]] const OutboxCounters& counters() const { return counters_; }

 private:
  [[nodiscard]] Duration pause_after(std::uint32_t failures);
  [[nodiscard]] std::deque<Delivery>::const_iterator earliest() const;
  void make_room();

  Options options_;
  Random random_;
  std::deque<Delivery> waiting_;  ///< oldest first
  std::uint32_t failures_in_a_row_ = 0;
  SteadyTime receiver_due_{};
  OutboxCounters counters_;
};

}  // namespace liminal::webhook
