#include "core/salience/ranker.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/base/random.hpp"

namespace liminal::salience {
namespace {

SteadyTime minute(double m) { return SteadyTime{from_seconds(m * 60)}; }

/// A day of two ordinary types on three sources.
Ranker after_a_day(std::vector<Item>& finals) {
  Ranker ranker;
  Random random(1);
  for (int m = 0; m < 1440; ++m) {
    for (std::uint64_t source = 1; source <= 3; ++source) {
      if (random.chance(.5)) ranker.observe(100, source, minute(m), finals);
      if (random.chance(.1)) ranker.observe(101, source, minute(m), finals);
    }
  }
  return ranker;
}

TEST(Ranker, RareThingsNearRareThingsComeFirst) {
  std::vector<Item> finals;
  Ranker ranker = after_a_day(finals);
  finals.clear();
  ranker.observe(100, 1, minute(1440), finals);
  ranker.observe(900, 1, minute(1440), finals);
  ranker.observe(901, 2, minute(1440), finals);
  finals.clear();
  ranker.tick(minute(1441), finals);
  ASSERT_EQ(finals.size(), 3u);
  const auto of = [&](std::uint64_t type) {
    return *std::find_if(
        finals.begin(), finals.end(), [&](const Item& item) { return item.type == type; });
  };
  EXPECT_GT(of(900).salience, of(100).salience);
  EXPECT_GT(of(900).terms.neighbourhood, 0);

  const double together = of(900).salience;

  finals.clear();
  Ranker quiet = after_a_day(finals);
  const Item alone = quiet.observe(900, 1, minute(1440), finals);
  EXPECT_GT(together, alone.salience) << "alone it is only rare";
}

TEST(Ranker, ABurstIsMoreSurprisingThanAnOrdinaryMinute) {
  std::vector<Item> finals;
  Ranker ranker = after_a_day(finals);
  const Item first = ranker.observe(100, 1, minute(1440), finals);
  Item last;
  for (int i = 0; i < 200; ++i) last = ranker.observe(100, 1, minute(1440), finals);
  EXPECT_EQ(last.count, 201u);
  EXPECT_GT(last.salience, first.salience);
}

TEST(Ranker, TheSameEverywhereIsNewsOfNobody) {
  std::vector<Item> finals;
  Ranker ranker;
  ranker.observe(1, 1, minute(0), finals);
  for (std::uint64_t source = 1; source <= 50; ++source)
    ranker.observe(2, source, minute(1), finals);
  finals.clear();
  ranker.tick(minute(2), finals);
  EXPECT_NEAR(finals.front().terms.breadth, -.5 * std::log(50), 1e-9);
}

TEST(Ranker, WhatIsOfTheSameTypeIsNoNeighbour) {
  std::vector<Item> finals;
  Ranker ranker = after_a_day(finals);
  ranker.tick(minute(1440), finals);
  finals.clear();
  for (std::uint64_t source = 50; source < 60; ++source)
    ranker.observe(900, source, minute(1440), finals);
  ranker.tick(minute(1441), finals);
  ASSERT_EQ(finals.size(), 10u);
  for (const Item& item : finals) EXPECT_LT(item.terms.neighbourhood, .5);
  EXPECT_TRUE(ranker.knows(900));
  EXPECT_FALSE(ranker.knows(901));
}

TEST(Ranker, FeedbackMovesAType) {
  std::vector<Item> finals;
  Ranker ranker = after_a_day(finals);
  const double before = ranker.score(101, 1, minute(1441)).salience;
  for (int i = 0; i < 5; ++i) ranker.feedback(101, false);
  EXPECT_LT(ranker.score(101, 1, minute(1441)).salience, before);
  for (int i = 0; i < 50; ++i) ranker.feedback(101, true);
  EXPECT_GT(ranker.score(101, 2, minute(1441)).salience, before);
}

TEST(Ranker, AskingChangesNothing) {
  std::vector<Item> finals;
  Ranker ranker = after_a_day(finals);
  const std::uint64_t before = ranker.state_hash();
  for (std::uint64_t type = 0; type < 200; ++type) (void)ranker.score(type, 1, minute(5000));
  EXPECT_EQ(ranker.state_hash(), before);
}

TEST(Ranker, IsBounded) {
  RankerOptions options;
  options.cells_max = 10;
  options.types_max = 3;
  Ranker ranker(options);
  std::vector<Item> finals;
  for (std::uint64_t i = 0; i < 100; ++i) {
    ranker.observe(i, i, minute(static_cast<double>(i)), finals);
    ranker.feedback(i, true);
  }
  EXPECT_LE(ranker.cells(), 10u);
  Writer saved;
  ranker.save(saved);
  Ranker loaded(options);
  Reader in(saved.bytes());
  EXPECT_TRUE(loaded.load(in));
}

TEST(RankerOptions, NamesAllItsProblems) {
  EXPECT_TRUE(validate(RankerOptions{}).empty());
  EXPECT_EQ(validate({Duration::zero(), Duration::zero(), 0, 0}).size(), 4u);
}

struct Event {
  std::uint64_t type, source;
  int second;
};

rc::Gen<std::vector<Event>> events() {
  return rc::gen::map(
      rc::gen::container<std::vector<std::array<int, 3>>>(rc::gen::construct<std::array<int, 3>>(
          rc::gen::inRange(0, 5), rc::gen::inRange(0, 4), rc::gen::inRange(0, 100))),
      [](const std::vector<std::array<int, 3>>& raw) {
        std::vector<Event> made;
        int second = 0;
        for (const auto& [type, source, pause] : raw) {
          second += pause;
          made.push_back(
              {static_cast<std::uint64_t>(type), static_cast<std::uint64_t>(source), second});
        }
        return made;
      });
}

SteadyTime time_of(const Event& event) { return SteadyTime{std::chrono::seconds{event.second}}; }

std::vector<double> scores(Ranker& ranker, const std::vector<Event>& all) {
  std::vector<double> out;
  std::vector<Item> finals;
  for (const Event& event : all)
    out.push_back(ranker.observe(event.type, event.source, time_of(event), finals).salience);
  for (const Item& item : finals) out.push_back(item.salience);
  return out;
}

RC_GTEST_PROP(Ranker, SavedAndLoadedHasTheSameFuture, ()) {
  Ranker ranker;
  scores(ranker, *events());
  ranker.feedback(1, true);
  Writer saved;
  ranker.save(saved);
  Ranker loaded;
  Reader in(saved.bytes());
  RC_ASSERT(loaded.load(in).has_value());
  RC_ASSERT(in.at_end());
  const auto future = *events();
  RC_ASSERT(scores(ranker, future) == scores(loaded, future));
  RC_ASSERT(ranker.state_hash() == loaded.state_hash());
}

RC_GTEST_PROP(Ranker, FinalScoresDoNotDependOnTheOrderWithinAMinute, ()) {
  auto all = *events();
  for (Event& event : all) event.second %= 60;
  const auto finals_of = [](std::vector<Event> ordered) {
    Ranker ranker;
    std::vector<Item> finals;
    for (const Event& event : ordered)
      ranker.observe(event.type, event.source, time_of(event), finals);
    ranker.tick(minute(1), finals);
    std::map<std::pair<std::uint64_t, std::uint64_t>, double> by_cell;
    for (const Item& item : finals) by_cell[{item.type, item.source}] = item.salience;
    return by_cell;
  };
  auto reversed = all;
  std::reverse(reversed.begin(), reversed.end());
  const auto a = finals_of(all), b = finals_of(reversed);
  RC_ASSERT(a.size() == b.size());
  for (const auto& [cell, salience] : a) RC_ASSERT(b.at(cell) == salience);
}

}  // namespace
}  // namespace liminal::salience
