#include "core/forecast/seasons.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/base/random.hpp"

namespace liminal::forecast {
namespace {

constexpr double kTurn = 6.283185307179586;

std::vector<double> wave(std::size_t n, double period, double noise, std::uint64_t seed) {
  Random random(seed);
  std::vector<double> values;
  for (std::size_t t = 0; t < n; ++t)
    values.push_back(std::sin(kTurn * static_cast<double>(t) / period) +
                     random.uniform(-noise, noise));
  return values;
}

TEST(FindSeasons, FindsTheLengthOfASeason) {
  for (const std::uint32_t period : {7U, 12U, 24U, 52U, 96U})
    EXPECT_EQ(find_seasons(wave(12 * period, period, .5, period)).day, period);
}

TEST(FindSeasons, FindsAWeekOfDays) {
  Random random(3);
  std::vector<double> values;
  for (std::size_t t = 0; t < 24 * 7 * 6; ++t) {
    const double day = std::sin(kTurn * static_cast<double>(t % 24) / 24);
    values.push_back(day + (t / 24 % 7 >= 5 ? -1 : 0) + random.uniform(-.3, .3));
  }
  EXPECT_EQ(find_seasons(values), (Seasons{24, 168}));
}

TEST(FindSeasons, FindsSeasonsLongerThanWhatItLooksAtPointByPoint) {
  const std::uint32_t day = find_seasons(wave(1440 * 10, 1440, .5, 4)).day;
  EXPECT_NEAR(day, 1440, 3);
}

TEST(FindSeasons, SeesASeasonOnTopOfATrend) {
  std::vector<double> values = wave(240, 24, .5, 5);
  for (std::size_t t = 0; t < values.size(); ++t) values[t] += .05 * static_cast<double>(t);
  EXPECT_EQ(find_seasons(values).day, 24U);
}

TEST(FindSeasons, SeesNoneInNoiseAndRandomWalks) {
  // 200 trials each with fixed seeds; the stated bound is 2.
  int in_noise = 0, in_walks = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    std::vector<double> noise, walk;
    double at = 0;
    for (int t = 0; t < 400; ++t) {
      noise.push_back(random.uniform(-1, 1));
      walk.push_back(at += random.uniform(-1, 1));
    }
    in_noise += find_seasons(noise).day > 0;
    in_walks += find_seasons(walk).day > 0;
  }
  EXPECT_LE(in_noise, 2);
  EXPECT_LE(in_walks, 2);
}

TEST(FindSeasons, SeesNoneInWhatIsShortOrConstant) {
  EXPECT_EQ(find_seasons({}), Seasons{});
  EXPECT_EQ(find_seasons(std::vector<double>(5, 1)), Seasons{});
  EXPECT_EQ(find_seasons(std::vector<double>(500, 1)), Seasons{});
}

}  // namespace
}  // namespace liminal::forecast
