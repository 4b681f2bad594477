#include "server/api/guard.hpp"

#include <gtest/gtest.h>

namespace liminal::api {
namespace {

using namespace std::chrono_literals;

http::Request from(bool local, std::vector<http::Header> headers = {}) {
  http::Request request;
  request.peer_is_local = local;
  request.headers = std::move(headers);
  if (!request.header("Host")) request.headers.push_back({"Host", "localhost:8000"});
  return request;
}

unsigned status(const http::Request& request, Access access, const std::string& token) {
  const auto response = refuse(request, access, {.token = token});
  return response ? response->status : 200;
}

TEST(Access, WithoutATokenIsForThisMachineOnly) {
  for (const Access access : {Access::kRead, Access::kWrite}) {
    EXPECT_EQ(status(from(true), access, ""), 200U);
    EXPECT_EQ(status(from(false), access, ""), 403U);
  }
  EXPECT_EQ(status(from(false), Access::kOpen, ""), 200U);
}

TEST(Access, WithATokenReadsAreOpenHereAndWritesNeedIt) {
  const auto with = [](bool local, const char* value) {
    return from(local, {{"Authorization", value}});
  };
  EXPECT_EQ(status(from(true), Access::kRead, "s3cret"), 200U);
  EXPECT_EQ(status(from(true), Access::kWrite, "s3cret"), 401U);
  EXPECT_EQ(status(from(false), Access::kRead, "s3cret"), 401U);
  EXPECT_EQ(status(from(false), Access::kOpen, "s3cret"), 200U);
  for (const bool local : {true, false}) {
    EXPECT_EQ(status(with(local, "Bearer s3cret"), Access::kWrite, "s3cret"), 200U);
    EXPECT_EQ(status(with(local, "bearer s3cret"), Access::kWrite, "s3cret"), 200U);
    for (const char* wrong :
         {"Bearer s3cre", "Bearer s3cret2", "Bearer ", "s3cret", "Basic s3cret"})
      EXPECT_EQ(status(with(local, wrong), Access::kWrite, "s3cret"), 401U) << wrong;
  }
}

TEST(Access, APageOfAnotherSiteChangesNothing) {
  const auto origin = [](const char* host, const char* value) {
    return from(true, {{"Host", host}, {"Origin", value}});
  };
  EXPECT_EQ(status(origin("localhost:8000", "http://localhost:8000"), Access::kWrite, ""), 200U);
  EXPECT_EQ(status(origin("localhost:8000", "http://evil.example"), Access::kWrite, ""), 403U);
  EXPECT_EQ(status(origin("localhost:8000", "null"), Access::kWrite, ""), 403U);
  EXPECT_EQ(status(origin("localhost:8000", "http://evil.example"), Access::kRead, ""), 200U);
  // A name that was pointed at this machine is its own site.
  EXPECT_EQ(status(origin("evil.example:80", "http://evil.example:80"), Access::kWrite, ""), 403U);
  for (const char* host : {"127.0.0.1:8000", "[::1]:8000", "LOCALHOST"})
    EXPECT_EQ(status(from(true, {{"Host", host}}), Access::kWrite, ""), 200U) << host;
}

TEST(Access, ANameThatIsNotKnownIsServedOnlyWithTheToken) {
  const auto asked = [](const char* host, const std::string& token, const char* given = nullptr) {
    http::Request request = from(true, {{"Host", host}});
    if (given != nullptr) request.headers.push_back({"Authorization", given});
    const auto response =
        refuse(request, Access::kRead, {.token = token, .hosts = {"liminal.internal"}});
    return response ? response->status : 200;
  };
  for (const char* token : {"", "s3cret"}) {
    EXPECT_EQ(asked("evil.example:8000", token), 403U);
    EXPECT_EQ(asked("localhost.evil.example", token), 403U);
    EXPECT_EQ(asked("127.0.0.1.evil.example", token), 403U);
    EXPECT_EQ(asked("", token), 403U);
    for (const char* ours : {"Liminal.internal:8000", "localhost", "10.0.0.7:8000", "[fe80::1]:80"})
      EXPECT_EQ(asked(ours, token), 200U) << ours;
  }
  http::Request nameless;
  nameless.peer_is_local = true;
  EXPECT_EQ(status(nameless, Access::kWrite, ""), 200U) << "no browser asks so";
  EXPECT_EQ(asked("evil.example", "s3cret", "Bearer s3cret"), 200U);
  EXPECT_EQ(asked("evil.example", "s3cret", "Bearer other"), 403U);
  EXPECT_EQ(status(from(true, {{"Host", "evil.example"}}), Access::kOpen, ""), 200U);
}

TEST(Access, WhatAProxyPassedOnIsNotFromThisMachineUnlessTheProxyIsTrusted) {
  for (const char* field : {"X-Forwarded-For", "forwarded", "X-Real-IP", "Via"}) {
    const http::Request passed_on = from(true, {{field, "203.0.113.9"}});
    EXPECT_EQ(status(passed_on, Access::kRead, "s3cret"), 401U) << field;
    EXPECT_EQ(status(passed_on, Access::kRead, ""), 403U) << field;
    EXPECT_EQ(status(passed_on, Access::kWrite, ""), 403U) << field;
    EXPECT_EQ(status(passed_on, Access::kOpen, "s3cret"), 200U) << field;
    EXPECT_FALSE(refuse(passed_on, Access::kRead, {.token = "s3cret", .trust_proxy = true}));
  }
  const http::Request known =
      from(true, {{"X-Forwarded-For", "203.0.113.9"}, {"Authorization", "Bearer s3cret"}});
  EXPECT_EQ(status(known, Access::kRead, "s3cret"), 200U);
}

TEST(SameSecret, ComparesEveryByte) {
  EXPECT_TRUE(same_secret("abc", "abc"));
  EXPECT_TRUE(same_secret("", ""));
  for (const char* other : {"", "ab", "abcd", "abd", "abcabc"})
    EXPECT_FALSE(same_secret("abc", other)) << other;
}

TEST(ClientLimiter, AllowsABurstThenItsRate) {
  ClientLimiter limiter({.requests_per_second = 2, .requests_burst = 4});
  ClientLimiter::Time now{};
  EXPECT_EQ(limiter.policy(), "\"default\";q=4;w=2");
  for (std::uint32_t left = 4; left-- > 0;) {
    const auto verdict = limiter.take("a", now);
    EXPECT_TRUE(verdict.allowed);
    EXPECT_EQ(verdict.remaining, left);
  }
  const auto refused = limiter.take("a", now);
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.reset_after, 1s);
  EXPECT_TRUE(limiter.take("b", now).allowed);
  now += 500ms;
  EXPECT_TRUE(limiter.take("a", now).allowed);
  EXPECT_FALSE(limiter.take("a", now).allowed);
}

TEST(ClientLimiter, BoundsHowManyClientsItRemembers) {
  ClientLimiter limiter({.requests_per_second = 1, .requests_burst = 1});
  ClientLimiter::Time now{};
  for (int i = 0; i < 4096; ++i) EXPECT_TRUE(limiter.take(std::to_string(i), now).allowed);
  EXPECT_TRUE(limiter.take("one more", now).allowed);
  EXPECT_FALSE(limiter.take("and another", now).allowed);  // they share one allowance
  EXPECT_TRUE(limiter.take("later", now + 2s).allowed);
}

}  // namespace
}  // namespace liminal::api
