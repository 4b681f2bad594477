#include "server/gateway/handshake.hpp"

#include <algorithm>
#include <utility>

#include "server/gateway/local_connection.hpp"
#include "server/gateway/proxy_protocol.hpp"

namespace liminal::gateway {
namespace {

using State = epoll::Transfer::State;

/// How long a refused client may take to hang up. Closing at once could take the answer with it.
constexpr Duration kRefusalLinger = std::chrono::seconds{2};
constexpr Duration kConnectionsRetry = std::chrono::seconds{10};

bool owns_place(const std::vector<std::unique_ptr<epoll::Retired>>& list,
                std::size_t place,
                const Handshake* handshake) {
  return place < list.size() && list[place].get() == handshake;
}

std::string retry_after_text(Duration duration) {
  return std::to_string(std::chrono::ceil<std::chrono::seconds>(duration).count());
}

}  // namespace

Handshake::Handshake(Thread& thread, Arrival arrival)
    : thread_(thread), settings_(thread.settings), arrival_(std::move(arrival)) {
  thread_.counters.handshakes_begun.add();
}

Handshake::~Handshake() { thread_.counters.handshakes_ended.add(); }

Handshake* Handshake::settle(Thread& thread, Arrival arrival) {
  auto handshake = std::make_unique<Handshake>(thread, std::move(arrival));
  Handshake* self = handshake.get();
  self->place_ = thread.handshakes.size();
  thread.handshakes.push_back(std::move(handshake));
  if (!thread.loop.add(self->arrival_.client.socket(), self->client_events_)) {
    thread.counters.rejections[static_cast<std::size_t>(Rejection::kOverloaded)].add();
    self->done();
    return nullptr;
  }
  return self;
}

void Handshake::accept(Thread& thread, epoll::Stream client, const epoll::Address& peer) {
  Arrival arrival;
  arrival.client = std::move(client);
  arrival.peer = peer;
  arrival.accepted = thread.loop.now();
  Handshake* self = settle(thread, std::move(arrival));
  if (self == nullptr) return;
  const Options& options = self->settings_->options;
  thread.loop.arm(*self, options.handshake_timeout);
  if (options.proxy_protocol && is_trusted(options, peer)) {
    self->stage_ = Stage::kProxyHeader;
  } else {
    self->start_cipher();
  }
}

void Handshake::adopt(Thread& thread, Arrival arrival) {
  if (Handshake* self = settle(thread, std::move(arrival))) self->enter();
}

void Handshake::shut_down() {
  if (done_ || stage_ == Stage::kRefused) return;
  refuse(503, Rejection::kShuttingDown, "the server is shutting down");
}

bool Handshake::refuse_if_blocked(const traffic::Name& user) {
  if (done_ || !entered_ || arrival_.identity->user().text != user.text) return false;
  if (!thread_.engine.blocks(event(traffic::EventKind::kConnect))) return false;
  refuse(403, Rejection::kBlocked, "this user or address is blocked");
  return true;
}

void Handshake::on_ready(bool client, epoll::Ready) {
  if (done_) return;
  if (client) return on_client();
  if (stage_ == Stage::kConnecting) return on_connected();
  if (stage_ == Stage::kUpstreamGreeting) return ask_upstream();
  if (stage_ == Stage::kAnswer) return read_answer();
  if (stage_ == Stage::kRefusal) read_refusal();
}

void Handshake::on_timer() {
  switch (stage_) {
    case Stage::kGreeting:
    case Stage::kProxyHeader:
    case Stage::kRequest:
      return refuse(408, Rejection::kHandshakeTimeout, "the request did not arrive in time");
    case Stage::kConnecting:
      return upstream_failed("no connection in time");
    case Stage::kUpstreamGreeting:
      return upstream_failed("no TLS handshake in time");
    case Stage::kAnswer:
      note_failure("no answer to the upgrade in time");
      return refuse(504, Rejection::kUpstreamUnavailable, "the server behind did not answer");
    case Stage::kRefusal:
      return pass_refusal();
    case Stage::kRefused:
      return done();
  }
}

void Handshake::on_client() {
  while (!done_) {
    if (stage_ == Stage::kGreeting && !greet()) return;
    const epoll::Transfer got = arrival_.client.read(room());
    if (got.state == State::kBlocked) return;
    if (got.state != State::kDone) {
      // Gone before it was let in. What is on its way to an upstream is called off.
      leave();
      return done();
    }
    on_bytes({thread_.buffer.data(), got.bytes});
  }
}

/// Begins with the first byte that is the client's own.
void Handshake::start_cipher() {
  stage_ = Stage::kRequest;
  if (!settings_->ciphers.clients) return;
  auto cipher = settings_->ciphers.clients->start(arrival_.client.socket(), {});
  if (!cipher) {
    thread_.counters.rejections[static_cast<std::size_t>(Rejection::kOverloaded)].add();
    return done();
  }
  arrival_.client.put_under(std::move(cipher));
  stage_ = Stage::kGreeting;
  // A greeting that finds no room must hear when there is some.
  thread_.loop.watch_writing(arrival_.client.socket(), client_events_, true);
}

/// Goes on with the greeting; true when it is over and the connection still there.
bool Handshake::greet() {
  const epoll::Transfer greeted = arrival_.client.greet();
  if (greeted.state == State::kBlocked) return false;
  if (greeted.state != State::kDone) {
    thread_.counters.rejections[static_cast<std::size_t>(Rejection::kCipherFailed)].add();
    done();
    return false;
  }
  stage_ = Stage::kRequest;
  thread_.loop.watch_writing(arrival_.client.socket(), client_events_, false);
  return true;
}

/// Of the proxy's header no byte too many is read: what follows it may be a cipher's.
std::span<char> Handshake::room() const {
  const std::span<char> all(thread_.buffer);
  return stage_ == Stage::kProxyHeader ? all.first(missing_of_proxy_header(arrival_.head)) : all;
}

void Handshake::on_bytes(std::string_view bytes) {
  switch (stage_) {
    case Stage::kProxyHeader:
      arrival_.head.append(bytes);
      return read_proxy_header();
    case Stage::kRequest:
      arrival_.head.append(bytes);
      return read_request();
    case Stage::kConnecting:
    case Stage::kUpstreamGreeting:
    case Stage::kAnswer:
    case Stage::kRefusal:
      return refuse(400, Rejection::kBadRequest, wire::name(wire::UpgradeFault::kEarlyBytes));
    case Stage::kGreeting:
    case Stage::kRefused:
      return;
  }
}

void Handshake::read_proxy_header() {
  const auto header = parse_proxy_header(arrival_.head);
  if (!header) return refuse(400, Rejection::kBadRequest, "no PROXY protocol header");
  if (!*header) return;
  if ((*header)->source) arrival_.peer = *(*header)->source;
  arrival_.head.clear();
  start_cipher();
}

void Handshake::read_request() {
  const auto request = request_reader_.read(arrival_.head, settings_->options.head);
  if (!request)
    return refuse(
        wire::status(request.error()), Rejection::kBadRequest, wire::name(request.error()));
  if (*request) identify(**request);
}

void Handshake::identify(const wire::UpgradeRequest& request) {
  const Claim claim =
      gateway::identify(request, arrival_.peer, settings_->options, settings_->tokens.get());
  if (claim.ambiguous)
    return refuse(400, Rejection::kBadRequest, "an identity header stands there more than once");
  if (claim.user.empty())
    return refuse(401, Rejection::kUnauthorized, "who this is was not said, or not believed");
  arrival_.trusted = claim.trusted;
  arrival_.identity = std::make_unique<Identity>(claim.user, claim.address);
  const std::size_t owner = thread_.engine.owner(arrival_.identity->shard());
  if (owner == thread_.index) return enter();
  thread_.loop.remove(arrival_.client.socket());
  thread_.counters.handed_over.add();
  if (!thread_.hand_over(owner, std::move(arrival_)))
    thread_.counters.rejections[static_cast<std::size_t>(Rejection::kOverloaded)].add();
  done();
}

void Handshake::enter() {
  if (thread_.draining) return refuse(503, Rejection::kShuttingDown, "the server is shutting down");
  const Identity& who = *arrival_.identity;
  const auto of_address =
      thread_.census.enter(who.user().hash, who.address().hash, settings_->options);
  if (!of_address) return refuse(503, Rejection::kTooManyConnections, "too many connections");
  entered_ = true;
  id_ = thread_.next_connection();
  if (!judge(*of_address)) return;
  if (settings_->upstreams && !settings_->upstreams->empty()) return dial();
  if (thread_.service != nullptr) return serve_locally();
  refuse(503, Rejection::kUpstreamUnavailable, "there is no server behind");
}

bool Handshake::judge(std::uint32_t of_address) {
  traffic::Event connect = event(traffic::EventKind::kConnect);
  connect.address_connections = of_address;
  const traffic::Verdict verdict = thread_.engine.decide(connect);
  const auto reason = static_cast<std::size_t>(verdict.reason);
  if (verdict.decision == traffic::Decision::kAllow) {
    if (verdict.shadow != traffic::Decision::kAllow) thread_.counters.shadow[reason].add();
    return true;
  }
  thread_.counters.closed_by_limit[reason].add();
  // The engine has not counted a connection that it refused, and must not hear that it ended.
  entered_ = false;
  leave_census();
  if (verdict.reason == traffic::Reason::kBlocked || verdict.reason == traffic::Reason::kFinding) {
    refuse(403, Rejection::kBlocked, "this user or address is blocked");
  } else {
    // Nobody knows when one of the connections that are open will end.
    const Duration wait =
        verdict.retry_after == Duration::max() ? kConnectionsRetry : verdict.retry_after;
    refuse(429, Rejection::kRateLimited, "too many connections for now", wait);
  }
  return false;
}

traffic::Event Handshake::event(traffic::EventKind kind) const {
  traffic::Event event;
  event.user = arrival_.identity->user();
  event.address = arrival_.identity->address();
  event.kind = kind;
  event.connection = id_;
  event.time = thread_.engine.now();
  return event;
}

void Handshake::serve_locally() {
  const wire::UpgradeRequest asked = request();
  std::string head;
  wire::append_switching(head, asked.key);
  if (!write_client(head)) {
    leave();
    return done();
  }
  thread_.counters.opened.add();
  thread_.handshake_seconds.observe(thread_.loop.now() - arrival_.accepted);
  auto local = std::make_unique<LocalConnection>(
      thread_, std::move(arrival_.identity), std::move(arrival_.client), id_);
  LocalConnection& connection = *local;
  connection.set_place(thread_.connections.size());
  thread_.connections.push_back(std::move(local));
  done();
  connection.start();
}

bool Handshake::write_client(std::string_view bytes) {
  return arrival_.client.write(bytes).bytes == bytes.size();
}

void Handshake::refuse(unsigned status,
                       Rejection why,
                       std::string_view detail,
                       Duration retry_after) {
  const std::string wait = retry_after_text(retry_after);
  const wire::Field field{"Retry-After", wait};
  std::string bytes;
  wire::append_refusal(bytes,
                       status,
                       detail,
                       retry_after > Duration::zero() ? std::span<const wire::Field>(&field, 1)
                                                      : std::span<const wire::Field>());
  refuse_with(bytes, status, why);
}

void Handshake::refuse_with(std::string_view answer, unsigned status, Rejection why) {
  thread_.counters.rejections[static_cast<std::size_t>(why)].add();
  // Who comes back after that comes back because of the server.
  leave(status >= 500 ? traffic::EventKind::kNotServed : traffic::EventKind::kDisconnect);
  upstream_.close();
  if (stage_ == Stage::kGreeting) return done();  // nothing could be said under its cipher
  if (!write_client(answer)) return done();
  arrival_.client.finish_writing();
  stage_ = Stage::kRefused;
  thread_.loop.arm(*this, kRefusalLinger);
}

void Handshake::leave(traffic::EventKind how) {
  if (!std::exchange(entered_, false)) return;
  (void)thread_.engine.decide(event(how));
  leave_census();
}

void Handshake::leave_census() {
  thread_.census.leave(arrival_.identity->user().hash, arrival_.identity->address().hash);
}

void Handshake::done() {
  if (done_) return;
  done_ = true;
  cancel();
  upstream_.close();
  arrival_.client.close();
  if (owns_place(thread_.handshakes, place_, this)) {
    std::unique_ptr<epoll::Retired> self = std::move(thread_.handshakes[place_]);
    if (place_ + 1 != thread_.handshakes.size()) {
      thread_.handshakes[place_] = std::move(thread_.handshakes.back());
      static_cast<Handshake&>(*thread_.handshakes[place_]).place_ = place_;
    }
    thread_.handshakes.pop_back();
    thread_.loop.retire(std::move(self));
  }
}

}  // namespace liminal::gateway
