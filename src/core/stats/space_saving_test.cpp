#include "core/stats/space_saving.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <string>

#include "core/base/random.hpp"

namespace liminal::stats {
namespace {

using Exact = std::map<std::uint64_t, std::uint64_t>;

constexpr std::size_t kCapacity = 16;

/// A few frequent things among many.
std::uint64_t thing(Random& random) {
  return random.chance(.5) ? random.below(5) : random.below(300);
}

void add(SpaceSaving& sketch, Exact& exact, std::uint64_t thing) {
  sketch.add(thing, "channel " + std::to_string(thing));
  ++exact[thing];
}

void expect_bounds(const SpaceSaving& sketch, const Exact& exact, std::uint64_t shares = 1) {
  std::uint64_t total = 0;
  for (const auto& [thing, count] : exact) total += count;
  std::map<std::uint64_t, bool> counted;
  for (const SpaceSaving::Counter& counter : sketch.top(kCapacity)) {
    const auto found = exact.find(counter.hash);
    const std::uint64_t truth = found == exact.end() ? 0 : found->second;
    RC_ASSERT(truth <= counter.count);
    RC_ASSERT(truth >= counter.count - counter.error);
    RC_ASSERT(counter.error <= total / kCapacity * shares + shares);
    RC_ASSERT(counter.text == "channel " + std::to_string(counter.hash));
    counted[counter.hash] = true;
  }
  for (const auto& [thing, count] : exact) {
    if (!counted[thing]) RC_ASSERT(count <= sketch.least());
  }
}

RC_GTEST_PROP(SpaceSaving, KeepsItsBounds, (std::uint64_t seed)) {
  Random random(seed);
  SpaceSaving sketch(kCapacity);
  Exact exact;
  for (std::uint64_t i = random.below(2'000); i > 0; --i) add(sketch, exact, thing(random));
  expect_bounds(sketch, exact);
}

RC_GTEST_PROP(SpaceSaving, KeepsItsBoundsWhenMerged, (std::uint64_t seed)) {
  Random random(seed);
  SpaceSaving left(kCapacity), right(kCapacity);
  Exact exact;
  for (std::uint64_t i = random.below(2'000); i > 0; --i)
    add(random.chance(.3) ? left : right, exact, thing(random));
  left.merge(right);
  expect_bounds(left, exact, 2);
}

TEST(SpaceSaving, IsExactWhileThereIsRoom) {
  SpaceSaving sketch(kCapacity);
  for (std::uint64_t i = 1; i <= kCapacity; ++i) sketch.add(i, "x", i);
  const auto top = sketch.top(3);
  ASSERT_EQ(top.size(), 3u);
  EXPECT_EQ(top[0], (SpaceSaving::Counter{16, "x", 16, 0}));
  EXPECT_EQ(top[2].hash, 14u);
}

TEST(SpaceSaving, ForgetsByHalving) {
  SpaceSaving sketch(kCapacity);
  sketch.add(1, "hot", 100);
  sketch.add(2, "rare", 1);
  sketch.halve();
  EXPECT_EQ(sketch.size(), 1u);
  EXPECT_EQ(sketch.top(1)[0].count, 50u);
  for (int i = 0; i < 10; ++i) sketch.halve();
  EXPECT_EQ(sketch.size(), 0u);
}

RC_GTEST_PROP(SpaceSaving, SurvivesASnapshot, (std::uint64_t seed)) {
  Random random(seed);
  SpaceSaving sketch(kCapacity), read(kCapacity);
  Exact exact;
  for (std::uint64_t i = random.below(500); i > 0; --i) add(sketch, exact, thing(random));
  Writer out;
  sketch.save(out);
  Reader in(out.bytes());
  read.load(in);
  RC_ASSERT(in.at_end());
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t next = thing(random);
    add(sketch, exact, next);
    read.add(next, "channel " + std::to_string(next));
  }
  RC_ASSERT(read.top(kCapacity) == sketch.top(kCapacity));
}

TEST(SpaceSaving, ASmallerOneKeepsTheMostFrequentOfASnapshot) {
  SpaceSaving large(kCapacity);
  for (std::uint64_t i = 0; i < kCapacity; ++i) large.add(i, "thing", 1 + i);
  Writer out;
  large.save(out);
  Reader in(out.bytes());
  SpaceSaving small(2);
  small.load(in);
  EXPECT_TRUE(in.at_end());
  EXPECT_EQ(small.top(kCapacity), large.top(2));
  small.add(0, "thing");
  EXPECT_EQ(small.top(kCapacity).back().count, kCapacity) << "at least what it was seen";
}

TEST(SpaceSaving, RefusesASnapshotThatMakesNoSense) {
  Writer twice;
  twice.put_varint(2);
  for (int i = 0; i < 2; ++i) {
    twice.put(std::uint64_t{7});
    twice.put_text("x");
    twice.put_varint(3);
    twice.put_varint(0);
  }
  Writer many;
  many.put_varint(SpaceSaving::kCapacityMax + 1);
  for (const Writer* wrong : {&twice, &many}) {
    SpaceSaving sketch(kCapacity);
    Reader in(wrong->bytes());
    sketch.load(in);
    EXPECT_FALSE(in.ok());
    EXPECT_EQ(sketch.size(), 0u);
  }
}

}  // namespace
}  // namespace liminal::stats
