#include "core/base/math.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "core/base/random.hpp"

namespace liminal {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(Exp, IsWithinItsStatedErrorOfLibm) {
  Random random(1);
  for (int i = 0; i < 1'000'000; ++i) {
    const double x = random.uniform(-708, 709.7);
    EXPECT_NEAR(exp(x) / std::exp(x), 1, 4e-16) << x;
  }
}

TEST(Exp, HasAnAnswerAtTheEdges) {
  EXPECT_EQ(exp(0), 1);
  EXPECT_EQ(exp(-1e300), 0);
  EXPECT_EQ(exp(-kInfinity), 0);
  EXPECT_EQ(exp(710), kInfinity);
  EXPECT_TRUE(std::isnan(exp(std::numeric_limits<double>::quiet_NaN())));
}

TEST(Log, IsWithinItsStatedErrorOfLibm) {
  Random random(2);
  for (int i = 0; i < 1'000'000; ++i) {
    const double x = std::exp2(random.uniform(-1073, 1023));
    EXPECT_NEAR(log(x), std::log(x), 1e-15 * std::max(1., std::abs(std::log(x)))) << x;
    const double near_one = random.uniform(.5, 2);
    EXPECT_NEAR(log(near_one), std::log(near_one), 1e-15) << near_one;
  }
}

TEST(Log, HasAnAnswerAtTheEdges) {
  EXPECT_EQ(log(1), 0);
  EXPECT_EQ(log(0), -kInfinity);
  EXPECT_EQ(log(kInfinity), kInfinity);
  EXPECT_TRUE(std::isnan(log(-1)));
  EXPECT_TRUE(std::isnan(log(std::numeric_limits<double>::quiet_NaN())));
}

TEST(Log, OfSmallNumbersPlusOneKeepsTheirDigits) {
  for (const double x : {1e-17, 1e-12, 1e-6, .1, 3., 1e9})
    EXPECT_NEAR(log1p(x) / std::log1p(x), 1, 1e-14);
}

/// The bits themselves: a compiler or CPU that gives others breaks every replay.
TEST(Math, GivesTheseBitsEverywhere) {
  std::uint64_t digest = 0;
  Random random(3);
  for (int i = 0; i < 100'000; ++i) {
    const double x = random.uniform(-50, 50);
    digest = mix64(digest ^ std::bit_cast<std::uint64_t>(exp(x)));
    digest = mix64(digest ^ std::bit_cast<std::uint64_t>(log(x * x)));
    digest = mix64(digest ^ std::bit_cast<std::uint64_t>(random.normal()));
  }
  EXPECT_EQ(digest, 4991782991111398033ULL);
}

TEST(Random, IsUniformWithinFiveStandardErrors) {
  Random random(4);
  constexpr int kCount = 1'000'000;
  double sum = 0, normal_sum = 0, normal_square = 0, exponential_sum = 0;
  int below_three = 0;
  for (int i = 0; i < kCount; ++i) {
    sum += random.uniform();
    const double n = random.normal();
    normal_sum += n;
    normal_square += n * n;
    exponential_sum += random.exponential();
    below_three += random.below(10) < 3;
  }
  EXPECT_NEAR(sum / kCount, .5, 5 * .289 / 1000);
  EXPECT_NEAR(normal_sum / kCount, 0, 5. / 1000);
  EXPECT_NEAR(normal_square / kCount, 1, 5 * 1.42 / 1000);
  EXPECT_NEAR(exponential_sum / kCount, 1, 5. / 1000);
  EXPECT_NEAR(below_three / double{kCount}, .3, 5 * .46 / 1000);
}

TEST(Hash, GivesTheseBitsEverywhere) {
  EXPECT_EQ(hash64(""), 0x2d06800538d394c2ULL);
  EXPECT_EQ(hash64("liminal"), hash64(std::string("limi") + "nal"));
  EXPECT_NE(hash64("a"), hash64("b"));
}

}  // namespace
}  // namespace liminal
