#include "server/gateway/health.hpp"

#include "server/gateway/testing.hpp"

namespace liminal::gateway {
namespace {

using std::chrono::seconds;
using testing::TestUpstream;
using Check = HealthOptions::Check;

class Health : public testing::GatewayTest, public Reporter {
 protected:
  Health() { gateway.report_to(*this); }

  void upstream_failed(const std::string&, const std::string&) override {}
  void upstream_changed(const std::string&, bool up, const std::string& why) override {
    changes.push_back(up ? "up" : "down: " + why);
  }
  void start_checking(Check check, std::vector<std::string> urls = {"default"}) {
    health = {.check = check, .path = "/well"};
    start({}, std::move(urls));
    pass_time(std::chrono::milliseconds{50});
  }
  [[nodiscard]] Upstream& first() const { return *upstreams->all().front(); }
  /// The next check and what comes of it.
  void check_again() { pass_time(seconds{6}); }

  std::vector<std::string> changes;
};

TEST_F(Health, ThreeBadChecksTakeAnUpstreamOutAndTwoGoodOnesBringItBack) {
  auto other = std::make_unique<TestUpstream>(loop);
  const epoll::Address where = other->listener.local();
  start_checking(Check::kTcp, {other->url(), upstream.url()});
  EXPECT_TRUE(first().up());
  other->listener.close();
  check_again();
  check_again();
  EXPECT_TRUE(first().up()) << "two are a mishap";
  check_again();
  EXPECT_FALSE(first().up());
  EXPECT_EQ(changes, std::vector<std::string>{"down: Connection refused"});
  const std::uint64_t errors = first().errors();
  connected();
  EXPECT_EQ(first().errors(), errors) << "nobody has to try it any more";

  const auto& old_sessions = other->sessions;
  TestUpstream again(loop, where.text());
  check_again();
  EXPECT_FALSE(first().up());
  check_again();
  EXPECT_TRUE(first().up());
  EXPECT_EQ(changes.back(), "up");
  EXPECT_FALSE(old_sessions.empty());
}

TEST_F(Health, WithNoneWellOneIsTriedAllTheSame) {
  start_checking(Check::kTcp);
  first().set_up(false);
  connected();
}

TEST_F(Health, AnHttpCheckGoesByTheStatus) {
  std::string status = "204 No Content";
  upstream.answer = [&](std::string_view head) {
    EXPECT_EQ(head.substr(0, 20), "GET /well HTTP/1.1\r\n");
    return "HTTP/1.1 " + status + "\r\n\r\n";
  };
  start_checking(Check::kHttp);
  check_again();
  EXPECT_TRUE(first().up());
  EXPECT_GE(upstream.sessions.size(), 2u);
  status = "503 Not Now";
  for (int i = 0; i < 3; ++i) check_again();
  EXPECT_FALSE(first().up());
  EXPECT_EQ(changes, std::vector<std::string>{"down: status 503"});
}

TEST_F(Health, AWebSocketCheckWantsAValidUpgrade) {
  start_checking(Check::kWebSocket);
  check_again();
  EXPECT_TRUE(first().up());
  EXPECT_FALSE(upstream.last().head.empty());
  upstream.answer = [](std::string_view) {
    return std::string(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: wrong\r\n\r\n");
  };
  for (int i = 0; i < 3; ++i) check_again();
  EXPECT_FALSE(first().up());
}

TEST_F(Health, AnUpstreamThatAcceptsAndSaysNothingIsDown) {
  upstream.answer = [](std::string_view) { return std::string(); };
  start_checking(Check::kHttp);
  for (int i = 0; i < 6; ++i) pass_time(seconds{6});
  EXPECT_FALSE(first().up());
  EXPECT_EQ(changes, std::vector<std::string>{"down: no answer in time"});
}

TEST_F(Health, WithoutChecksNobodyIsAskedAndNobodyStaysDown) {
  start_checking(Check::kTcp);
  first().set_up(false);
  health.check = Check::kNone;
  configure({});
  EXPECT_TRUE(first().up());
  settle();
  const std::size_t asked = upstream.sessions.size();
  check_again();
  EXPECT_EQ(upstream.sessions.size(), asked);
}

TEST_F(Health, ChecksGoOnOverAReloadAndEndWithTheGateway) {
  start_checking(Check::kTcp);
  configure({});
  check_again();
  const std::size_t asked = upstream.sessions.size();
  EXPECT_GE(asked, 2u);
  gateway.drain();
  check_again();
  check_again();
  EXPECT_EQ(upstream.sessions.size(), asked);
}

}  // namespace
}  // namespace liminal::gateway
