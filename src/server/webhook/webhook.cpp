#include "server/webhook/webhook.hpp"

#include <utility>

#include "io/http/client.hpp"
#include "io/json/incident_writer.hpp"
#include "io/json/traffic_writer.hpp"

namespace liminal::webhook {
namespace {

/// How long the thread sleeps at most before it looks at the clock again, which may be scaled.
constexpr std::chrono::milliseconds kNap{1000};

class HttpTransport final : public Transport {
 public:
  explicit HttpTransport(const Options& options)
      : url_(*http::parse_url(options.url)),
        client_({.timeout = std::chrono::duration_cast<std::chrono::milliseconds>(options.timeout),
                 .ca_file = options.ca_file}) {}

  http::Outcome post(const std::vector<http::Header>& headers, const std::string& body) override {
    return http::outcome_of(client_.send("POST", url_, headers, body));
  }

  void cancel() override { client_.cancel(); }

 private:
  const http::Url url_;
  http::Client client_;
};

std::string body_of(const traffic::Alert& alert,
                    Occasion occasion,
                    double salience,
                    const std::optional<salience::Incident>& incident,
                    SteadyTime now) {
  json::Writer out;
  out.begin_object();
  out.field("type", name(occasion));
  out.field("timestamp", now);
  out.key("data");
  json::write(alert, salience, out);
  out.key("incident");
  if (incident) {
    json::write(*incident, out);
  } else {
    out.null();
  }
  out.end_object();
  return out.take();
}

/// One id for one occasion: an alert may become more severe more than once.
std::string id_of(const traffic::Alert& alert, Occasion occasion) {
  std::string id = alert_id(alert);
  id.append("-").append(name(occasion));
  if (occasion == Occasion::kEscalated) id.append("-").append(traffic::name(alert.severity));
  return id;
}

}  // namespace

std::string_view name(Occasion occasion) {
  switch (occasion) {
    case Occasion::kRaised:
      return "alert.raised";
    case Occasion::kEscalated:
      return "alert.escalated";
    case Occasion::kResolved:
      return "alert.resolved";
  }
  return "alert";
}

std::unique_ptr<Transport> make_transport(const Options& options) {
  return std::make_unique<HttpTransport>(options);
}

Webhook::Webhook(const Options& options,
                 std::unique_ptr<Transport> transport,
                 Clock clock,
                 std::uint64_t seed)
    : options_(options),
      transport_(std::move(transport)),
      clock_(std::move(clock)),
      signer_(options.secret.empty() ? std::nullopt : Signer::make(options.secret)),
      outbox_(options, seed),
      thread_([this] { run(); }) {}

Webhook::~Webhook() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  transport_->cancel();
  thread_.join();
}

void Webhook::push(const traffic::Alert& alert,
                   Occasion occasion,
                   double salience,
                   const std::optional<salience::Incident>& incident) {
  if (!wants(alert)) return;
  const SteadyTime now = clock_();
  std::string body = body_of(alert, occasion, salience, incident, now);
  {
    const std::lock_guard lock(mutex_);
    outbox_.push(id_of(alert, occasion), std::move(body), now);
  }
  changed_.notify_all();
}

OutboxCounters Webhook::counters() const {
  const std::lock_guard lock(mutex_);
  return outbox_.counters();
}

std::size_t Webhook::waiting() const {
  const std::lock_guard lock(mutex_);
  return outbox_.size() + (sending_ ? 1 : 0);
}

bool Webhook::drain(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, patience, [this] { return outbox_.size() == 0 && !sending_; });
}

void Webhook::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const SteadyTime now = clock_();
    std::optional<Delivery> delivery = outbox_.take(now);
    if (!delivery) {
      const std::optional<SteadyTime> due = outbox_.next_due();
      if (due) {
        changed_.wait_for(lock, std::min<Duration>(*due - now, kNap));
      } else {
        changed_.wait(lock);
      }
      continue;
    }
    sending_ = true;
    lock.unlock();
    const http::Outcome outcome = transport_->post(headers_of(*delivery, now), delivery->body);
    const SteadyTime then = clock_();
    lock.lock();
    sending_ = false;
    outbox_.settle(std::move(*delivery), outcome, then);
    changed_.notify_all();
  }
}

std::vector<http::Header> Webhook::headers_of(const Delivery& delivery, SteadyTime now) const {
  const std::int64_t timestamp =
      std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  std::vector<http::Header> headers{{"Content-Type", "application/json"},
                                    {"webhook-id", delivery.id},
                                    {"webhook-timestamp", std::to_string(timestamp)}};
  if (signer_)
    headers.push_back({"webhook-signature", signer_->sign(delivery.id, timestamp, delivery.body)});
  return headers;
}

}  // namespace liminal::webhook
