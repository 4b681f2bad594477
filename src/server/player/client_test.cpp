#include "server/player/client.hpp"

#include <gtest/gtest.h>

#include "server/player/test_server.hpp"

namespace liminal::player {
namespace {

using State = Client::State;
using End = Client::End;

class Recorder : public ClientOwner {
 public:
  void opened(Client&) override { ++times_opened; }
  void received(Client&, const wire::Message& message) override {
    messages.emplace_back(message.payload);
  }
  void closed(Client&) override { ++times_closed; }
  int times_opened = 0, times_closed = 0;
  std::vector<std::string> messages;
};

class ClientTest : public ::testing::Test {
 protected:
  epoll::Loop loop;
  testing::TestServer server{loop};
  Recorder owner;
  Client client{loop, owner, 1};

  [[nodiscard]] bool start() { return client.start(server.target(), {}); }
  [[nodiscard]] bool until_closed() {
    return server.until([&] { return client.state() == State::kClosed; });
  }
};

TEST_F(ClientTest, SendsWhatItWasToldBeforeItWasOpenAndHearsTheAnswers) {
  ASSERT_TRUE(start());
  EXPECT_TRUE(client.send("one"));
  EXPECT_TRUE(client.send("two"));
  ASSERT_TRUE(server.until([&] { return owner.messages.size() == 2; }));
  EXPECT_EQ(owner.messages, (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(owner.times_opened, 1);
  EXPECT_TRUE(client.send(std::string(100'000, 'x')));
  ASSERT_TRUE(server.until([&] { return owner.messages.size() == 3; }));
  EXPECT_EQ(owner.messages[2].size(), 100'000u);
}

TEST_F(ClientTest, ClosesBehindWhatItSent) {
  ASSERT_TRUE(start());
  EXPECT_TRUE(client.send("last words"));
  client.close();
  EXPECT_FALSE(client.send("too late"));
  ASSERT_TRUE(until_closed());
  EXPECT_EQ(client.why(), End::kClosed);
  EXPECT_EQ(owner.messages, std::vector<std::string>{"last words"});
  EXPECT_EQ(server.sessions[0]->close_code, wire::CloseCode::kNormal);
  EXPECT_EQ(owner.times_closed, 1);
}

TEST_F(ClientTest, AnswersPingsAndTheServersClose) {
  ASSERT_TRUE(start());
  ASSERT_TRUE(server.until([&] { return owner.times_opened == 1; }));
  std::string frames;
  wire::append_frame(frames, wire::Opcode::kPing, "beat");
  wire::append_close(frames, wire::CloseCode::kTryAgainLater, "slow down");
  server.sessions[0]->write(frames);
  ASSERT_TRUE(until_closed());
  EXPECT_EQ(client.close_code(), wire::CloseCode::kTryAgainLater);
  ASSERT_TRUE(server.until([&] { return server.sessions[0]->close_code.has_value(); }));
  ASSERT_EQ(server.sessions[0]->messages.size(), 1u);
  EXPECT_EQ(server.sessions[0]->messages[0].first, wire::Opcode::kPong);
  EXPECT_EQ(server.sessions[0]->messages[0].second, "beat");
}

TEST_F(ClientTest, TellsWithWhichStatusItWasRefused) {
  server.answer = [](std::string_view) {
    std::string out;
    wire::append_refusal(out, 429, "too many connections");
    return out;
  };
  ASSERT_TRUE(start());
  ASSERT_TRUE(until_closed());
  EXPECT_EQ(client.why(), End::kRefused);
  EXPECT_EQ(client.status(), 429u);
}

TEST_F(ClientTest, RefusesAnAnswerToAnotherKey) {
  server.answer = [](std::string_view) {
    return testing::TestServer::switching("AAAAAAAAAAAAAAAAAAAAAA==");
  };
  ASSERT_TRUE(start());
  ASSERT_TRUE(until_closed());
  EXPECT_EQ(client.why(), End::kNotWebSocket);
}

TEST_F(ClientTest, RefusesFramesThatBreakTheProtocol) {
  server.answer = [](std::string_view key) {
    return testing::TestServer::switching(key) + "\xFF\xFF\xFF";
  };
  ASSERT_TRUE(start());
  ASSERT_TRUE(until_closed());
  EXPECT_EQ(client.why(), End::kNotWebSocket);
}

TEST_F(ClientTest, TellsWhenNobodyListens) {
  const Target target = server.target();
  server.listener.close();
  if (client.start(target, {})) {
    ASSERT_TRUE(until_closed());
  }
  EXPECT_EQ(client.why(), End::kUnreachable);
}

TEST_F(ClientTest, RefusesToQueueMoreThanItsBound) {
  ASSERT_TRUE(start());
  EXPECT_TRUE(client.send(std::string(Client::kWaitingBytesMax / 2, 'x')));
  EXPECT_FALSE(client.send(std::string(Client::kWaitingBytesMax / 2, 'x')));
}

}  // namespace
}  // namespace liminal::player
