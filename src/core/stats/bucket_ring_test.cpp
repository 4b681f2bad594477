#include "core/stats/bucket_ring.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <vector>

namespace liminal::stats {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr BucketClock kClock{seconds{10}};
constexpr std::size_t kWhole = 6;

SteadyTime at(Duration since_epoch) { return SteadyTime{since_epoch}; }

struct Arrival {
  SteadyTime time;
  std::uint32_t amount;
};

/// In order of time, with pauses from none to several windows.
std::vector<Arrival> arrivals() {
  const auto pause_ms = rc::gen::weightedOneOf<int>(
      {{3, rc::gen::just(0)}, {8, rc::gen::inRange(0, 5'000)}, {2, rc::gen::inRange(0, 300'000)}});
  std::vector<Arrival> all;
  SteadyTime now = at(seconds{1'700'000'000});
  for (const int pause : *rc::gen::container<std::vector<int>>(pause_ms)) {
    now += milliseconds{pause};
    all.push_back({now, *rc::gen::inRange(0u, 1'000u)});
  }
  return all;
}

RC_GTEST_PROP(BucketRing, IsWithinItsOldestBucketOfTheExactSum, ()) {
  BucketRing<std::uint32_t, kWhole> ring;
  std::uint64_t bucket = 0;
  const std::vector<Arrival> all = arrivals();
  for (const Arrival& arrival : all) {
    ring.advance(kClock.bucket(arrival.time) - bucket);
    bucket = kClock.bucket(arrival.time);
    ring.add(arrival.amount);
  }
  const SteadyTime last = all.empty() ? at(seconds{0}) : all.back().time;
  const SteadyTime now = last + milliseconds{*rc::gen::inRange(0, 100'000)};

  double exact = 0, oldest = 0;
  for (const Arrival& arrival : all) {
    exact += now - arrival.time < kClock.width * kWhole ? arrival.amount : 0;
    oldest += kClock.bucket(arrival.time) + kWhole == kClock.bucket(now) ? arrival.amount : 0;
  }
  const double sum = ring.sum(kClock.position(bucket, now));

  RC_ASSERT(sum >= exact - oldest);
  RC_ASSERT(sum <= exact + oldest);
}

TEST(BucketRing, IsExactForWhatComesInEvenly) {
  BucketRing<std::uint16_t, kWhole> ring;
  std::uint64_t bucket = 0;
  for (int i = 0; i < 1'000; ++i) {
    const SteadyTime now = at(milliseconds{i * 250});
    ring.advance(kClock.bucket(now) - bucket);
    bucket = kClock.bucket(now);
    ring.add(1);
    if (i > 300) {
      EXPECT_NEAR(ring.sum(kClock.position(bucket, now)), 240, 1) << i;
    }
  }
}

TEST(BucketRing, SaturatesInsteadOfWrapping) {
  BucketRing<std::uint8_t, 2> ring;
  for (int i = 0; i < 300; ++i) ring.add(1);
  ring.add(200);
  EXPECT_EQ(ring[0], 255);
  ring.advance(1);
  ring.add(10);
  EXPECT_EQ(ring.sum({}), 265);
}

TEST(BucketRing, ForgetsEverythingInALongPause) {
  BucketRing<std::uint16_t, kWhole> ring;
  ring.add(5);
  EXPECT_EQ(ring.sum({.later = kWhole + 1}), 0);
  EXPECT_EQ(ring.sum({.later = kWhole, .elapsed = .5}), 2.5);
  ring.advance(1'000'000);
  EXPECT_TRUE(ring.empty());
}

RC_GTEST_PROP(BucketRing, ReadingLaterIsLikeAdvancingAndReading, (std::uint8_t later)) {
  BucketRing<std::uint32_t, kWhole> ring;
  for (std::size_t age = 0; age <= kWhole; ++age) ring[age] = *rc::gen::inRange(0u, 100u);
  const WindowPosition position{later % 10u, *rc::gen::inRange(0, 100) * .01};
  auto advanced = ring;
  advanced.advance(position.later);
  RC_ASSERT(ring.sum(position) == advanced.sum({.elapsed = position.elapsed}));
}

TEST(BucketClock, AnEarlierTimeIsWhereTheWindowWas) {
  const WindowPosition position = kClock.position(100, at(seconds{5}));
  EXPECT_EQ(position.later, 0u);
  EXPECT_EQ(position.elapsed, 0);
  EXPECT_EQ(kClock.bucket(at(seconds{-5})), 0u);
}

TEST(BucketRing, RefusesSumsThatCannotBe) {
  BucketRing<float, 1> ring;
  for (const float wrong :
       {-1.F, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    Writer out;
    out.put(1.F);
    out.put(wrong);
    Reader in(out.bytes());
    ring.load(in);
    EXPECT_FALSE(in.ok());
  }
}

}  // namespace
}  // namespace liminal::stats
