#include "server/gateway/testing.hpp"

namespace liminal::gateway {
namespace {

using std::chrono::milliseconds;
using testing::GatewayTest;
using testing::kMask;
using testing::TestClient;
using testing::TestUpstream;
using testing::verdict;
using traffic::Decision;
using wire::Opcode;

class Tally : public GatewayTest {
 protected:
  [[nodiscard]] UpstreamTotals of_upstream() const { return upstreams->all().at(0)->totals(); }
};

TEST_F(Tally, CountsWhatWasPassedOnAndNotWhatLimitsDropped) {
  start();
  engine.rule = [](const traffic::Event& event) {
    if (event.kind != traffic::EventKind::kMessage) return traffic::Verdict{};
    if (event.bytes == 4) return verdict(Decision::kDrop);
    return event.bytes == 5 ? verdict(Decision::kDelay, milliseconds{500}) : traffic::Verdict{};
  };
  TestClient& client = connected();
  client.text("ab");
  client.send(Opcode::kText, "abc", false);
  client.send(Opcode::kPing, "p");
  client.send(Opcode::kContinuation, "def", true);
  client.text("drop");
  client.text("later");
  ASSERT_TRUE(until([&] { return client.messages.size() == 2; }));
  EXPECT_EQ(of_upstream().messages[0], 3U);
  EXPECT_EQ(of_upstream().bytes[0], upstream.last().raw.size());
  pass_time(milliseconds{600});
  ASSERT_TRUE(until([&] { return client.messages.size() == 3; }));
  const UpstreamTotals all = of_upstream();
  EXPECT_EQ(all.messages, (std::array<std::uint64_t, 2>{4, 3}));
  EXPECT_EQ(all.bytes[0], upstream.last().raw.size());
  EXPECT_EQ(all.bytes[1], (2U + 2) + (2U + 6) + (2U + 5));
  EXPECT_EQ(totals().messages[0][0], 4U) << "of everybody the dropped one, too";
}

TEST_F(Tally, CountsAnswersThatMatchTheErrorPattern) {
  start({.error_values = {"error"}});
  TestClient& client = connected();
  client.text(R"({"type":"error"})");
  client.text(R"({"type":"message"})");
  ASSERT_TRUE(until([&] { return client.messages.size() == 2; }));
  EXPECT_EQ(of_upstream().error_answers, 1U);
}

TEST_F(Tally, TimesTheUpstreamsAnswerToAnUpgradeWhateverItIs) {
  upstream.answer = [this](std::string_view head) {
    ahead += milliseconds{30};
    return TestUpstream::switching(head);
  };
  start();
  EXPECT_EQ(of_upstream().answer_seconds.count(), 0U);
  (void)connected();
  EXPECT_EQ(of_upstream().answer_seconds.count(), 1U);
  EXPECT_NEAR(of_upstream().answer_seconds.sum, .03, 1e-12);
  upstream.answer = [this](std::string_view) {
    ahead += milliseconds{50};
    return std::string("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
  };
  client().upgrade();
  ASSERT_TRUE(until([&] { return clients.back()->status() == 503; }));
  EXPECT_NEAR(of_upstream().answer_seconds.sum, .08, 1e-12);
}

TEST_F(Tally, IsOneOfEachThreadAndKeptByAReload) {
  start();
  upstreams->all()[0]->tally(5).messages[1].add(7);
  upstreams->all()[0]->tally(1).messages[1].add(2);
  upstreams->all()[0]->tally(5).messages[1].add(1);
  upstreams = Upstreams::make({"ws://127.0.0.1:1", upstream.url()}, upstreams.get()).value();
  EXPECT_EQ(upstreams->all()[0]->totals().messages[1], 0U);
  EXPECT_EQ(upstreams->all()[1]->totals().messages[1], 10U);
}

TEST_F(Tally, OfAMessageInSixtyFourTheTimeInTheGatewayIsTaken) {
  start();
  upstream.echo = false;
  engine.rule = [this](const traffic::Event& event) {
    if (event.kind == traffic::EventKind::kMessage) ahead += milliseconds{2};
    return traffic::Verdict{};
  };
  TestClient& client = connected();
  for (std::size_t i = 1; i <= 130; ++i) {
    client.text("x");
    ASSERT_TRUE(until([&] { return upstream.last().messages.size() == i; }));
  }
  EXPECT_EQ(gateway.message_seconds().count(), 2U);
  EXPECT_NEAR(gateway.message_seconds().sum, .004, 1e-12);
}

}  // namespace
}  // namespace liminal::gateway
