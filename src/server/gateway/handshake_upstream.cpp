// The part of a handshake that is between this and the upstream.
#include <utility>

#include "server/gateway/handshake.hpp"
#include "server/gateway/relay.hpp"

namespace liminal::gateway {
namespace {

using State = epoll::Transfer::State;

}  // namespace

void Handshake::dial() {
  for (;;) {
    server_ = settings_->upstreams->pick(thread_.loop.now(), tried_);
    if (server_ == nullptr)
      return refuse(502, Rejection::kUpstreamUnavailable, "the server behind cannot be reached");
    tried_.push_back(server_.get());
    const auto address = server_->address();
    if (!address) {
      note_failure("its name is not known");
      continue;
    }
    Result<epoll::Socket> socket = epoll::connect(*address);
    if (socket) {
      upstream_ = epoll::Stream(std::move(*socket));
      if (thread_.loop.add(upstream_.socket(), upstream_events_)) break;
    }
    note_failure(socket ? "not to be watched" : epoll::system_words(socket.error().position));
  }
  stage_ = Stage::kConnecting;
  thread_.loop.watch_writing(upstream_.socket(), upstream_events_, true);
  thread_.loop.arm(*this, settings_->options.connect_timeout);
}

void Handshake::upstream_failed(const std::string& why) {
  note_failure(why);
  dial();
}

void Handshake::note_failure(const std::string& why) {
  upstream_.close();
  server_->failed(thread_.loop.now());
  thread_.counters.upstream_failures.add();
  if (thread_.reporter != nullptr) thread_.reporter->upstream_failed(server_->name(), why);
}

void Handshake::on_connected() {
  const int error = upstream_.socket().take_error();
  if (error != 0) return upstream_failed(epoll::system_words(static_cast<std::uint64_t>(error)));
  if (server_->ciphered()) {
    const auto& factory = settings_->ciphers.upstreams;
    auto cipher = factory ? factory->start(upstream_.socket(), server_->host()) : nullptr;
    if (!cipher) return upstream_failed("TLS cannot begin");
    upstream_.put_under(std::move(cipher));
  }
  stage_ = Stage::kUpstreamGreeting;
  ask_upstream();
}

wire::UpgradeRequest Handshake::request() const {
  // It was read before, on whichever thread: what was accepted is accepted again.
  return *wire::parse_upgrade_request(arrival_.head);
}

void Handshake::ask_upstream() {
  const epoll::Transfer greeted = upstream_.greet();
  if (greeted.state == State::kBlocked) return;
  if (greeted.state != State::kDone) return upstream_failed("TLS: " + upstream_.problem());
  thread_.loop.watch_writing(upstream_.socket(), upstream_events_, false);
  const Options& options = settings_->options;
  std::vector<std::string_view> dropped;
  if (!arrival_.trusted) dropped = untrusted_fields(options);
  std::vector<wire::Field> added;
  if (options.forward_address)
    added.push_back({"X-Forwarded-For", arrival_.identity->address().text});
  if (options.forward_address && arrival_.trusted) dropped.push_back("X-Forwarded-For");
  std::string bytes;
  wire::append_request(bytes,
                       request(),
                       {.dropped = dropped,
                        .added = added,
                        .host = options.upstream_host,
                        .target = {},
                        .strip_extensions = true});
  // A new socket has room for a request: one that has none is broken.
  if (upstream_.write(bytes).bytes != bytes.size())
    return upstream_failed("no room for the upgrade request");
  stage_ = Stage::kAnswer;
  asked_ = thread_.loop.now();
  thread_.loop.arm(*this, options.answer_timeout);
}

void Handshake::read_answer() {
  while (!done_) {
    const epoll::Transfer got = upstream_.read(thread_.buffer);
    if (got.state == State::kBlocked) return;
    if (got.state != State::kDone) {
      const std::string problem = upstream_.problem();
      note_failure(problem.empty() ? "hung up before its answer" : "TLS: " + problem);
      return refuse(502, Rejection::kUpstreamUnavailable, "the server behind hung up");
    }
    answer_.append(thread_.buffer.data(), got.bytes);
    const wire::UpgradeRequest asked = request();
    const wire::UpgradeOffer offer{
        asked.key, asked.fields.find("Sec-WebSocket-Protocol").value_or(""), false};
    const auto answer = answer_reader_.read(answer_, offer, settings_->options.head);
    if (!answer) {
      const std::string fault(wire::name(answer.error()));
      note_failure("a faulty answer to the upgrade: " + fault);
      return refuse(502, Rejection::kUpstreamRefused, fault);
    }
    if (*answer) return on_answer(**answer);
  }
}

void Handshake::on_answer(const wire::UpgradeResponse& answer) {
  server_->succeeded();
  server_->tally(thread_.index).answer_seconds.observe(thread_.loop.now() - asked_);
  if (!answer.switched()) {
    // What answers the request as if it had asked for no upgrade is a page, and of no use here.
    if (answer.status < 300 || answer.status > 599)
      return refuse(502, Rejection::kUpstreamRefused, "the server behind refused the connection");
    refusal_ = std::make_unique<Refusal>(answer);
    stage_ = Stage::kRefusal;
    if (refusal_->body.take(std::string_view(answer_).substr(answer.head_bytes)) !=
        wire::BodyReader::State::kMore)
      return pass_refusal();
    return read_refusal();
  }
  std::string head;
  wire::append_response(head, answer);
  if (!write_client(head)) {
    leave();
    return done();
  }
  server_->joined();
  thread_.counters.opened.add();
  thread_.handshake_seconds.observe(thread_.loop.now() - arrival_.accepted);
  auto relay = std::make_unique<Relay>(thread_,
                                       std::move(arrival_.identity),
                                       std::move(arrival_.client),
                                       std::move(upstream_),
                                       std::move(server_),
                                       id_,
                                       answer_.substr(answer.head_bytes));
  Relay& connection = *relay;
  connection.set_place(thread_.connections.size());
  thread_.connections.push_back(std::move(relay));
  done();
  connection.start();
}

void Handshake::read_refusal() {
  wire::BodyReader& body = refusal_->body;
  while (body.state() == wire::BodyReader::State::kMore) {
    const epoll::Transfer got = upstream_.read(thread_.buffer);
    if (got.state == State::kBlocked) return;
    if (got.state == State::kFailed) break;
    (void)(got.state == State::kEnd ? body.end() : body.take({thread_.buffer.data(), got.bytes}));
  }
  pass_refusal();
}

/// What cannot be passed on of a body is not told in parts.
void Handshake::pass_refusal() {
  const bool whole = refusal_->body.state() == wire::BodyReader::State::kDone;
  std::string bytes;
  wire::append_passed_refusal(
      bytes,
      refusal_->head,
      whole ? std::optional<std::string_view>(refusal_->body.body()) : std::nullopt);
  refuse_with(bytes, refusal_->head.status, Rejection::kUpstreamRefused);
}

}  // namespace liminal::gateway
