#include <random>

#include "server/gateway/testing.hpp"

namespace liminal::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::GatewayTest;
using testing::kMask;
using testing::TestClient;
using testing::verdict;
using traffic::Decision;
using traffic::EventKind;
using traffic::Reason;
using wire::Opcode;

class Relay : public GatewayTest {};

TEST_F(Relay, PassesMessagesBothWaysAndFramesAsTheyAre) {
  start();
  TestClient& client = connected();
  client.text("hello");
  ASSERT_TRUE(until([&] { return client.messages.size() == 1; }));
  EXPECT_EQ(client.messages[0], "hello");
  std::string frame;
  wire::append_frame(frame, Opcode::kText, "hello", kMask);
  EXPECT_EQ(upstream.last().raw, frame) << "under the client's own mask";
}

TEST_F(Relay, AsksTheEngineAboutEachMessageByItsContent) {
  start();
  TestClient& client = connected();
  const std::string text = R"({"type":"publish","channel":"room-7","content":"x"})";
  client.text(text);
  client.send(Opcode::kBinary, "abc");
  ASSERT_TRUE(until([&] { return client.messages.size() == 2; }));
  const auto seen = engine.messages();
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].user, "127.0.0.1");
  EXPECT_EQ(seen[0].address, "127.0.0.1");
  EXPECT_EQ(seen[0].channel, "room-7");
  EXPECT_EQ(seen[0].bytes, text.size());
  EXPECT_EQ(seen[0].content_hash, hash64(text));
  EXPECT_EQ(seen[1].channel, "");
  EXPECT_EQ(seen[1].content_hash, hash64("abc"));
}

TEST_F(Relay, TakesWhatAClientSaysByItselfForNoContent) {
  start({.channel_path = "room", .signal_path = "op", .signal_values = {"hb", "typing"}});
  TestClient& client = connected();
  const std::string typing = R"({"op":"typing","room":"7"})";
  const std::vector<std::pair<std::string, bool>> cases = {
      {R"({"op":"hb"})", true},
      {typing, true},
      {R"({"op":"say","room":"7","content":"hb"})", false},
      {R"({"op":"hb","room":")" + std::string(300, 'x') + R"("})", false},
      {"hb", false},
  };
  for (const auto& each : cases) client.text(each.first);
  client.send(Opcode::kBinary, typing);
  ASSERT_TRUE(until([&] { return client.messages.size() == cases.size() + 1; }));
  const auto seen = engine.messages();
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const std::uint64_t content =
        cases[i].second ? traffic::kSignalContent : hash64(cases[i].first);
    EXPECT_EQ(seen.at(i).content_hash, content) << cases[i].first;
  }
  EXPECT_EQ(seen.at(1).channel, "7");
  EXPECT_EQ(seen.back().content_hash, hash64(typing)) << "binary is not looked into";
}

TEST_F(Relay, WhoIsBlockedLosesHisConnectionsAtOnce) {
  Options options;
  options.trusted_proxies = {*epoll::Network::parse("127.0.0.0/8")};
  start(options);
  TestClient& first = connected("/", "X-User-Id: spy\r\n");
  TestClient& friends = connected("/", "X-User-Id: ann\r\n");
  TestClient& second = connected("/", "X-User-Id: spy\r\n");
  gateway.end_blocked(traffic::Name("spy"));
  settle();
  EXPECT_FALSE(first.close_code || second.close_code) << "the engine does not block him";
  engine.blocked = "spy";
  gateway.end_blocked(traffic::Name("ann"));
  gateway.end_blocked(traffic::Name("spy"));
  ASSERT_TRUE(until([&] { return first.ended && second.ended; }));
  EXPECT_EQ(first.close_code, 1008);
  EXPECT_EQ(second.close_code, 1008);
  EXPECT_EQ(ended(Closing::kBlocked), 2u);
  const std::pair done(std::string("spy"), Decision::kClose);
  EXPECT_EQ(engine.hardenings, std::vector(2, done));
  friends.text("still here");
  ASSERT_TRUE(until([&] { return friends.messages.size() == 1; }));
  first.socket.close();
  second.socket.close();
  EXPECT_TRUE(until([&] { return gateway.connections() == 1; }));
}

