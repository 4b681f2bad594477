// The scorer against examples worked by hand from NAB's published definition.
#include "nab_score.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace nab {
namespace {

constexpr std::size_t kRows = 1000;  // of which the first 150 are not scored
constexpr Profile kStandard = kProfiles[0];

std::vector<double> detections(std::initializer_list<std::size_t> rows) {
  std::vector<double> scores(kRows);
  for (const std::size_t row : rows) scores[row] = 1;
  return scores;
}

double score(std::initializer_list<std::size_t> rows,
             std::initializer_list<Window> windows,
             const Profile& profile = kStandard) {
  return score_series(detections(rows), std::vector(windows), .5, profile);
}

TEST(ScaledSigmoid, HasThePublishedValues) {
  EXPECT_NEAR(scaled_sigmoid(-1), .98661, 5e-6);
  EXPECT_NEAR(scaled_sigmoid(-.5), .84828, 5e-6);
  EXPECT_EQ(scaled_sigmoid(0), 0);
  EXPECT_NEAR(scaled_sigmoid(.45), -.8093, 5e-5);
  EXPECT_NEAR(scaled_sigmoid(3), -1, 1e-6);
  EXPECT_EQ(scaled_sigmoid(3.01), -1);
}

TEST(Probation, IsAShareOfTheSeriesAndAtMostSevenHundredAndFiftyRows) {
  EXPECT_EQ(probation(1000), 150U);
  EXPECT_EQ(probation(4033), 604U);
  EXPECT_EQ(probation(22'695), 750U);
  EXPECT_EQ(score({0, 149}, {}), 0);
  EXPECT_EQ(score({150}, {}), -.11);
}

// Figure 3 of the paper: a false positive before the window, two detections in it, one false
// positive near behind it and one far behind: −1·.11 + .9999 − .8093·.11 − 1·.11 = .6909.
TEST(ScoreSeries, GivesThePapersExample) {
  EXPECT_NEAR(score({200, 400, 410, 429, 900}, {{400, 420}}), .6909, 2e-4);
}

TEST(ScoreSeries, CountsADetectionByItsPlaceInTheWindow) {
  const Window window{400, 419};  // twenty rows
  EXPECT_DOUBLE_EQ(score({400}, {window}), 1);
  EXPECT_NEAR(score({410}, {window}), .84828 / .98661, 1e-5);  // half is left
  EXPECT_NEAR(score({419}, {window}), .12435 / .98661, 1e-5);  // a twentieth is left
  EXPECT_DOUBLE_EQ(score({410, 411, 419}, {window}), score({410}, {window}));
}

TEST(ScoreSeries, CountsEachOfTwoWindows) {
  EXPECT_DOUBLE_EQ(score({300, 600}, {{300, 319}, {600, 639}}), 2);
  EXPECT_DOUBLE_EQ(score({300}, {{300, 319}, {600, 639}}), 0);
  EXPECT_DOUBLE_EQ(score({300}, {{300, 319}, {600, 639}}, kProfiles[2]), -1);
}

TEST(ScoreSeries, ForgivesMostOfWhatLiesNearBehindAWindow) {
  const Window window{300, 400};  // a hundred steps wide
  EXPECT_NEAR(score({300, 401}, {window}), 1 - .11 * .02499, 1e-6);
  EXPECT_NEAR(score({300, 450}, {window}), 1 - .11 * .84828, 1e-6);
  EXPECT_DOUBLE_EQ(score({300, 701}, {window}), 1 - .11);
  EXPECT_DOUBLE_EQ(score({299, 300}, {window}), 1 - .11);
}

TEST(ScoreSeries, WeighsMistakesByTheProfile) {
  const std::initializer_list<Window> windows{{300, 319}, {600, 639}};
  const double expected[] = {1 - .11 - 1, 1 - .22 - 1, 1 - .11 - 2};
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_DOUBLE_EQ(score({200, 300}, windows, kProfiles[i]), expected[i]) << kProfiles[i].name;
}

TEST(Normalized, IsZeroForTheSilentAndAHundredForThePerfect) {
  const std::initializer_list<Window> windows{{300, 319}, {600, 639}};
  for (const Profile& profile : kProfiles) {
    EXPECT_DOUBLE_EQ(normalized(score({}, windows, profile), 2, profile), 0) << profile.name;
    EXPECT_DOUBLE_EQ(normalized(score({300, 600}, windows, profile), 2, profile), 100);
  }
  EXPECT_DOUBLE_EQ(normalized(score({300}, windows), 2, kStandard), 50);
}

}  // namespace
}  // namespace nab
