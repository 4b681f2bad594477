#include "core/learn/drift.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "core/base/random.hpp"

namespace liminal::learn {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

float skewed(Random& random, double shift = 0) {
  return static_cast<float>(std::exp(random.normal() + shift));
}

Reference skewed_reference(std::uint64_t seed, int rows = 20'000) {
  Random random(seed);
  std::vector<float> values;
  for (int i = 0; i < rows; ++i) values.push_back(skewed(random));
  return Reference::learn(values);
}

RC_GTEST_PROP(Reference, SharesEveryValueAndAveragesRanksToAHalf, (std::vector<int> numbers)) {
  std::vector<float> values;
  for (const int number : numbers)
    values.push_back(number % 7 == 0 ? kNan : static_cast<float>(number % 50));
  const Reference reference = Reference::learn(values);
  double shares = 0, mean = 0;
  for (std::size_t b = 0; b < reference.bins(); ++b) {
    shares += reference.share(b);
    mean += reference.share(b) * reference.rank(b);
  }
  RC_ASSERT(reference.bins() <= Reference::kBinsMax);
  if (values.empty()) return;
  RC_ASSERT(std::abs(shares - 1) < 1e-9);
  RC_ASSERT(std::abs(mean - .5) < 1e-9);
  RC_ASSERT(stability(reference, values) < 1e-9);
}

// Two bins hold rows; those of the missing, below and above hold none before and after.
TEST(Stability, IsItsFormula) {
  const std::vector<float> before{0, 0, 0, 0, 0, 0, 1, 1, 1, 1},
      after{0, 0, 1, 1, 1, 1, 1, 1, 1, 1};
  const double p0 = 6.5 / 12.5, p1 = 4.5 / 12.5, q0 = 2.5 / 12.5, q1 = 8.5 / 12.5;
  EXPECT_NEAR(stability(Reference::learn(before), after),
              (q0 - p0) * std::log(q0 / p0) + (q1 - p1) * std::log(q1 / p1),
              1e-9);
}

// The CUSUM's false alarms are one in 20 million rows, so here one of 50 seeds.
TEST(Drift, IsCalmOnTheSameDistribution) {
  Drift drift(skewed_reference(1));
  Random random(2);
  double highest = 0;
  for (int i = 0; i < 400'000; ++i) {
    drift.observe(skewed(random));
    highest = std::max(highest, drift.cusum());
    if (i % 1000 == 0) {
      ASSERT_FALSE(drift.drifted()) << i;
    }
  }
  EXPECT_LT(highest, 30);
  EXPECT_LT(drift.stability(), .1);
}

TEST(Drift, TellsASmallShiftThatLasts) {
  Drift drift(skewed_reference(1));
  Random random(3);
  for (int i = 0; i < 5000; ++i) drift.observe(skewed(random));
  int rows = 0;
  while (!drift.drifted() && rows < 1000) {
    drift.observe(skewed(random, .5));
    ++rows;
  }
  EXPECT_LT(rows, 250);
  drift.calm();
  EXPECT_FALSE(drift.drifted());
}

TEST(Drift, TellsAChangeOfShapeWithoutAShift) {
  Drift drift(skewed_reference(1));
  Random random(4);
  int rows = 0;
  // The middle stays, the ends grow.
  while (!drift.drifted() && rows < 5000) {
    drift.observe(static_cast<float>(std::exp(2.5 * random.normal())));
    ++rows;
  }
  EXPECT_LT(rows, 2000);
}

TEST(Drift, TellsThatAFeatureWentMissing) {
  Drift drift(skewed_reference(1));
  int rows = 0;
  while (!drift.drifted() && rows < 1000) {
    drift.observe(kNan);
    ++rows;
  }
  EXPECT_LT(rows, 50);
}

TEST(Drift, OfAConstantIsTold) {
  const std::vector<float> zeros(100, 0.F);
  Drift drift(Reference::learn(zeros));
  for (int i = 0; i < 5000; ++i) drift.observe(0);
  EXPECT_FALSE(drift.drifted());
  for (int i = 0; i < 20; ++i) drift.observe(5);
  EXPECT_TRUE(drift.drifted()) << drift.cusum();
}

TEST(Reference, RefusesEdgesThatAreNoNumbers) {
  for (const std::vector<float>& edges : {std::vector<float>{1, kNan, 3},
                                          {1, 1, 3},
                                          {1, 2, std::numeric_limits<float>::infinity()},
                                          {1, 2, 3}}) {
    Writer out;
    out.put_varint(edges.size() + 2);
    for (const float edge : edges) out.put(edge);
    for (std::size_t i = 0; i < edges.size() + 2; ++i) out.put(.2);
    out.put(100.);
    out.put(1.);
    Reference reference;
    Reader in(out.bytes());
    reference.load(in);
    EXPECT_EQ(in.ok(), edges[1] == 2 && edges[2] == 3);
  }
}

TEST(Reference, PutsInfiniteValuesBesideItsBins) {
  const float infinite = std::numeric_limits<float>::infinity();
  const std::vector<float> values{1, 2, 3, infinite, -infinite, std::numeric_limits<float>::max()};
  const Reference reference = Reference::learn(values);
  Writer out;
  reference.save(out);
  Reference read;
  Reader in(out.bytes());
  read.load(in);
  EXPECT_TRUE(in.at_end());
  EXPECT_EQ(reference.bin(-infinite), 1U);
  EXPECT_EQ(reference.bin(infinite), reference.bins() - 1);
}

// 2,000 samples of one distribution: .01 exceed the line, deviation .0022.
TEST(Stability, ExceedsItsLineAsSeldomAsItSays) {
  Random random(6);
  int exceeded = 0;
  for (int trial = 0; trial < 2000; ++trial) {
    std::vector<float> before, after;
    for (int i = 0; i < 400; ++i) before.push_back(static_cast<float>(random.normal()));
    for (int i = 0; i < 300; ++i) after.push_back(static_cast<float>(random.normal()));
    const Reference reference = Reference::learn(before);
    exceeded += stability(reference, after) > stability_by_chance(reference.bins(), 400, 300, .01);
  }
  EXPECT_LE(exceeded, 34);
  EXPECT_GE(exceeded, 1);
}

TEST(Drift, NamesAllThatIsWrongWithItsOptions) {
  EXPECT_TRUE(Drift::Options{}.validate().empty());
  EXPECT_EQ((Drift::Options{0, 0, -1, std::nan("")}.validate().size()), 4U);
}

TEST(Drift, WithoutAReferenceSaysNothing) {
  Drift drift(Reference{});
  for (int i = 0; i < 1000; ++i) drift.observe(static_cast<float>(i));
  EXPECT_FALSE(drift.drifted());
}

TEST(Drift, SurvivesASnapshotAndRefusesNonsense) {
  Drift drift(skewed_reference(1));
  Random random(5);
  for (int i = 0; i < 500; ++i) drift.observe(skewed(random, .2));
  Writer out;
  drift.save(out);
  Drift read{Reference{}};
  Reader in(out.bytes());
  read.load(in);
  ASSERT_TRUE(in.at_end());
  drift.observe(3);
  read.observe(3);
  EXPECT_EQ(read.cusum(), drift.cusum());
  EXPECT_EQ(read.stability(), drift.stability());

  Reader cut(std::string_view(out.bytes()).substr(0, out.bytes().size() / 2));
  read.load(cut);
  EXPECT_FALSE(cut.ok());
  read.observe(1);
  EXPECT_EQ(read.rows(), 0);
}

}  // namespace
}  // namespace liminal::learn
