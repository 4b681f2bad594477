#include "server/uplink/uplink.hpp"

#include <string_view>
#include <utility>

#include "io/http/message.hpp"
#include "server/uplink/ask.hpp"

namespace liminal::uplink {
namespace {

constexpr unsigned kConflict = 409;

/// Whether a request is refused for what it is: another token, or another version of the cluster,
/// would not take it either.
bool is_of_the_content(unsigned status) { return status == 400 || status == 413 || status == 422; }

/// As many overrides as an answer lists at most.
constexpr std::string_view kLimitsTarget = "/ml/limits?limit=10000";

}  // namespace

Uplink::Uplink(Options options, Ports ports, Clock clock, std::uint64_t seed)
    : options_(std::move(options)),
      ports_(std::move(ports)),
      clock_(std::move(clock)),
      client_(client_options(options_)),
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

void Uplink::push(const traffic::Alert& alert) {
  const std::lock_guard lock(mutex_);
  outbound_.push(alert);
}

State Uplink::state() const {
  const std::lock_guard lock(mutex_);
  return {up_,
          trouble_,
          outbound_.rows(),
          outbound_.metrics(),
          outbound_.alerts(),
          outbound_.feedback(),
          champions_};
}

void Uplink::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    send_all();
    look();
    lock.lock();
    changed_.wait_for(lock, options_.send, [this] { return stopping_; });
  }
}

void Uplink::send_all() {
  for (;;) {
    fetch_words();
    std::optional<Parcel> parcel;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      parcel = outbound_.take(clock_());
    }
    if (!parcel) return;
    send(std::move(*parcel));
    look();
  }
}

void Uplink::send(Parcel parcel) {
  const std::string target(target_of(parcel.kind));
  const auto answer = ask("POST", target, body_of(parcel, options_.name), parcel.key);
  http::Outcome outcome = judge(answer);
  // An attempt whose answer did not come in time is still being worked on there.
  if (answer && answer->status == kConflict) outcome.kind = http::Outcome::Kind::kRetry;
  const bool refused = outcome.kind == http::Outcome::Kind::kRejected;
  if (refused) ports_.note("cluster.refused", target + ": " + words_of(answer));
  const bool is_words = parcel.kind == Parcel::Kind::kFeedback;
  const std::uint64_t last = parcel.last;
  const bool unreadable = refused && is_of_the_content(answer->status);
  // Words are kept where they came from, until another token is taken.
  if (is_words && refused && !unreadable) {
    words_at_ = clock_() + options_.poll;
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    if (unreadable && outbound_.halve(parcel)) return;
    outbound_.settle(std::move(parcel), outcome, clock_());
  }
  if (is_words && outcome.kind != http::Outcome::Kind::kRetry) ports_.heard(last);
}

void Uplink::fetch_words() {
  if (!ports_.said) return;
  std::size_t wanted = 0;
  {
    const std::lock_guard lock(mutex_);
    if (clock_() >= words_at_) wanted = outbound_.words_wanted();
  }
  Said said = ports_.said(wanted);
  // Of what cannot be told, since its alert is gone, nothing waits.
  if (wanted != 0 && said.words.empty() && said.last != 0) ports_.heard(said.last);
  const std::lock_guard lock(mutex_);
  outbound_.offer(std::move(said));
}

void Uplink::look() {
  const SteadyTime now = clock_();
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || now < poll_at_ || now < outbound_.not_before()) return;
  }
  std::optional<std::string> models, limits, words;
  if (!look_at("/ml/models", models)) return;
  poll_at_ = now + options_.poll;
  if (models) take_champions(*models);
  if (ports_.limits && look_at(std::string(kLimitsTarget), limits) && limits) take_limits(*limits);
  const std::string target =
      "/ml/anomalies/feedback?limit=1000&gateway=" + http::percent_encode(options_.name);
  if (ports_.hear && look_at(target, words) && words) take_words(*words);
}

bool Uplink::look_at(const std::string& target, std::optional<std::string>& body) {
  auto answer = ask("GET", target);
  const http::Outcome outcome = judge(answer);
  {
    const std::lock_guard lock(mutex_);
    outbound_.note(outcome.kind, outcome.retry_after, clock_());
  }
  if (outcome.kind == http::Outcome::Kind::kRetry) return false;
  if (outcome.kind == http::Outcome::Kind::kRejected)
    ports_.note("cluster.refused", target + ": " + words_of(answer));
  else
    body = std::move(answer->body);
  return true;
}

void Uplink::take_champions(const std::string& list) {
  const auto champions = read_champions(list);
  if (!champions) return ports_.note("cluster.refused", "/ml/models: the list makes no sense");
  for (const Champion& champion : *champions)
    if (!refused_.contains(champion.sha256) && ports_.wants(champion)) fetch(champion);
}

void Uplink::take_limits(const std::string& limits) {
  if (limits == refused_limits_) return;
  const auto why = ports_.limits(limits);
  refused_limits_ = why ? limits : std::string();
  if (why) ports_.note("cluster.limits_refused", *why);
}

void Uplink::take_words(const std::string& words) {
  const auto heard = read_words(words);
  if (!heard)
    return ports_.note("cluster.refused", "/ml/anomalies/feedback: the list makes no sense");
  for (auto word = heard->rbegin(); word != heard->rend(); ++word) ports_.hear(*word);
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
  return uplink::ask(client_, options_, method, target, std::move(body), key);
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
