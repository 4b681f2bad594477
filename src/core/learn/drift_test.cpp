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
