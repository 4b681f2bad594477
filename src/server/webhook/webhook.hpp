#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/base/time.hpp"
#include "core/salience/incidents.hpp"
#include "core/traffic/alert.hpp"
#include "io/http/message.hpp"
#include "server/webhook/options.hpp"
#include "server/webhook/outbox.hpp"
#include "server/webhook/signature.hpp"

namespace liminal::webhook {

/// What happened to an alert.
enum class Occasion : std::uint8_t { kRaised, kEscalated, kResolved };
/// "alert.raised", "alert.escalated", "alert.resolved".
[[nodiscard]] std::string_view name(Occasion occasion);

/// Carries one attempt to the receiver and waits for its answer. Called on the webhook's thread.
class Transport {
 public:
  virtual ~Transport() = default;
  [[nodiscard]] virtual http::Outcome post(const std::vector<http::Header>& headers,
                                           const std::string& body) = 0;
  /// Ends a `post` that waits, and all later ones. From any thread.
  virtual void cancel() = 0;
};

/// The real one, over HTTP(S). `options` must be valid and have a URL.
[[nodiscard]] std::unique_ptr<Transport> make_transport(const Options& options);

/// Pushes alerts to somebody else's HTTP server, as JSON, signed (signature.hpp), one at a time:
///
///     {"type": "alert.raised", "timestamp": "…", "data": {…}, "incident": {…}}
///
/// `data` and `incident` are as the API's schemas Alert and Incident have them; the incident is
/// null for the first alert of one.
///
/// An alert is pushed when it is raised, becomes more severe, or is resolved, if it is severe
/// enough. At least once: an answer that was lost means a repetition with the same `webhook-id`.
/// What waits is lost with the process; the store has every alert.
///
/// `push` never waits for the network: it appends to a bounded queue (outbox.hpp) under a short
/// lock. Thread-safe. One thread of its own.
class Webhook {
 public:
  /// Now, for schedules and timestamps: nanoseconds since 1970.
  using Clock = std::function<SteadyTime()>;

  /// `options` must be valid and have a URL. The seed is that of the retries' jitter.
  Webhook(const Options& options,
          std::unique_ptr<Transport> transport,
          Clock clock,
          std::uint64_t seed);
  /// Drops what waits and ends the attempt that is under way.
  ~Webhook();
  Webhook(const Webhook&) = delete;
  Webhook& operator=(const Webhook&) = delete;

  /// Whether an alert is severe enough.
  [[nodiscard]] bool wants(const traffic::Alert& alert) const {
    return alert.severity >= options_.min_severity;
  }

  /// `salience`: of the alert, 0–1, provisional when it was just raised. `incident`: that it is
  /// part of, as far as that is known.
  void push(const traffic::Alert& alert,
            Occasion occasion,
            double salience,
            const std::optional<salience::Incident>& incident = {});

  [[nodiscard]] OutboxCounters counters() const;
  [[nodiscard]] std::size_t waiting() const;

  /// Waits until nothing waits or is under way, or the time is over; true for the former. For a
  /// shutdown that drains.
  bool drain(std::chrono::milliseconds patience);

 private:
  void run();
  [[nodiscard]] std::vector<http::Header> headers_of(const Delivery& delivery,
                                                     SteadyTime now) const;

  const Options options_;
  const std::unique_ptr<Transport> transport_;
  const Clock clock_;
  const std::optional<Signer> signer_;
  mutable std::mutex mutex_;  // of what follows
  std::condition_variable changed_;
  Outbox outbox_;
  bool sending_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace liminal::webhook
