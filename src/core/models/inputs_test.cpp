#include "core/models/inputs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>

namespace liminal::models {
namespace {

using ::testing::ElementsAre;

TEST(Inputs, AreTheFeaturesThemselvesWhenEmpty) {
  const std::array<float, 3> row{1, 2, 3};
  std::array<float, 3> out{};
  apply({}, row, out);
  EXPECT_EQ(out, row);
  EXPECT_EQ(Inputs{}.width(3), 3U);
}

TEST(Inputs, FillScaleAndClip) {
  Inputs inputs;
  inputs.columns.push_back({.feature = 1, .fill = 4, .mean = 2, .scale = .5F, .limit = 3});
  inputs.columns.push_back({.kind = Column::Kind::kIndicator, .feature = 0, .level = 7});
  inputs.columns.push_back({.feature = 0, .fill = 9, .codes = {{6, .5F}, {7, .25F}}});
  inputs.columns.push_back({.feature = 1});
  const auto columns = [&](float a, float b) {
    const std::array<float, 2> row{a, b};
    std::vector<float> out(4);
    apply(inputs, row, out);
    return out;
  };
  EXPECT_THAT(columns(7, 3), ElementsAre(.5F, 1, .25F, 3));
  EXPECT_THAT(columns(6, 100), ElementsAre(3, 0, .5F, 100));
  EXPECT_THAT(columns(8, -100), ElementsAre(-3, 0, 9, -100));  // a level without a code
  EXPECT_TRUE(std::isnan(columns(0, kMissing)[3]));
  EXPECT_EQ(columns(0, kMissing)[0], 1);
  EXPECT_EQ(columns(kMissing, 0)[1], 0);
  EXPECT_EQ(columns(kMissing, 0)[2], 9);
}

TEST(Inputs, TakeWhatIsInfiniteForMissing) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  Inputs inputs;
  inputs.columns.push_back({.feature = 0, .fill = 4, .mean = 2, .scale = 0});
  inputs.columns.push_back({.feature = 0, .fill = 4, .mean = 2, .scale = .5F, .limit = 3});
  inputs.columns.push_back({.feature = 0});
  inputs.columns.push_back({.kind = Column::Kind::kIndicator, .feature = 0, .level = 7});
  inputs.columns.push_back({.feature = 0, .fill = 9, .codes = {{6, .5F}, {7, .25F}}});
  for (const float x : {kInfinity, -kInfinity, kMissing}) {
    std::vector<float> out(5);
    apply(inputs, std::span(&x, 1), out);
    EXPECT_EQ(out[0], 0);
    EXPECT_EQ(out[1], 1);
    EXPECT_TRUE(std::isnan(out[2]));
    EXPECT_EQ(out[3], 0);
    EXPECT_EQ(out[4], 9);
  }
}

TEST(Inputs, ALevelWithoutACodeIsMissing) {
  const std::vector<Code> codes{{1, .5F}, {3, -2}};
  EXPECT_EQ(coded(codes, 1), .5F);
  EXPECT_EQ(coded(codes, 3), -2);
  EXPECT_TRUE(std::isnan(coded(codes, 2)));
  EXPECT_TRUE(std::isnan(coded(codes, kMissing)));
  EXPECT_EQ(coded({}, 2), 2);
}

TEST(Inputs, SayWhatIsWrongAndWhere) {
  Inputs inputs;
  inputs.columns.push_back({.feature = 2, .fill = 0});
  inputs.columns.push_back({.feature = 0});
  inputs.columns.push_back({.feature = 0, .fill = 0, .scale = kMissing, .limit = 0});
  inputs.columns.push_back({.feature = 0, .fill = 0, .codes = {{2, 1}, {1, 1}}});
  std::vector<std::string> keys;
  for (const Problem& problem : validate(inputs, 2, false, "inputs")) keys.push_back(problem.key);
  EXPECT_THAT(keys,
              ElementsAre("inputs.columns[0].feature",
                          "inputs.columns[1].fill",
                          "inputs.columns[2].scale",
                          "inputs.columns[2].limit",
                          "inputs.columns[3].codes"));
  EXPECT_EQ(validate(inputs, 3, true, "inputs").size(), 3U);
}

}  // namespace
}  // namespace liminal::models
