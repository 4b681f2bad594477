#include "server/api/idempotency.hpp"

#include <gtest/gtest.h>

namespace liminal::api {
namespace {

using namespace std::chrono_literals;
using Time = IdempotencyCache::Time;
template <class T>
bool is(const IdempotencyCache::Outcome& outcome) {
  return std::holds_alternative<T>(outcome);
}

TEST(IdempotencyCache, AnswersARepetitionAsTheFirstTime) {
  IdempotencyCache cache({});
  const Time now{};
  EXPECT_TRUE(is<IdempotencyCache::New>(cache.begin("k", 1, now)));
  EXPECT_TRUE(is<IdempotencyCache::Busy>(cache.begin("k", 1, now)));
  cache.finish("k", {201, {}, "done"});
  const auto again = cache.begin("k", 1, now);
  ASSERT_TRUE(is<http::Response>(again));
  EXPECT_EQ(std::get<http::Response>(again).body, "done");
  EXPECT_TRUE(is<IdempotencyCache::Mismatch>(cache.begin("k", 2, now)));
}

TEST(IdempotencyCache, ForgetsFailuresOfTheServer) {
  IdempotencyCache cache({});
  EXPECT_TRUE(is<IdempotencyCache::New>(cache.begin("k", 1, {})));
  cache.finish("k", {503, {}, ""});
  EXPECT_TRUE(is<IdempotencyCache::New>(cache.begin("k", 1, {})));
}

TEST(IdempotencyCache, ForgetsWhatIsOldOrTooMuch) {
  IdempotencyCache cache({.age_max = 1h, .entries_max = 2, .bytes_max = 100});
  const Time start{};
  const auto add = [&cache](const char* key, std::size_t bytes, Time now) {
    ASSERT_TRUE(is<IdempotencyCache::New>(cache.begin(key, 1, now))) << key;
    cache.finish(key, {200, {}, std::string(bytes, 'x')});
  };
  add("a", 10, start);
  EXPECT_TRUE(is<http::Response>(cache.begin("a", 1, start + 59min)));
  add("a", 10, start + 2h);
  add("b", 90, start + 2h);  // together too many bytes: a goes
  add("a", 10, start + 2h);
  add("c", 10, start + 2h);  // three are too many entries: b goes
  add("b", 10, start + 2h);
}

}  // namespace
}  // namespace liminal::api
