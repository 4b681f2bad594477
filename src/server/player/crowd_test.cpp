#include "server/player/crowd.hpp"

#include <gtest/gtest.h>

#include "server/player/test_server.hpp"

namespace liminal::player {
namespace {

class CrowdTest : public ::testing::Test {
 protected:
  static traffic::Event of(std::string_view user, std::uint64_t connection = 0) {
    traffic::Event event;
    event.user = traffic::Name(user);
    event.address = traffic::Name("192.0.2.7");
    event.connection = connection;
    return event;
  }
  [[nodiscard]] bool until_empty() {
    return server.until([&] { return crowd.empty(); });
  }

  epoll::Loop loop;
  testing::TestServer server{loop};
  Crowd crowd{loop, server.target(), {.connections_max = 3, .seed = 1}};
};

TEST_F(CrowdTest, EachUserHasAConnectionThatSaysWhoItIs) {
  crowd.connect(of("ann"));
  crowd.say(of("ann"), "hello");
  crowd.say(of("bob"), "no connect before");
  ASSERT_TRUE(server.until([&] { return crowd.counts().received == 2; }));
  crowd.leave(of("ann"));
  crowd.leave(of("bob"));
  ASSERT_TRUE(until_empty());
  ASSERT_EQ(server.sessions.size(), 2u);
  EXPECT_EQ(server.sessions[0]->user, "ann");
  EXPECT_EQ(server.sessions[0]->address, "192.0.2.7");
  EXPECT_EQ(server.sessions[1]->user, "bob");
  EXPECT_EQ(crowd.counts().sent, 2u);
  EXPECT_TRUE(crowd.counts().closed_codes.empty());
  EXPECT_EQ(crowd.counts().broken, 0u);
}

TEST_F(CrowdTest, ConnectionsWithNumbersAreToldApart) {
  crowd.connect(of("ann", 1));
  crowd.connect(of("ann", 2));
  crowd.connect(of("ann", 1));
  ASSERT_TRUE(server.until([&] { return crowd.counts().opened == 2; }));
  EXPECT_EQ(crowd.size(), 2u);
}

TEST_F(CrowdTest, WhoWasThrownOutComesBackWithTheNextMessage) {
  crowd.say(of("ann"), "one");
  ASSERT_TRUE(server.until([&] { return crowd.counts().received == 1; }));
  std::string goodbye;
  wire::append_close(goodbye, wire::CloseCode::kPolicyViolation);
  server.sessions[0]->write(goodbye);
  ASSERT_TRUE(until_empty());
  EXPECT_EQ(crowd.counts().closed_codes.at(1008), 1u);
  crowd.say(of("ann"), "two");
  ASSERT_TRUE(server.until([&] { return crowd.counts().received == 2; }));
  EXPECT_EQ(crowd.counts().connections, 2u);
}

TEST_F(CrowdTest, ConnectionsAreBounded) {
  for (const char* user : {"a", "b", "c", "d"}) crowd.connect(of(user));
  crowd.connect(of("line\nbreak"));
  EXPECT_EQ(crowd.size(), 3u);
  EXPECT_EQ(crowd.counts().unsent, 2u);
  crowd.leave_all();
  ASSERT_TRUE(until_empty());
}

TEST_F(CrowdTest, RefusalsAreCountedByStatus) {
  server.answer = [](std::string_view) {
    std::string out;
    wire::append_refusal(out, 503, "full");
    return out;
  };
  crowd.say(of("ann"), "one");
  ASSERT_TRUE(until_empty());
  EXPECT_EQ(crowd.counts().refused.at(503), 1u);
  EXPECT_EQ(crowd.counts().sent, 0u) << "nobody took it";
  EXPECT_EQ(crowd.counts().unsent, 1u);
}

TEST_F(CrowdTest, WhatNobodyAnswersIsNotSent) {
  Crowd lost(loop, Target::parse("unix:/nowhere/liminal.sock").value(), {.seed = 1});
  lost.say(of("ann"), "one");
  lost.say(of("bob"), "two");
  ASSERT_TRUE(server.until([&] { return lost.empty(); }));
  EXPECT_EQ(lost.counts().unreachable, 2u);
  EXPECT_EQ(lost.counts().unsent, 2u);
  EXPECT_EQ(lost.counts().sent, 0u);
  EXPECT_EQ(lost.counts().broken, 0u);
}

}  // namespace
}  // namespace liminal::player
