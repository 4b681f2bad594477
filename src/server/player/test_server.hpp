#pragma once

// A WebSocket server for the tests of this folder, on the test's own loop.

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/wire/frame_writer.hpp"
#include "core/wire/message_reader.hpp"
#include "core/wire/upgrade_request.hpp"
#include "core/wire/upgrade_response.hpp"
#include "io/epoll/loop.hpp"
#include "server/player/target.hpp"

namespace liminal::player::testing {

/// Answers every upgrade as it is told, and echoes messages.
class TestServer {
 public:
  struct Session final : epoll::Handler {
    Session(TestServer& o, epoll::Socket s) : owner(o), socket(std::move(s)) {}
    void on_ready(epoll::Ready) override {
      std::string buffer(65'536, '\0');
      while (socket.open()) {
        const epoll::Transfer got = socket.read(buffer);
        if (got.state == epoll::Transfer::State::kBlocked) return;
        if (got.state != epoll::Transfer::State::kDone) return socket.close();
        take(std::string_view(buffer).substr(0, got.bytes));
      }
    }
    void take(std::string_view bytes) {
      if (!upgraded) {
        head.append(bytes);
        const auto request = wire::parse_upgrade_request(head);
        if (!request) return;
        user = request->fields.find("X-User-Id").value_or("");
        address = request->fields.find("X-Forwarded-For").value_or("");
        upgraded = true;
        return write(owner.answer(request->key));
      }
      while (const auto message = reader.next(bytes)) {
        if (message->opcode == wire::Opcode::kClose) {
          close_code = wire::read_close(message->payload).code;
          std::string frame;
          wire::append_close(frame, *close_code);
          write(frame);
          return;
        }
        messages.emplace_back(message->opcode, message->payload);
        if (message->opcode != wire::Opcode::kText) continue;
        std::string frame;
        wire::append_frame(frame, wire::Opcode::kText, message->payload);
        write(frame);
      }
      EXPECT_FALSE(reader.failed());
    }
    void write(std::string_view bytes) { (void)socket.write(bytes); }

    TestServer& owner;
    epoll::Socket socket;
    std::string head, user, address;
    bool upgraded = false;
    wire::MessageReader reader{wire::Sender::kClient, {}};
    std::vector<std::pair<wire::Opcode, std::string>> messages;
    std::optional<wire::CloseCode> close_code;
  };

  explicit TestServer(epoll::Loop& l)
      : loop(l),
        listener(epoll::Listener::open_at(epoll::Address::parse("127.0.0.1:0").value()).value()),
        door(*this) {
    EXPECT_TRUE(loop.add(listener, door));
  }

  [[nodiscard]] Target target() const {
    return Target::parse("ws://" + listener.local().text() + "/chat").value();
  }

  static std::string switching(std::string_view key) {
    std::string out;
    wire::append_switching(out, key);
    return out;
  }

  /// Runs the loop until something holds, at most for some seconds.
  [[nodiscard]] bool until(const std::function<bool()>& holds) {
    for (int turns = 0; turns < 20'000 && !holds(); ++turns)
      (void)loop.run_once(std::chrono::milliseconds{1});
    return holds();
  }

  epoll::Loop& loop;
  epoll::Listener listener;
  std::function<std::string(std::string_view)> answer = switching;
  std::vector<std::unique_ptr<Session>> sessions;

 private:
  struct Door final : epoll::Handler {
    explicit Door(TestServer& o) : owner(o) {}
    void on_ready(epoll::Ready) override {
      while (auto accepted = owner.listener.accept()) {
        owner.sessions.push_back(std::make_unique<Session>(owner, std::move(accepted->first)));
        EXPECT_TRUE(owner.loop.add(owner.sessions.back()->socket, *owner.sessions.back()));
      }
    }
    TestServer& owner;
  } door;
};

}  // namespace liminal::player::testing
