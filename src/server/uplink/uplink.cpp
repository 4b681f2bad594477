#include "server/uplink/uplink.hpp"

#include <cstring>
#include <utility>

namespace liminal::uplink {
namespace {

/// A model's file at most, as the registry takes it.
constexpr std::size_t kAnswerBytesMax = std::size_t{256} << 20;
constexpr unsigned kConflict = 409;

std::string words_of(const Result<http::Response>& answer) {
  if (answer) return "answered " + std::to_string(answer->status);
  if (answer.error().code != ErrorCode::kUnavailable)
    return "answered nothing that can be read (" + std::string(name(answer.error().code)) + ")";
  const auto number = static_cast<int>(answer.error().position);
  return number == 0 ? std::string("does not answer") : std::string(std::strerror(number));
}

}  // namespace

Uplink::Uplink(Options options, Ports ports, Clock clock, std::uint64_t seed)
    : options_(std::move(options)),
      ports_(std::move(ports)),
      clock_(std::move(clock)),
      url_(*http::parse_url(options_.url)),
      client_({.timeout = std::chrono::duration_cast<std::chrono::milliseconds>(options_.timeout),
               .body_bytes_max = kAnswerBytesMax,
               .ca_file = {}}),
      outbound_(options_, seed) {}

Uplink::~Uplink() { stop(); }

void Uplink::start() {
  thread_ = std::thread([this] { run(); });
}

void Uplink::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  client_.cancel();
  thread_.join();
}

void Uplink::push(const std::vector<traffic::FeatureRow>& rows) {
  const std::lock_guard lock(mutex_);
  for (const traffic::FeatureRow& row : rows) outbound_.push(row);
}

void Uplink::push(const novelty::Batch& batch) {
  const std::lock_guard lock(mutex_);
  outbound_.push(batch);
}

State Uplink::state() const {
  const std::lock_guard lock(mutex_);
  return {up_, trouble_, outbound_.rows(), outbound_.metrics(), champions_};
}

void Uplink::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    send_all();
    look_for_champions();
    lock.lock();
    changed_.wait_for(lock, options_.send, [this] { return stopping_; });
  }
}

void Uplink::send_all() {
  for (;;) {
    std::optional<Parcel> parcel;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      parcel = outbound_.take(clock_());
    }
    if (!parcel) return;
    const std::string target(target_of(parcel->kind));
    const auto answer = ask("POST", target, body_of(*parcel, options_.name), parcel->key);
    http::Outcome outcome = judge(answer);
    // An attempt whose answer did not come in time is still being worked on there.
    if (answer && answer->status == kConflict) outcome.kind = http::Outcome::Kind::kRetry;
    if (outcome.kind == http::Outcome::Kind::kRejected)
      ports_.note("cluster.refused", target + ": " + words_of(answer));
    {
      const std::lock_guard lock(mutex_);
      outbound_.settle(std::move(*parcel), outcome, clock_());
    }
    look_for_champions();
  }
}

void Uplink::look_for_champions() {
  const SteadyTime now = clock_();
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || now < poll_at_ || now < outbound_.not_before()) return;
  }
  const auto answer = ask("GET", "/ml/models");
  const http::Outcome outcome = judge(answer);
  {
    const std::lock_guard lock(mutex_);
    outbound_.note(outcome.kind, outcome.retry_after, clock_());
  }
  if (outcome.kind == http::Outcome::Kind::kRetry) return;
  poll_at_ = now + options_.poll;
  if (outcome.kind == http::Outcome::Kind::kRejected)
    return ports_.note("cluster.refused", "/ml/models: " + words_of(answer));
  const auto champions = read_champions(answer->body);
  if (!champions) return ports_.note("cluster.refused", "/ml/models: the list makes no sense");
  for (const Champion& champion : *champions)
    if (!refused_.contains(champion.sha256) && ports_.wants(champion)) fetch(champion);
}

void Uplink::fetch(const Champion& champion) {
  auto answer = ask(
      "GET",
      "/ml/models/" + champion.model + "/versions/" + std::to_string(champion.version) + "/file");
  const std::string what = champion.model + " version " + std::to_string(champion.version);
  // Another look brings it.
  if (judge(answer).kind != http::Outcome::Kind::kDone) return;
  if (const auto why = ports_.take(champion, std::move(answer->body))) {
    refused_.insert(champion.sha256);
    return ports_.note("cluster.champion_refused", what + ": " + *why);
  }
  {
    const std::lock_guard lock(mutex_);
    ++champions_;
  }
  ports_.note("cluster.champion", what);
}

Result<http::Response> Uplink::ask(const std::string& method,
                                   const std::string& target,
                                   std::string body,
                                   const std::string& key) {
  http::Url url = url_;
  url.target = target;
  std::vector<http::Header> headers;
  if (!options_.token.empty()) headers.push_back({"Authorization", "Bearer " + options_.token});
  if (!body.empty()) headers.push_back({"Content-Type", "application/json"});
  if (!key.empty()) headers.push_back({"Idempotency-Key", key});
  return client_.send(method, url, headers, std::move(body));
}

http::Outcome Uplink::judge(const Result<http::Response>& answer) {
  const http::Outcome outcome = http::outcome_of(answer);
  const bool up = outcome.kind != http::Outcome::Kind::kRetry;
  bool news = false;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return outcome;
    news = !known_ || up != up_;
    known_ = true;
    up_ = up;
    trouble_ = up ? std::string() : words_of(answer);
  }
  if (news) ports_.note(up ? "cluster.up" : "cluster.away", up ? options_.url : words_of(answer));
  return outcome;
}

}  // namespace liminal::uplink