TEST_F(Relay, ReadsAChannelAsTheServerWould) {
  start({.channel_path = "data.room"});
  TestClient& client = connected();
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"({"data":{"room":"no"},"data":{"room":"last of equal keys"}})", "last of equal keys"},
      {R"({"data":{"room":"caf\u00e9"}})", "caf\xC3\xA9"},
      {R"( {"data":{"room":7}})", "7"},
      {R"({"data":"room"})", ""},
      {"no JSON at all", ""},
  };
  for (const auto& [text, channel] : cases) client.text(text);
  ASSERT_TRUE(until([&] { return client.messages.size() == cases.size(); }));
  for (std::size_t i = 0; i < cases.size(); ++i)
    EXPECT_EQ(engine.messages().at(i).channel, cases[i].second) << cases[i].first;
}

TEST_F(Relay, LooksIntoArraysToo) {
  start({.channel_path = "2"});
  TestClient& client = connected();
  client.text(R"(["1","1","room:lobby","new_msg",{}])");
  ASSERT_TRUE(until([&] { return client.messages.size() == 1; }));
  EXPECT_EQ(engine.messages().at(0).channel, "room:lobby");
}

TEST_F(Relay, TellsTheEngineOfTheBeginningAndTheEndOfAConnection) {
  start();
  TestClient& client = connected();
  EXPECT_EQ(engine.count(EventKind::kConnect), 1u);
  EXPECT_EQ(gateway.connections(), 1u);
  client.socket.close();
  ASSERT_TRUE(until([&] { return gateway.connections() == 0; }));
  EXPECT_EQ(engine.count(EventKind::kDisconnect), 1u);
  EXPECT_EQ(census.total(), 0u);
  EXPECT_EQ(totals().opened - totals().closed, 0u);
  EXPECT_TRUE(until([&] { return upstream.last().ended; }));
}

TEST_F(Relay, GivesTheSameBytesHoweverTheyAreCut) {
  start();
  std::mt19937 random(1);  // NOLINT(cert-msc51-cpp): the same cuts each time
  for (int round = 0; round < 20; ++round) {
    TestClient& client = connected();
    std::string bytes;
    std::vector<std::string> sent;
    for (int i = 0; i < 20; ++i) {
      sent.emplace_back(random() % 3 == 0 ? random() % 20'000 : random() % 200, 'a');
      if (random() % 4 == 0) {
        wire::append_frame(bytes, Opcode::kText, sent.back(), kMask, false);
        wire::append_frame(bytes, Opcode::kPing, "p", kMask);
        wire::append_frame(bytes, Opcode::kContinuation, "tail", kMask);
        sent.back() += "tail";
      } else {
        wire::append_frame(bytes, Opcode::kText, sent.back(), kMask);
      }
    }
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t size = std::min<std::size_t>(bytes.size() - at, 1 + random() % 3000);
      client.write(std::string_view(bytes).substr(at, size));
      at += size;
      (void)loop.run_once(Duration::zero());
      client.read();
    }
    ASSERT_TRUE(until([&] { return client.messages.size() == sent.size(); })) << round;
    EXPECT_TRUE(client.messages == sent);
    EXPECT_TRUE(upstream.last().messages == sent);
    EXPECT_EQ(upstream.last().raw.size(), bytes.size());
  }
}

TEST_F(Relay, ADelayKeepsTheOrderAndReadsNothingMoreMeanwhile) {
  start();
  int asked = 0;
  engine.rule = [&](const traffic::Event& event) {
    return event.kind == EventKind::kMessage && ++asked == 2
               ? verdict(Decision::kDelay, milliseconds{500})
               : traffic::Verdict{};
  };
  TestClient& client = connected();
  client.text("one");
  client.text("two");
  client.text("three");
  ASSERT_TRUE(until([&] { return client.messages.size() == 1; }));
  client.text("four");
  settle();
  EXPECT_EQ(upstream.last().messages.size(), 1u);
  EXPECT_EQ(asked, 2);
  pass_time(seconds{1});
  ASSERT_TRUE(until([&] { return client.messages.size() == 4; }));
  EXPECT_EQ(client.messages, (std::vector<std::string>{"one", "two", "three", "four"}));
  EXPECT_EQ(totals().delayed[static_cast<std::size_t>(Reason::kUserMessages)], 1u);
}

