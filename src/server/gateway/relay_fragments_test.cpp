#include "server/gateway/testing.hpp"

namespace liminal::gateway {
namespace {

using std::chrono::milliseconds;
using testing::GatewayTest;
using testing::kMask;
using testing::TestClient;
using testing::verdict;
using traffic::Decision;
using traffic::EventKind;
using traffic::Reason;
using wire::Opcode;

class RelayFragments : public GatewayTest {};

TEST_F(RelayFragments, HoldsAMessageBackUntilItIsWhole) {
  start();
  TestClient& client = connected();
  std::string frame;
  wire::append_frame(frame, Opcode::kText, "slowly", kMask);
  for (const char byte : frame.substr(0, frame.size() - 1)) {
    client.write({&byte, 1});
    settle();
  }
  EXPECT_TRUE(upstream.last().raw.empty());
  EXPECT_TRUE(engine.messages().empty());
  client.write({&frame.back(), 1});
  ASSERT_TRUE(until([&] { return client.messages.size() == 1; }));
  EXPECT_EQ(engine.messages().at(0).content_hash, hash64("slowly"));
}

TEST_F(RelayFragments, JudgesAMessageThatStaysIncompleteByWhatIsKnownAndLetsItPass) {
  start();
  TestClient& client = connected();
  std::string frame;
  wire::append_frame(frame, Opcode::kText, "0123456789", kMask);
  client.write(frame.substr(0, 9));
  settle();
  pass_time(milliseconds{200});
  ASSERT_EQ(engine.messages().size(), 1u);
  EXPECT_EQ(engine.messages()[0].bytes, 10u) << "as its header says";
  EXPECT_FALSE(engine.messages()[0].content_hash.has_value());
  EXPECT_EQ(upstream.last().raw, frame.substr(0, 9));
  client.write(frame.substr(9));
  ASSERT_TRUE(until([&] { return client.messages.size() == 1; }));
  EXPECT_EQ(engine.messages().size(), 1u);
}

TEST_F(RelayFragments, JudgesALargeMessageByItsHeader) {
  start();
  TestClient& client = connected();
  std::string frame;
  wire::append_frame(frame, Opcode::kBinary, std::string(500'000, 'x'), kMask);
  client.write(frame.substr(0, 1000));
  settle();
  ASSERT_EQ(engine.messages().size(), 1u);
  EXPECT_EQ(engine.messages()[0].bytes, 500'000u);
  for (std::size_t at = 1000; at < frame.size(); at += 50'000) {
    client.write(std::string_view(frame).substr(at, 50'000));
    settle();
  }
  ASSERT_TRUE(until([&] { return client.messages.size() == 1; }));
  EXPECT_EQ(engine.messages().size(), 1u);
}

TEST_F(RelayFragments, AFragmentedMessageIsOneAndAnswersForAllItsBytes) {
  start({.hold_time_max = milliseconds{10}});
  traffic::Verdict would_be;
  would_be.shadow = Decision::kDrop;
  would_be.observed = Decision::kClose;
  engine.rule = [&](const traffic::Event& event) {
    return event.kind == EventKind::kMessage ? would_be : traffic::Verdict{};
  };
  TestClient& client = connected();
  client.send(Opcode::kBinary, std::string(100, 'x'), false);
  settle();
  pass_time(milliseconds{100});
  client.send(Opcode::kContinuation, std::string(900, 'x'), true);
  ASSERT_TRUE(until([&] { return client.messages.size() == 1; }));
  // However late its end comes, it is no second message of the user's.
  ASSERT_EQ(engine.messages().size(), 1u);
  EXPECT_EQ(engine.messages()[0].bytes, 100u);
  ASSERT_EQ(engine.count(EventKind::kContinued), 1u);
  EXPECT_EQ(engine.seen.back().counted, 100u);
  EXPECT_EQ(engine.seen.back().bytes, 1000u);
  EXPECT_EQ(engine.seen.back().begun, traffic::Beginning(would_be));
}

TEST_F(RelayFragments, WhatMakesAMessageTooLargeAtItsEndClosesTheConnection) {
  start({.hold_time_max = milliseconds{10}});
  engine.rule = [](const traffic::Event& event) {
    return event.kind == EventKind::kContinued
               ? verdict(Decision::kClose, Duration::max(), Reason::kMessageSize)
               : traffic::Verdict{};
  };
  TestClient& client = connected();
  client.send(Opcode::kBinary, std::string(100, 'x'), false);
  settle();
  pass_time(milliseconds{100});
  client.send(Opcode::kContinuation, std::string(900, 'x'), true);
  ASSERT_TRUE(until([&] { return client.ended; }));
  EXPECT_EQ(client.close_code, 1009);
}

TEST_F(RelayFragments, ADroppedMessageGoesWithItsFragmentsWhileControlFramesPass) {
  start();
  engine.rule = [](const traffic::Event& event) {
    return event.kind == EventKind::kMessage && event.bytes == 6 ? verdict(Decision::kDrop)
                                                                 : traffic::Verdict{};
  };
  TestClient& client = connected();
  client.send(Opcode::kText, "ab", false);
  client.send(Opcode::kPing, "one");
  client.send(Opcode::kContinuation, "cd", false);
  client.send(Opcode::kPing, "two");
  client.send(Opcode::kContinuation, "ef", true);
  client.text("kept");
  ASSERT_TRUE(until([&] { return client.messages.size() == 1; }));
  EXPECT_EQ(upstream.last().messages, std::vector<std::string>{"kept"});
  EXPECT_EQ(upstream.last().controls.size(), 2u);
  EXPECT_EQ(totals().dropped[static_cast<std::size_t>(Reason::kUserMessages)], 1u);
}

TEST_F(RelayFragments, ADropOfWhatWasJudgedEarlyCoversTheFragmentsThatComeLater) {
  start({.hold_time_max = milliseconds{10}});
  engine.rule = [](const traffic::Event& event) {
    return event.kind == EventKind::kMessage && event.bytes == 2 ? verdict(Decision::kDrop)
                                                                 : traffic::Verdict{};
  };
  TestClient& client = connected();
  client.send(Opcode::kText, "ab", false);
  settle();
  pass_time(milliseconds{100});
  client.send(Opcode::kPing, "p");
  client.send(Opcode::kContinuation, "cd", false);
  client.send(Opcode::kContinuation, "ef", true);
  client.text("kept");
  ASSERT_TRUE(until([&] { return client.messages.size() == 1; }));
  EXPECT_EQ(upstream.last().messages, std::vector<std::string>{"kept"});
  EXPECT_EQ(upstream.last().controls.size(), 1u);
}

}  // namespace
}  // namespace liminal::gateway
