#include "server/gateway/testing.hpp"

namespace liminal::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::TestClient;
using testing::verdict;
using traffic::Decision;
using traffic::EventKind;
using wire::Opcode;

/// Gives back what it gets, and lets a test see it.
struct EchoService : LocalService {
  void opened(LocalPeer& peer) override { peers.push_back(&peer); }
  void received(LocalPeer& peer, Opcode opcode, std::string_view payload) override {
    messages.emplace_back(payload);
    if (payload == "bye") return peer.close(wire::CloseCode::kNormal, "bye");
    std::string frame;
    wire::append_frame(frame, opcode, payload);
    (void)peer.send(frame);
  }
  void closed(LocalPeer& peer) override {
    peers.erase(std::find(peers.begin(), peers.end(), &peer));
  }
  std::vector<LocalPeer*> peers;
  std::vector<std::string> messages;
};

class LocalConnection : public testing::GatewayTest {
 protected:
  LocalConnection() {
    local.connect_peers({&local});
    local.configure(std::make_shared<const Settings>(Options{}, nullptr, nullptr));
    auto listener = epoll::Listener::open_at(epoll::Address::parse("127.0.0.1:0").value()).value();
    address = listener.local();
    EXPECT_TRUE(local.listen(std::move(listener)));
  }
  EchoService service;
  Gateway local{loop, engine, &service, census, 0};
};

TEST_F(LocalConnection, TheServiceGetsWholeMessagesWithoutTheirMasks) {
  TestClient& client = connected();
  client.text("hello");
  client.send(Opcode::kText, "in ", false);
  client.send(Opcode::kPing, "p");
  client.send(Opcode::kContinuation, "pieces");
  ASSERT_TRUE(until([&] { return client.messages.size() == 2; }));
  EXPECT_EQ(service.messages, (std::vector<std::string>{"hello", "in pieces"}));
  ASSERT_EQ(client.controls.size(), 1u);
  EXPECT_EQ(client.controls[0], std::pair(Opcode::kPong, std::string("p")));
  EXPECT_EQ(engine.messages().size(), 2u);
}

TEST_F(LocalConnection, ByteByByteIsTheSame) {
  TestClient& client = connected();
  std::string bytes;
  wire::append_frame(bytes, Opcode::kPing, "ping", testing::kMask);
  wire::append_frame(bytes, Opcode::kText, "hello", testing::kMask);
  for (const char byte : bytes) {
    client.write({&byte, 1});
    (void)loop.run_once(milliseconds{1});
  }
  ASSERT_TRUE(until([&] { return client.messages.size() == 1 && client.controls.size() == 1; }));
  EXPECT_EQ(client.controls[0].second, "ping");
}

TEST_F(LocalConnection, ACloseIsAnswered) {
  TestClient& client = connected();
  client.send(Opcode::kClose, std::string("\x03\xE8", 2));
  ASSERT_TRUE(until([&] { return client.ended; }));
  EXPECT_EQ(client.close_code, 1000);
  client.socket.close();
  EXPECT_TRUE(until([&] { return service.peers.empty(); }));
}

TEST_F(LocalConnection, TheServiceMayCloseAndInvalidTextIsRefused) {
  TestClient& client = connected();
  client.text("bye");
  ASSERT_TRUE(until([&] { return client.ended; }));
  EXPECT_EQ(client.close_code, 1000);
  TestClient& invalid = connected();
  invalid.text("\xff");
  ASSERT_TRUE(until([&] { return invalid.ended; }));
  EXPECT_EQ(invalid.close_code, 1007);
  EXPECT_EQ(service.messages.size(), 1u);
}

TEST_F(LocalConnection, ADroppedMessageDoesNotReachTheServiceAndADelayedOneLater) {
  int asked = 0;
  engine.rule = [&](const traffic::Event& event) {
    if (event.kind != EventKind::kMessage) return traffic::Verdict{};
    ++asked;
    if (asked == 1) return verdict(Decision::kDrop);
    return asked == 2 ? verdict(Decision::kDelay, milliseconds{300}) : traffic::Verdict{};
  };
  TestClient& client = connected();
  client.text("one");
  client.text("two");
  client.text("three");
  settle();
  EXPECT_TRUE(service.messages.empty());
  pass_time(seconds{1});
  ASSERT_TRUE(until([&] { return client.messages.size() == 2; }));
  EXPECT_EQ(service.messages, (std::vector<std::string>{"two", "three"}));
}

TEST_F(LocalConnection, WhoLeavesWhileHeldBackIsGoneAtOnce) {
  engine.rule = [](const traffic::Event& event) {
    return event.kind == EventKind::kMessage ? verdict(Decision::kDelay, milliseconds{900})
                                             : traffic::Verdict{};
  };
  TestClient& client = connected();
  for (int i = 0; i < 50; ++i) client.text("x");
  ASSERT_TRUE(until([&] { return engine.messages().size() == 1; }));
  client.socket.close();
  EXPECT_TRUE(until([&] { return service.peers.empty(); }));
  pass_time(seconds{2});
  EXPECT_TRUE(service.messages.empty());
}

TEST_F(LocalConnection, APeerThatDoesNotReadIsToldApartAndCutOff) {
  TestClient slow(address);
  slow.upgrade();
  ASSERT_TRUE(until([&] { return service.peers.size() == 1; }));
  std::string frame;
  wire::append_frame(frame, Opcode::kBinary, std::string(60'000, 'x'));
  bool refused = false;
  for (int i = 0; i < 10'000 && !refused; ++i) {
    refused = !service.peers[0]->send(frame);
    (void)loop.run_once(Duration::zero());
  }
  EXPECT_TRUE(refused);
  pass_time(seconds{11});
  EXPECT_TRUE(until([&] { return service.peers.empty(); }));
}

}  // namespace
}  // namespace liminal::gateway