TEST_F(Relay, WhoLeavesWhileHeldBackForfeitsWhatWasBeyondTheLimit) {
  start();
  int asked = 0;
  engine.rule = [&](const traffic::Event& event) {
    return event.kind == EventKind::kMessage && ++asked >= 2
               ? verdict(Decision::kDelay, milliseconds{900})
               : traffic::Verdict{};
  };
  TestClient& client = connected();
  for (int i = 0; i < 50; ++i) client.text("x");
  client.socket.close();
  ASSERT_TRUE(until([&] { return upstream.last().messages.size() == 1; }));
  ASSERT_TRUE(until([&] { return upstream.last().ended; }));
  pass_time(seconds{6});
  EXPECT_TRUE(until([&] { return gateway.connections() == 0; }));
  EXPECT_EQ(upstream.last().messages.size(), 1u);
  EXPECT_EQ(engine.count(EventKind::kDisconnect), 1u);
}

TEST_F(Relay, WhoIsHeldBackWithoutAPauseIsClosedAfterAWhile) {
  start({.held_back_max = seconds{5}});
  engine.rule = [&](const traffic::Event& event) {
    return event.kind == EventKind::kMessage ? verdict(Decision::kDelay, milliseconds{900})
                                             : traffic::Verdict{};
  };
  TestClient& client = connected();
  for (int i = 0; i < 50; ++i) client.text("x");
  for (int i = 0; i < 12 && !client.ended; ++i) {
    pass_time(seconds{1});
    settle();
  }
  EXPECT_EQ(client.close_code, 1013);
  EXPECT_EQ(ended(Closing::kRateLimited), 1u);
  EXPECT_LE(upstream.last().messages.size(), 7u);
  using Hardenings = decltype(engine.hardenings);
  EXPECT_EQ(engine.hardenings, (Hardenings{{"127.0.0.1", Decision::kClose}}));
  EXPECT_EQ(totals().delays_closed, 1u);
}

TEST_F(Relay, ADelayThatIsTooLongIsADropAndTold) {
  start({.delay_max = seconds{2}});
  Duration wait = seconds{2};
  engine.rule = [&](const traffic::Event& event) {
    return event.kind == EventKind::kMessage ? verdict(Decision::kDelay, wait) : traffic::Verdict{};
  };
  TestClient& client = connected();
  client.text("x");
  settle();
  pass_time(seconds{3});
  ASSERT_TRUE(until([&] { return upstream.last().messages.size() == 1; }));
  EXPECT_TRUE(engine.hardenings.empty());
  wait = seconds{3};
  client.text("y");
  ASSERT_TRUE(until([&] { return totals().delays_dropped == 1; }));
  ASSERT_EQ(engine.hardenings.size(), 1u);
  EXPECT_EQ(engine.hardenings[0].second, Decision::kDrop);
  EXPECT_EQ(totals().dropped[static_cast<std::size_t>(Reason::kUserMessages)], 1u);
}

