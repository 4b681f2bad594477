#include "core/learn/split.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/base/random.hpp"

namespace liminal::learn {
namespace {

RC_GTEST_PROP(Split, GivesEachPartItsShareOfBothClasses, (std::uint64_t seed)) {
  Random random(seed);
  const auto count = *rc::gen::inRange<std::uint32_t>(2, 8);
  std::vector<float> labels(*rc::gen::inRange<std::size_t>(0, 200));
  for (float& label : labels) label = random.chance(.2) ? 1.F : 0.F;
  const Folds folds = stratified_folds(labels, count, seed);
  for (const float label : {0.F, 1.F}) {
    std::vector<std::size_t> rows(count);
    for (std::size_t i = 0; i < labels.size(); ++i)
      if (labels[i] == label) ++rows[folds.part[i]];
    const auto [low, high] = std::minmax_element(rows.begin(), rows.end());
    RC_ASSERT(*high - *low <= 1);
  }
  RC_ASSERT(stratified_folds(labels, count, seed).part == folds.part);
  for (std::uint32_t k = 0; k < count; ++k)
    RC_ASSERT(folds.inside(k).size() + folds.outside(k).size() == labels.size());
}

RC_GTEST_PROP(Split, SpreadsAContinuousLabel, (std::uint64_t seed)) {
  Random random(seed);
  std::vector<float> labels(200);
  for (float& label : labels) label = static_cast<float>(random.normal());
  const Folds folds = blocked_folds(labels, 5, seed);
  std::vector<float> sorted = labels;
  std::sort(sorted.begin(), sorted.end());
  // Any five neighbours of a block of five lie in five parts.
  for (std::size_t begin = 0; begin < 200; begin += 5) {
    std::set<int> parts;
    for (std::size_t i = 0; i < labels.size(); ++i)
      if (labels[i] >= sorted[begin] && labels[i] <= sorted[begin + 4]) parts.insert(folds.part[i]);
    RC_ASSERT(parts.size() == 5U);
  }
}

RC_GTEST_PROP(Split, KeepsGroupsWhole, (std::uint64_t seed)) {
  Random random(seed);
  std::vector<std::uint64_t> groups(300);
  for (auto& group : groups) group = mix64(random.below(40));
  const Folds folds = group_folds(groups, 5, seed);
  std::map<std::uint64_t, std::set<int>> parts;
  std::map<std::uint64_t, std::size_t> sizes;
  std::vector<std::size_t> rows(5);
  for (std::size_t i = 0; i < groups.size(); ++i) {
    parts[groups[i]].insert(folds.part[i]);
    ++sizes[groups[i]];
    ++rows[folds.part[i]];
  }
  std::size_t largest = 0;
  for (const auto& [group, count] : sizes) largest = std::max(largest, count);
  for (const auto& [group, where] : parts) RC_ASSERT(where.size() == 1U);
  const auto [low, high] = std::minmax_element(rows.begin(), rows.end());
  RC_ASSERT(*high - *low <= largest);
}

TEST(Split, HoldsOutTheLastQuarterByTime) {
  std::vector<double> times;
  for (int i = 0; i < 100; ++i) times.push_back((i * 37) % 100);
  const Folds folds = last_quarter(times);
  EXPECT_EQ(folds.inside(0).size(), 25U);
  for (std::size_t i = 0; i < times.size(); ++i) EXPECT_EQ(folds.part[i] == 0, times[i] >= 75);
}

TEST(Split, KeepsRowsOfOneTimeTogether) {
  const std::vector<double> times{1, 2, 2, 2};
  EXPECT_TRUE(last_quarter(times).inside(0).empty());
  EXPECT_TRUE(last_quarter({}).part.empty());
}

}  // namespace
}  // namespace liminal::learn
