#include "core/learn/decay.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "core/base/random.hpp"

namespace liminal::learn {
namespace {

/// Squared errors of well-calibrated probabilities; with `off`, of ones that became too sure.
double error_of_chance(Random& random, double off = 0) {
  const double p = .05 + .4 * random.uniform();
  const double said = p - off * p;
  const double y = random.chance(p) ? 1 : 0;
  return (said - y) * (said - y);
}

ErrorReference reference(std::uint64_t seed, int rows) {
  Random random(seed);
  std::vector<double> errors;
  for (int i = 0; i < rows; ++i) errors.push_back(error_of_chance(random));
  return ErrorReference::learn(errors, {});
}

// 400 champions, 3,000 words each, looked at after each one: at most alpha = .01 of them ever, so
// of 400 more than 12 with a chance below .001.
TEST(Decay, OfAModelThatStaysIsSeldomSaid) {
  int said = 0;
  for (std::uint64_t run = 0; run < 400; ++run) {
    Decay decay(reference(2 * run, 400));
    Random random(2 * run + 1);
    for (int i = 0; i < 3000; ++i) decay.observe(error_of_chance(random));
    said += decay.decayed();
  }
  EXPECT_LE(said, 12);
}

TEST(Decay, IsFoundAfterALongGoodTime) {
  Decay decay(reference(1, 400));
  Random random(2);
  for (int i = 0; i < 5000; ++i) decay.observe(error_of_chance(random));
  ASSERT_FALSE(decay.decayed());
  int rows = 0;
  // Says the contrary of what it knows.
  while (!decay.decayed() && rows < 2000) {
    decay.observe(1 - error_of_chance(random));
    ++rows;
  }
  EXPECT_LT(rows, 400);
  EXPECT_GT(decay.excess().low, 0);
  decay.calm();
  EXPECT_FALSE(decay.decayed());
  EXPECT_EQ(decay.rows(), 0);
}

TEST(Decay, WithoutAReferenceIsAgainstItsFirstWords) {
  Decay decay(ErrorReference{});
  Random random(3);
  for (int i = 0; i < 60; ++i) decay.observe(error_of_chance(random));
  EXPECT_EQ(decay.reference().rows, 50);
  EXPECT_EQ(decay.rows(), 10);
  for (int i = 0; i < 400; ++i) decay.observe(1);
  EXPECT_TRUE(decay.decayed());
}

TEST(Decay, OfErrorsThatAreAllAlikeIsToldWhenTheyGrow) {
  Decay decay(ErrorReference::learn(std::vector<double>(100, .1), {}));
  for (int i = 0; i < 300; ++i) decay.observe(.1);
  EXPECT_FALSE(decay.decayed());
  for (int i = 0; i < 300; ++i) decay.observe(.5);
  EXPECT_TRUE(decay.decayed());
}

TEST(Decay, LeavesOutWhatIsNoNumber) {
  Decay decay(reference(1, 100));
  decay.observe(std::nan(""));
  decay.observe(std::numeric_limits<double>::infinity());
  EXPECT_EQ(decay.rows(), 0);
  EXPECT_EQ(ErrorReference::learn(std::vector<double>{1, std::nan("")}, {}).rows, 0);
}

RC_GTEST_PROP(Decay, GoesOnAfterASnapshotAsBefore, (const std::vector<std::uint8_t>& errors)) {
  Decay decay(ErrorReference{.2, .05, 100, 1.5});
  for (const std::uint8_t error : errors) decay.observe(error / 255.);
  Writer out;
  decay.save(out);
  Decay read{ErrorReference{}};
  Reader in(out.bytes());
  read.load(in);
  RC_ASSERT(in.at_end());
  decay.observe(.9);
  read.observe(.9);
  RC_ASSERT(read.error() == decay.error() && read.decayed() == decay.decayed());
  Reader cut(std::string_view(out.bytes()).substr(0, out.bytes().size() / 2));
  read.load(cut);
  RC_ASSERT(!cut.ok() && read.rows() == 0);
}

TEST(Decay, NamesAllThatIsWrongWithItsOptions) {
  EXPECT_TRUE(Decay::Options{}.validate().empty());
  EXPECT_EQ((Decay::Options{-1, 0, 0, 0, 0}.validate().size()), 5U);
}

}  // namespace
}  // namespace liminal::learn