TEST_F(Relay, ReadsOfWhoKeepsToTheLimitsGrow) {
  start();
  TestClient& client = connected();
  const std::string large(300'000, 'y');
  for (int i = 0; i < 3; ++i) client.send(Opcode::kBinary, large);
  ASSERT_TRUE(until([&] { return client.messages.size() == 3; }));
  EXPECT_EQ(client.messages[2], large);
}

TEST_F(Relay, ClosesWith1013ForNowAnd1008ForGood) {
  start();
  Reason reason = Reason::kUserMessages;
  engine.rule = [&](const traffic::Event& event) {
    return event.kind == EventKind::kMessage ? verdict(Decision::kClose, seconds{1}, reason)
                                             : traffic::Verdict{};
  };
  TestClient& first = connected();
  first.text("x");
  ASSERT_TRUE(until([&] { return first.ended; }));
  EXPECT_EQ(first.close_code, 1013);
  settle();
  EXPECT_TRUE(upstream.last().messages.empty());
  EXPECT_EQ(upstream.last().controls.size(), 1u) << "the server is told, too";

  reason = Reason::kBlocked;
  TestClient& second = connected();
  second.text("x");
  ASSERT_TRUE(until([&] { return second.ended; }));
  EXPECT_EQ(second.close_code, 1008);
  EXPECT_EQ(ended(Closing::kBlocked), 1u);

  reason = Reason::kFinding;
  TestClient& found = connected();
  found.text("x");
  ASSERT_TRUE(until([&] { return found.ended; }));
  EXPECT_EQ(found.close_code, 1008);
  EXPECT_EQ(ended(Closing::kFinding), 1u) << "nobody blocked him";
  EXPECT_EQ(ended(Closing::kBlocked), 1u);

  reason = Reason::kMessageSize;
  TestClient& third = connected();
  third.text("x");
  ASSERT_TRUE(until([&] { return third.ended; }));
  EXPECT_EQ(third.close_code, 1009);
  for (TestClient* const one : {&first, &second, &found, &third}) one->socket.close();
  EXPECT_TRUE(until([&] { return gateway.connections() == 0; }));
}

TEST_F(Relay, WhatBreaksTheProtocolIsNotPassedOn) {
  start();
  const std::vector<std::pair<std::string, int>> cases = {
      {std::string("\x81\x02hi", 4), 1002},                           // not masked
      {std::string("\xC1\x80\0\0\0\0", 6), 1002},                     // reserved bit
      {std::string("\x83\x80\0\0\0\0", 6), 1002},                     // reserved opcode
      {std::string("\x80\x80\0\0\0\0", 6), 1002},                     // continues nothing
      {std::string("\x81\xFE\x00\x05\0\0\0\0hello", 13), 1002},       // length not minimal
      {std::string("\x09\x80\0\0\0\0", 6), 1002},                     // fragmented ping
      {std::string("\x82\xFF\0\0\0\x01\0\0\0\0\0\0\0\0", 14), 1009},  // 4 GiB
      {std::string("\x82\xFF\x80\0\0\0\0\0\0\0\0\0\0\0", 14), 1002},  // above 2^63
  };
  for (const auto& [bytes, code] : cases) {
    TestClient& client = connected();
    client.text("before");
    client.write(bytes);
    ASSERT_TRUE(until([&] { return client.ended; }));
    EXPECT_EQ(client.close_code, code);
    settle();
    EXPECT_EQ(upstream.last().messages, std::vector<std::string>{"before"});
    EXPECT_EQ(upstream.last().parser.fault(), wire::FrameFault::kNone);
    client.socket.close();
  }
  EXPECT_EQ(ended(Closing::kProtocolError), 7u);
  EXPECT_EQ(ended(Closing::kMessageTooLarge), 1u);
}

TEST_F(Relay, InvalidTextPassesOrEndsTheConnectionAsConfigured) {
  start();
  TestClient& passing = connected();
  passing.text("\xff");
  ASSERT_TRUE(until([&] { return passing.messages.size() == 1; }));

  configure({.check_content = true});
  TestClient& refused = connected();
  refused.text("h\xC3\xA9");
  refused.text("\xff");
  ASSERT_TRUE(until([&] { return refused.ended; }));
  EXPECT_EQ(refused.close_code, 1007);
  settle();
  EXPECT_EQ(upstream.last().messages.size(), 1u);
}

TEST_F(Relay, AnUpstreamThatBreaksTheProtocolIsCutOff) {
  start();
  TestClient& client = connected();
  ASSERT_EQ(upstream.last().socket.write(std::string("\x81\x82....hi", 8)).bytes, 8u);
  ASSERT_TRUE(until([&] { return client.ended; }));
  EXPECT_EQ(client.close_code, 1014);
  EXPECT_EQ(ended(Closing::kUpstreamFault), 1u);
}

TEST_F(Relay, PassesTheCloseOfEitherSide) {
  start();
  TestClient& client = connected();
  client.send(Opcode::kClose, std::string("\x03\xE8", 2));
  ASSERT_TRUE(until([&] { return upstream.last().controls.size() == 1; }));
  std::string answer;
  wire::append_close(answer, wire::CloseCode::kNormal);
  ASSERT_EQ(upstream.last().socket.write(answer).bytes, answer.size());
  upstream.last().socket.close();
  ASSERT_TRUE(until([&] { return client.ended; }));
  EXPECT_EQ(client.close_code, 1000);
  client.socket.close();
  EXPECT_TRUE(until([&] { return gateway.connections() == 0; }));
}

TEST_F(Relay, ASlowReaderHoldsTheUpstreamBackAndIsCutOffAfterItsTime) {
  start({.high_water_bytes = 64 * 1024});
  TestClient slow(address);  // not among `clients`: nobody reads what it is sent
  slow.upgrade();
  ASSERT_TRUE(until([&] { return gateway.connections() == 1; }));
  std::string block;
  wire::append_frame(block, Opcode::kBinary, std::string(60'000, 'x'));
  std::uint64_t sent = 0;
  for (int quiet = 0; quiet < 100; ++quiet) {
    for (;;) {
      const auto rest = std::string_view(block).substr(sent % block.size());
      const epoll::Transfer done = upstream.last().socket.write(rest);
      if (done.state != epoll::Transfer::State::kDone) break;
      sent += done.bytes;
      quiet = 0;
    }
    (void)loop.run_once(milliseconds{1});
  }
  const std::uint64_t passed = totals().bytes[static_cast<std::size_t>(Direction::kOut)];
  EXPECT_LT(passed, sent) << "the gateway reads no more than it can get rid of";
  pass_time(seconds{11});
  ASSERT_TRUE(until([&] { return ended(Closing::kSlowReader) == 1; }));
}

TEST_F(Relay, AnIdleClientIsPingedAndThenLeft) {
  start({.idle_timeout = minutes{2}, .ping_interval = seconds{30}});
  TestClient& client = connected();
  pass_time(seconds{31});
  ASSERT_TRUE(until([&] { return client.controls.size() == 1; }));
  EXPECT_EQ(client.controls[0].first, Opcode::kPing);
  client.send(Opcode::kPong, client.controls[0].second);
  settle();
  EXPECT_TRUE(upstream.last().raw.empty()) << "the answer to our own ping is nobody else's";
  pass_time(seconds{31});
  ASSERT_TRUE(until([&] { return client.controls.size() == 2; }));
  pass_time(minutes{2});
  ASSERT_TRUE(until([&] { return client.ended; }));
  EXPECT_EQ(client.close_code, 1001);
  EXPECT_EQ(ended(Closing::kIdle), 1u);
}

TEST_F(Relay, AnswersThatMatchTheErrorPatternAreTheUsersErrors) {
  start({.error_values = {"error"}});
  TestClient& client = connected();
  client.text(R"({"type":"publish","content":"error"})");
  client.text(R"({"id":1,"type":"error"})");
  ASSERT_TRUE(until([&] { return client.messages.size() == 2; }));
  std::size_t errors = 0;
  for (const auto& seen : engine.seen) {
    errors += seen.error ? 1 : 0;
    EXPECT_EQ(seen.error, seen.kind == EventKind::kFailed);  // no message more
  }
  EXPECT_EQ(errors, 1u);
  EXPECT_EQ(totals().upstream_errors, 1u);
}

TEST_F(Relay, TellsTheClientOfItsLimitsWhenAskedTo) {
  start({.tell_limits = true});
  engine.rule = [](const traffic::Event& event) {
    return event.kind == EventKind::kMessage ? verdict(Decision::kDrop, milliseconds{250})
                                             : traffic::Verdict{};
  };
  TestClient& client = connected();
  client.text("x");
  ASSERT_TRUE(until([&] { return client.messages.size() == 1; }));
  EXPECT_EQ(client.messages[0], R"({"type":"ratelimit","policy":"user_messages","r":0,"t":0.250})");
}

TEST_F(Relay, DrainingTakesLeaveOfEverybody) {
  start();
  TestClient& client = connected();
  gateway.drain();
  ASSERT_TRUE(until([&] { return client.ended; }));
  EXPECT_EQ(client.close_code, 1001);
  client.socket.close();
  EXPECT_TRUE(until([&] { return gateway.idle(); }));
}

TEST_F(Relay, AReloadLeavesConnectionsAlone) {
  start();
  TestClient& client = connected();
  testing::TestUpstream other(loop);
  upstreams = Upstreams::make({other.url()}, upstreams.get()).value();
  configure({});
  client.text("still here");
  ASSERT_TRUE(until([&] { return client.messages.size() == 1; }));
  connected();
  EXPECT_EQ(other.sessions.size(), 1u);
}

TEST_F(Relay, WorksOverAUnixSocket) {
  const std::string path = "unix:/tmp/liminal_relay_test_" + std::to_string(::getpid());
  testing::TestUpstream local(loop, path);
  start({}, {local.url()});
  TestClient& client = connected();
  client.text("hello");
  ASSERT_TRUE(until([&] { return client.messages.size() == 1; }));
  ::unlink(path.substr(5).c_str());
}

}  // namespace
}  // namespace liminal::gateway
