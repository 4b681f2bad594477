#include "load.hpp"

#include <array>
#include <deque>

#include "core/wire/frame_writer.hpp"
#include "core/wire/upgrade_request.hpp"
#include "core/wire/upgrade_response.hpp"

namespace liminal::bench {
namespace {

using State = epoll::Transfer::State;

std::array<char, 1 << 16> buffer;  // NOLINT: one thread, one buffer

}  // namespace

struct EchoServer::Session final : epoll::Handler {
  Session(EchoServer& e, epoll::Socket s) : server(e), socket(std::move(s)) {}

  void on_ready(epoll::Ready ready) override {
    for (;;) {
      const epoll::Transfer got = socket.read(buffer);
      if (got.state == State::kEnd || got.state == State::kFailed) {
        socket.close();
        --server.open_;
      }
      if (got.state != State::kDone) return;
      take({buffer.data(), got.bytes});
      if (got.bytes < buffer.size() && !ready.ended) return;
    }
  }

  void take(std::string_view bytes) {
    if (!upgraded) {
      head.append(bytes);
      const auto request = wire::parse_upgrade_request(head);
      if (!request) return;
      std::string answer;
      wire::append_switching(answer, request->key);
      (void)socket.write(answer);
      upgraded = true;
      head = {};
      return;
    }
    out.clear();
    while (const auto part = parser.next(bytes, {})) {
      if (part->frame_begins)
        out.append(wire::FrameHeader(part->opcode, true, part->frame_bytes, {}).bytes());
      const std::size_t at = out.size();
      out.resize(at + part->payload.size());
      wire::apply_mask(part->mask, part->payload, out.data() + at);
    }
    (void)socket.write(out);
  }

  EchoServer& server;
  epoll::Socket socket;
  wire::FrameParser parser{wire::Sender::kClient};
  std::string head, out;
  bool upgraded = false;
};

struct EchoServer::Door final : epoll::Handler {
  explicit Door(EchoServer& s) : server(s) {}
  void on_ready(epoll::Ready) override {
    while (auto accepted = server.listener_.accept()) {
      server.sessions_.push_back(std::make_unique<Session>(server, std::move(accepted->first)));
      ++server.open_;
      (void)server.loop_.add(server.sessions_.back()->socket, *server.sessions_.back());
    }
  }
  EchoServer& server;
};

EchoServer::EchoServer(epoll::Loop& loop, const std::string& at)
    : loop_(loop),
      listener_(epoll::Listener::open_at(epoll::Address::parse(at).value()).value()),
      door_(std::make_unique<Door>(*this)) {
  (void)loop_.add(listener_, *door_);
}

EchoServer::~EchoServer() = default;

struct Load::Client final : epoll::Handler {
  Client(Load& l, epoll::Socket s) : load(l), socket(std::move(s)) {}

  void on_ready(epoll::Ready) override {
    for (;;) {
      const epoll::Transfer got = socket.read(buffer);
      if (got.state != State::kDone) return;
      take({buffer.data(), got.bytes});
      if (got.bytes < buffer.size()) return;
    }
  }

  void take(std::string_view bytes) {
    if (!upgraded) {
      head.append(bytes);
      if (head.find("\r\n\r\n") == std::string::npos) return;
      upgraded = head.compare(9, 3, "101") == 0;
      if (upgraded) ++load.open_;
      return;
    }
    std::size_t done = 0;
    while (const auto part = parser.next(bytes, {})) done += part->message_ends ? 1U : 0U;
    load.round_trips_ += done;
    if (load.running_) return send(done);
    const auto now = std::chrono::steady_clock::now();
    for (; done > 0 && !sent.empty(); --done, sent.pop_front())
      load.latencies_us_.push_back(
          std::chrono::duration<double, std::micro>(now - sent.front()).count());
  }

  void send(std::size_t count) {
    if (count == 0) return;
    out.clear();
    for (std::size_t i = 0; i < count; ++i) out += load.frame_;
    (void)socket.write(out);
  }

  Load& load;
  epoll::Socket socket;
  wire::FrameParser parser{wire::Sender::kServer};
  std::string head, out;
  bool upgraded = false;
  std::deque<std::chrono::steady_clock::time_point> sent;  ///< on the way, when paced
};

Load::Load(epoll::Loop& loop, const std::string& address, const LoadShape& shape)
    : loop_(loop), in_flight_(shape.in_flight) {
  const std::string text = R"({"type":"publish","channel":"room","content":")";
  std::string payload = text;
  while (payload.size() + 2 < shape.payload_bytes)
    payload += static_cast<char>('a' + payload.size() % 26);
  wire::append_frame(
      frame_, wire::Opcode::kText, payload + "\"}", wire::Mask::from_bits(0x5eadbeef));
  const auto to = epoll::Address::parse(address).value();
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds{60};
  while (open_ < shape.connections && std::chrono::steady_clock::now() < give_up) {
    // A few at a time: nobody's backlog is meant to overflow.
    if (clients_.size() < shape.connections && clients_.size() < open_ + 200) {
      auto socket = epoll::connect(to);
      if (!socket) return;
      auto client = std::make_unique<Client>(*this, std::move(*socket));
      (void)loop_.add(client->socket, *client);
      std::string request;
      const std::string user = "user-" + std::to_string(clients_.size());
      const std::array<wire::Field, 1> fields{{{"X-User-Id", user}}};
      wire::append_client_request(request, "bench", "/", "dGhlIHNhbXBsZSBub25jZQ==", fields);
      // On loopback a connection is there at once, or its backlog is full.
      while (client->socket.write(request).state == State::kBlocked)
        (void)loop_.run_once(std::chrono::milliseconds{1});
      clients_.push_back(std::move(client));
      (void)loop_.run_once(Duration::zero());
    } else {
      (void)loop_.run_once(std::chrono::milliseconds{1});
    }
  }
  ok_ = open_ == shape.connections;
}

Load::~Load() = default;

void Load::begin() {
  running_ = true;
  for (const auto& client : clients_) client->send(in_flight_);
}

void Load::send_next() {
  Client& client = *clients_[turn_++ % clients_.size()];
  client.sent.push_back(std::chrono::steady_clock::now());
  client.send(1);
}

}  // namespace liminal::bench
