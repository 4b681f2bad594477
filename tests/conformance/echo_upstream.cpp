// A WebSocket server that gives every message back, held to every rule of RFC 6455 by core/wire,
// without extensions: the upstream of the conformance tests. It says where it listens on its first
// line, and to whoever asks with `?head` it sends the upgrade request that it got, as a message.
//
//   echo_upstream [HOST:PORT]
#include <cstdio>
#include <memory>
#include <string>

#include "core/wire/frame_writer.hpp"
#include "core/wire/message_reader.hpp"
#include "core/wire/upgrade_request.hpp"
#include "core/wire/upgrade_response.hpp"
#include "io/epoll/loop.hpp"

namespace liminal {
namespace {

constexpr wire::FrameLimits kLimits{.message_bytes_max = 64U << 20U, .fragments_max = 1U << 20U};

class Session final : public epoll::Handler, public epoll::Retired {
 public:
  explicit Session(epoll::Socket socket) : socket_(std::move(socket)) {}

  /// The session takes care of itself until its end, which retires it.
  static void start(epoll::Loop& loop, epoll::Socket socket) {
    auto session = std::make_unique<Session>(std::move(socket));
    session->loop_ = &loop;
    if (!loop.add(session->socket_, *session)) return;
    loop.watch_writing(session->socket_, *session, true);
    Session& self = *session;
    self.self_ = std::move(session);
  }

  void on_ready(epoll::Ready) override {
    if (!socket_.open()) return;
    flush();
    std::string buffer(std::size_t{64} * 1024, '\0');
    while (socket_.open()) {
      const epoll::Transfer got = socket_.read(buffer);
      if (got.state == epoll::Transfer::State::kBlocked) break;
      if (got.state != epoll::Transfer::State::kDone) return end();
      take(std::string_view(buffer).substr(0, got.bytes));
      flush();
    }
  }

 private:
  void take(std::string_view bytes) {
    if (!upgraded_) return take_request(bytes);
    while (!said_goodbye_) {
      const auto message = reader_.next(bytes);
      if (!message) break;
      answer(*message);
    }
    if (reader_.failed() && !said_goodbye_) goodbye(reader_.close_code(), reader_.fault_name());
  }

  void take_request(std::string_view bytes) {
    head_.append(bytes);
    const auto request = request_.read(head_, {});
    if (!request) {
      wire::append_refusal(out_, request.error());
      said_goodbye_ = true;
    } else if (*request) {
      upgraded_ = true;
      wire::append_switching(out_, (*request)->key);
      if ((*request)->target.find("?head") != std::string_view::npos)
        wire::append_frame(out_, wire::Opcode::kBinary, head_);
    }
  }

  void answer(const wire::Message& message) {
    switch (message.opcode) {
      case wire::Opcode::kText:
      case wire::Opcode::kBinary:
        return wire::append_frame(out_, message.opcode, message.payload);
      case wire::Opcode::kPing:
        return wire::append_frame(out_, wire::Opcode::kPong, message.payload);
      case wire::Opcode::kClose:
        return goodbye(wire::read_close(message.payload).code, {});
      default:
        return;
    }
  }

  void goodbye(wire::CloseCode code, std::string_view reason) {
    wire::append_close(out_, code, reason);
    said_goodbye_ = true;
  }

  void flush() {
    while (sent_ < out_.size()) {
      const epoll::Transfer done = socket_.write(std::string_view(out_).substr(sent_));
      if (done.state == epoll::Transfer::State::kBlocked) return;
      if (done.state != epoll::Transfer::State::kDone) return end();
      sent_ += done.bytes;
    }
    out_.clear();
    sent_ = 0;
    if (said_goodbye_) end();
  }

  void end() {
    if (!socket_.open()) return;
    socket_.finish_writing();
    socket_.close();
    loop_->retire(std::move(self_));
  }

  epoll::Loop* loop_ = nullptr;
  std::unique_ptr<Session> self_;
  epoll::Socket socket_;
  wire::UpgradeRequestReader request_;
  wire::MessageReader reader_{wire::Sender::kClient, kLimits};
  std::string head_, out_;
  std::size_t sent_ = 0;
  bool upgraded_ = false, said_goodbye_ = false;
};

struct Door final : epoll::Handler {
  Door(epoll::Loop& l, epoll::Listener s) : loop(l), listener(std::move(s)) {}
  void on_ready(epoll::Ready) override {
    while (auto accepted = listener.accept()) Session::start(loop, std::move(accepted->first));
  }
  epoll::Loop& loop;
  epoll::Listener listener;
};

int run(std::string_view where) {
  const auto address = epoll::Address::parse(where);
  if (!address) return std::fputs("usage: echo_upstream [HOST:PORT]\n", stderr), 2;
  auto listener = epoll::Listener::open_at(*address);
  if (!listener) return std::fputs("echo_upstream: cannot listen there\n", stderr), 1;
  epoll::Loop loop;
  Door door(loop, std::move(*listener));
  if (!loop.add(door.listener, door)) return 1;
  std::printf("ready listen=%s\n", door.listener.local().text().c_str());
  std::fflush(stdout);
  loop.run();
  return 0;
}

}  // namespace
}  // namespace liminal

int main(int argc, char** argv) { return liminal::run(argc > 1 ? argv[1] : "127.0.0.1:0"); }
