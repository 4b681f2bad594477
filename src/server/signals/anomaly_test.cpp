#include "server/signals/anomaly.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <string>
#include <thread>
#include <vector>

#include "server/signals/anomaly_testing.hpp"

namespace liminal::signals {
namespace {

using testing::AnomalyTest;
using testing::batch;
using testing::second;

TEST_F(AnomalyTest, JudgesRowsAndNamesMetricsAsTheBatchDoes) {
  Anomaly anomaly = make();
  ASSERT_TRUE(anomaly.score(batch("web", 0, 1000), false));
  const auto scores = anomaly.score(batch("web", 1000, 1, 3), true);
  ASSERT_TRUE(scores);
  EXPECT_TRUE(scores->front().is_anomaly());
  ASSERT_EQ(scores->front().parts.size(), 2U);
  EXPECT_EQ(scores->front().parts[0].metric, 1U);
  EXPECT_GT(scores->front().parts[1].contribution, scores->front().parts[0].contribution);
  EXPECT_EQ(alarmed.back(), "web");
  const Anomaly::Counters counters = anomaly.counters();
  EXPECT_EQ(counters.rows, 1001U);
  EXPECT_EQ(counters.sources, 1U);
  EXPECT_EQ(counters.series, 2U);
  EXPECT_GE(counters.anomalies, 1U);
}

TEST_F(AnomalyTest, SourcesAreJudgedApart) {
  Anomaly anomaly = make();
  ASSERT_TRUE(anomaly.score(batch("a", 0, 500), false));
  const auto other = anomaly.score(batch("b", 0, 1, 3), false);
  EXPECT_EQ(other->front().state, novelty::MetricScore::State::kLearning);
}

TEST_F(AnomalyTest, ForgetsTheLongestSilentSourceWhenThereAreTooMany) {
  Anomaly anomaly = make(6);
  for (const char* source : {"a", "b", "c"}) ASSERT_TRUE(anomaly.score(batch(source, 0, 1), false));
  ASSERT_TRUE(anomaly.score(batch("a", 1, 1), false));
  ASSERT_TRUE(anomaly.score(batch("d", 0, 1), false));
  EXPECT_EQ(anomaly.counters().sources_evicted, 1U);
  EXPECT_EQ(anomaly.counters().series, 6U);
  std::vector<std::string> left;
  for (const auto& one : anomaly.exported()) left.push_back(one.source);
  EXPECT_EQ(std::count(left.begin(), left.end(), "b"), 0);
}

TEST_F(AnomalyTest, ForgetsWhatWasDeclaredAndItsOwnLast) {
  Anomaly::Options options;
  options.series_max = 6;
  options.folder = "data";
  options.is_own = [](std::string_view source) { return source == "own"; };
  Anomaly anomaly(options, files);
  const auto has = [&](const char* source) {
    return anomaly.describe(source, "cpu")->status.points > 0;
  };
  const auto told = [&](const char* source) {
    ASSERT_TRUE(anomaly.declare(source, "cpu", novelty::SeriesSettings{}));
  };
  for (const char* source : {"own", "a", "b"})
    ASSERT_TRUE(anomaly.score(batch(source, 0, 1), false));
  for (const char* source : {"own", "a", "b", "c", "d"}) told(source);
  for (const char* source : {"x", "y"}) ASSERT_TRUE(anomaly.score(batch(source, 0, 1), false));
  EXPECT_TRUE(has("own"));
  EXPECT_FALSE(has("a")) << "there was no other";
  EXPECT_TRUE(has("b"));
  EXPECT_FALSE(anomaly.describe("x", "cpu")) << "of two that nobody told of";
  ASSERT_TRUE(anomaly.score(batch("c", 0, 1), false));
  ASSERT_TRUE(anomaly.score(batch("d", 0, 1), false));
  EXPECT_TRUE(has("own"));
  EXPECT_FALSE(has("b"));
  EXPECT_EQ(anomaly.counters().sources_evicted, 4U);
}

TEST_F(AnomalyTest, AFullSourceForgetsTheSeriesThatIsSilentForLongest) {
  Anomaly anomaly = make();
  const auto row = [&](std::int64_t at, std::vector<std::string> metrics) {
    novelty::Batch out{"web", std::move(metrics), {{second(at), {}}}, {}};
    for (std::uint32_t i = 0; i < out.metrics.size(); ++i) out.rows[0].values.push_back({i, 1});
    return out;
  };
  constexpr std::int64_t kDay = 86'400;
  ASSERT_TRUE(anomaly.declare("web", "told", {{.alarms_per_week = 1}}));
  ASSERT_TRUE(anomaly.score(row(0, {"told", "old"}), false));
  ASSERT_TRUE(anomaly.score(row(10, {"older"}), false));
  ASSERT_TRUE(anomaly.score(row(kDay, {"live"}), false));
  EXPECT_EQ(anomaly.admits(row(kDay, {"new"})).error().code, ErrorCode::kTooLarge);
  ASSERT_TRUE(anomaly.score(row(kDay + 11, {"live"}), false));
  EXPECT_TRUE(anomaly.admits(row(kDay + 12, {"new", "live"})));
  EXPECT_FALSE(anomaly.admits(row(kDay + 12, {"new", "newer", "newest"})));
  EXPECT_FALSE(anomaly.admits(row(kDay + 12, {"new", "newer", "old"})));
  ASSERT_TRUE(anomaly.score(row(kDay + 12, {"new", "live"}), false));
  EXPECT_FALSE(anomaly.describe("web", "old"));
  EXPECT_TRUE(anomaly.describe("web", "older"));
  EXPECT_EQ(anomaly.learn(row(kDay + 13, {"newer", "newest"}), second(kDay + 13)).beyond, 1U);
  EXPECT_FALSE(anomaly.describe("web", "older"));
  EXPECT_EQ(anomaly.describe("web", "told")->status.points, 1U);
  EXPECT_EQ(anomaly.counters().series_evicted, 2U);
  EXPECT_EQ(anomaly.counters().series, 4U);
}

TEST_F(AnomalyTest, ForgetsByOrderWithAllThatWasTold) {
  Anomaly anomaly = make();
  for (const char* source : {"a", "b"}) ASSERT_TRUE(anomaly.score(batch(source, 0, 10), false));
  for (const char* metric : {"cpu", "memory", "x"})
    ASSERT_TRUE(anomaly.declare("a", metric, {{.alarms_per_week = 1}}));
  EXPECT_EQ(anomaly.declare("b", "cpu", novelty::SeriesSettings{}).error().code,
            ErrorCode::kTooLarge);
  EXPECT_EQ(anomaly.forget("a", "y").error().code, ErrorCode::kMissing);
  EXPECT_EQ(anomaly.forget("c", std::nullopt).error().code, ErrorCode::kMissing);
  EXPECT_TRUE(anomaly.forget("a", "cpu"));
  EXPECT_FALSE(anomaly.describe("a", "cpu"));
  EXPECT_EQ(anomaly.describe("a", "memory")->status.points, 10U);
  EXPECT_EQ(anomaly.counters().series, 3U);
  ASSERT_TRUE(anomaly.declare("b", "cpu", {{.alarms_per_week = 1}})) << "there is room again";
  ASSERT_TRUE(anomaly.save(second(0)));
  files.faults.disk_bytes = 0;
  EXPECT_FALSE(anomaly.forget("a", std::nullopt));
  EXPECT_TRUE(anomaly.describe("a", "x"));
  files.faults = {};
  ASSERT_TRUE(anomaly.forget("a", std::nullopt));
  for (const char* metric : {"memory", "x"}) EXPECT_FALSE(anomaly.describe("a", metric));
  EXPECT_EQ(anomaly.counters().sources, 1U);
  ASSERT_TRUE(anomaly.save(second(0)));
  Anomaly again = make();
  ASSERT_TRUE(again.load());
  EXPECT_FALSE(again.describe("a", "memory"));
  EXPECT_TRUE(again.describe("b", "cpu"));
  ASSERT_TRUE(again.score(batch("a", 0, 1), false));
  EXPECT_EQ(again.describe("a", "cpu")->status.points, 1U);
}

TEST_F(AnomalyTest, WhatNothingIsToldOfAnyMoreTakesNoPlace) {
  Anomaly anomaly = make();
  ASSERT_TRUE(anomaly.score(batch("web", 0, 100), false));
  for (const char* metric : {"cpu", "b", "c"})
    ASSERT_TRUE(anomaly.declare("web", metric, {{.alarms_per_week = 1}}));
  EXPECT_FALSE(*anomaly.declare("web", "cpu", std::nullopt));
  EXPECT_FALSE(anomaly.describe("web", "cpu")->told);
  EXPECT_EQ(anomaly.describe("web", "cpu")->status.settings.alarms_per_week, 0);
  EXPECT_EQ(anomaly.describe("web", "cpu")->status.points, 100U) << "what it learnt stays";
  EXPECT_TRUE(*anomaly.declare("web", "cpu", std::nullopt));
  EXPECT_TRUE(anomaly.declare("web", "d", novelty::SeriesSettings{}));
  Anomaly again = make();
  (void)again.load();
  EXPECT_FALSE(again.describe("web", "cpu"));
}

TEST_F(AnomalyTest, GoesOnWithABatchWhoseSourceWasForgottenBetweenTwoTurns) {
  Anomaly::Options options;
  options.series_max = 3;
  options.folder = "data";
  Anomaly* asked = nullptr;
  bool forgotten = false;
  Anomaly anomaly(options, files, [&](const novelty::Batch& of, const novelty::RowScore&) {
    if (of.source != "web" || std::exchange(forgotten, true)) return;
    // Two metrics each: the first one that is new pushes "web" out, the second the first.
    for (const char* other : {"x", "y"}) ASSERT_TRUE(asked->score(batch(other, 0, 1), false));
  });
  asked = &anomaly;
  novelty::Batch rows = batch("web", 0, 3000);
  for (std::size_t i = 1000; i < 1010; ++i) rows.rows[i].values[1].value = 9;
  const auto scores = anomaly.score(rows, false);
  ASSERT_TRUE(scores);
  ASSERT_TRUE(forgotten);
  EXPECT_EQ(scores->back().parts.size(), 2U);
  EXPECT_EQ(scores->back().state, novelty::MetricScore::State::kNormal) << "known anew";
  EXPECT_EQ(anomaly.counters().rows, 3002U);
  EXPECT_EQ(anomaly.counters().sources, 1U);
  EXPECT_EQ(anomaly.counters().series, 2U);
}

TEST_F(AnomalyTest, CountsTheMemoryOfWhatIsThere) {
  Anomaly anomaly = make(6);
  ASSERT_TRUE(anomaly.score(batch("a", 0, 1), false));
  const std::uint64_t one = anomaly.counters().bytes;
  EXPECT_GT(one, 2 * sizeof(novelty::MetricSeries));
  EXPECT_LT(one, 2 * sizeof(novelty::MetricSeries) + 1000);
  for (const char* source : {"b", "c", "d", "e"})
    ASSERT_TRUE(anomaly.score(batch(source, 0, 1), false));
  EXPECT_EQ(anomaly.counters().bytes, 3 * one) << "two were forgotten";
  ASSERT_TRUE(anomaly.save(second(0)));
  Anomaly again = make(6);
  (void)again.load();
  EXPECT_EQ(again.counters().bytes, 3 * one);
}

TEST_F(AnomalyTest, RefusesTooManyMetricsOfASourceAndLearnsNothing) {
  Anomaly anomaly = make();
  novelty::Batch wide{"web", {"a", "b", "c", "d", "e"}, {{second(0), {{0, 1}}}}, {}};
  EXPECT_EQ(anomaly.admits(wide).error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(anomaly.score(wide, false).error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(anomaly.counters().sources, 0U);
  EXPECT_EQ(anomaly.counters().rows, 0U);
}

/// A row a second of "f", "e" … "a", one each.
novelty::Batch six() {
  novelty::Batch wide{"web", {"a", "b", "c", "d", "e", "f"}, {}, {}};
  for (std::uint32_t i = 0; i < 6; ++i) wide.rows.push_back({second(i), {{5 - i, 1}}});
  return wide;
}

TEST_F(AnomalyTest, LetsTheLongestSilentSeriesGoWhenTheBoundBecomesSmaller) {
  Anomaly::Options options;
  options.folder = "data";
  options.bounds.metrics_max = 6;
  Anomaly before(options, files);
  ASSERT_TRUE(before.score(six(), false));
  ASSERT_TRUE(before.declare("web", "f", novelty::SeriesSettings{}));
  ASSERT_TRUE(before.save(second(0)));
  Anomaly restarted = make();  // of four a source
  ASSERT_TRUE(restarted.load());
  before.set_bounds({.metrics_max = 4});
  for (Anomaly* const one : {&restarted, &before}) {
    EXPECT_EQ(one->counters().series, 4U);
    EXPECT_EQ(one->counters().series_evicted, 2U);
    for (const char* kept : {"a", "b", "c", "f"}) EXPECT_TRUE(one->describe("web", kept)) << kept;
    for (const char* gone : {"d", "e"}) EXPECT_FALSE(one->describe("web", gone)) << gone;
    EXPECT_EQ(one->score(six(), false).error().code, ErrorCode::kTooLarge);
  }
  before.set_bounds({.metrics_max = 6});
  EXPECT_TRUE(before.score(six(), false));
  EXPECT_EQ(before.counters().series, 6U);
}

TEST_F(AnomalyTest, ASmallerBoundHoldsForEverySourceHoweverManyThereAre) {
  Anomaly::Options options;
  options.folder = "data";
  options.bounds.metrics_max = 6;
  Anomaly anomaly(options, files);
  novelty::Batch rows = six();
  constexpr std::size_t kSources = 3000;  // more than are gone through under one lock
  for (std::size_t i = 0; i < kSources; ++i) {
    rows.source = "web-" + std::to_string(i);
    ASSERT_TRUE(anomaly.score(rows, false));
  }
  anomaly.set_bounds({.metrics_max = 4});
  EXPECT_EQ(anomaly.counters().series, 4 * kSources);
  EXPECT_EQ(anomaly.counters().series_evicted, 2 * kSources);
  for (const std::size_t i : {std::size_t{0}, kSources / 2, kSources - 1}) {
    const std::string source = "web-" + std::to_string(i);
    for (const char* gone : {"e", "f"}) EXPECT_FALSE(anomaly.describe(source, gone)) << source;
  }
}

TEST_F(AnomalyTest, ABoundMayMoveWhileRowsCome) {
  Anomaly::Options options;
  options.folder = "data";
  options.bounds.metrics_max = 6;
  Anomaly anomaly(options, files);
  std::atomic<bool> over{false};
  std::thread rows([&] {
    novelty::Batch batch = six();
    for (std::size_t i = 0; !over; ++i) {
      batch.source = "web-" + std::to_string(i % 700);
      (void)anomaly.learn(batch, second(10));
    }
  });
  for (int i = 0; i < 40; ++i) anomaly.set_bounds({.metrics_max = i % 2 == 0 ? 4U : 6U});
  anomaly.set_bounds({.metrics_max = 3});
  over = true;
  rows.join();
  EXPECT_LE(anomaly.counters().series, 3 * anomaly.counters().sources);
}

TEST_F(AnomalyTest, KeepsToTheAlarmsAWeekThatAreWantedOfASource) {
  Anomaly anomaly = make();
  ASSERT_TRUE(anomaly.score(batch("web", 0, 10), false));
  EXPECT_EQ(anomaly.describe("web", "cpu")->status.source_alarms_per_week, 0);
  EXPECT_EQ(anomaly.describe("web", "cpu")->status.source_line, 1);
  anomaly.set_bounds({.metrics_max = 4, .alarms_per_week = .01});
  ASSERT_TRUE(anomaly.score(batch("web", 10, 3000), false));
  ASSERT_TRUE(anomaly.score(batch("web", 3010, 1, 9.), false));
  EXPECT_EQ(anomaly.describe("web", "cpu")->status.source_alarms_per_week, .01);
  EXPECT_GT(anomaly.describe("web", "cpu")->status.source_line, 1);
}

TEST_F(AnomalyTest, CountsLateRowsAtTheLastTimeAndRefusesAFloodOfThem) {
  Anomaly anomaly = make();
  ASSERT_TRUE(anomaly.score(batch("web", 100'000, 1), false));
  EXPECT_TRUE(anomaly.admits(batch("web", 0, 3000))) << "a clock that was set back";
  EXPECT_TRUE(anomaly.admits(batch("web", 100'000, 2000)));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(anomaly.score(batch("web", 0, 50), false)) << i;
  EXPECT_EQ(anomaly.counters().rows_late, 1000U);
  EXPECT_EQ(anomaly.admits(batch("web", 0, 1)).error(), (Error{ErrorCode::kConflict, 0}));
  EXPECT_EQ(anomaly.score(batch("web", 0, 1), false).error().code, ErrorCode::kConflict);
  EXPECT_TRUE(anomaly.score(batch("web", 100'001, 1), false));
  EXPECT_TRUE(anomaly.score(batch("web", 0, 1), false));
}

TEST_F(AnomalyTest, GoesOnFromAClockThatWasSetBack) {
  Anomaly anomaly = make();
  ASSERT_TRUE(anomaly.score(batch("web", 80'000, 1), false));
  ASSERT_TRUE(anomaly.score(batch("web", 0, 3000), false));
  EXPECT_EQ(anomaly.counters().rows_late, 100U);
  EXPECT_EQ(anomaly.score(batch("web", 2999, 1), false)->size(), 1U);
  EXPECT_EQ(anomaly.counters().rows_late, 100U) << "2999 is in time";
}

TEST_F(AnomalyTest, LearnsWhatComesAgainOrOnSeveralWaysOnce) {
  Anomaly anomaly = make();
  const auto one = [&](std::uint32_t metric, std::int64_t at, double value = 1) {
    return anomaly.learn({"web", {"a", "b"}, {{second(at), {{metric, value}}}}, {}}, second(at));
  };
  EXPECT_EQ(one(0, 100).learnt, 1U);
  EXPECT_EQ(one(1, 85).learnt, 1U) << "late for the source, not for the series";
  EXPECT_EQ(one(0, 100).duplicate, 1U);
  EXPECT_EQ(one(0, 99).late, 1U);
  EXPECT_EQ(one(1, 100).learnt, 1U);
  EXPECT_EQ(one(1, 115, NAN).missing, 1U);
  EXPECT_EQ(one(1, 115).learnt, 1U) << "what is missing takes no place";
  EXPECT_EQ(anomaly.counters().rows, 4U);
  EXPECT_EQ(anomaly.counters().rows_late, 0U);
}

TEST_F(AnomalyTest, LearnsAgainFromAClockThatWasSetBack) {
  Anomaly anomaly = make();
  const auto one = [&](std::uint32_t metric, std::int64_t at, std::int64_t date) {
    return anomaly.learn({"web", {"a", "b"}, {{second(at), {{metric, 1}}}}, {}}, second(date));
  };
  // The date was wrong, then it is right again; two ways, a sample of each by turns.
  for (const std::uint32_t metric : {0U, 1U})
    EXPECT_EQ(one(metric, 2'600'000, 2'600'000).learnt, 1U);
  for (std::int64_t i = 0; i < 10; ++i) {
    EXPECT_EQ(one(0, 15 * i, 15 * i).learnt, 1U) << i;
    EXPECT_EQ(one(1, 15 * i + 7, 15 * i + 7).learnt, 1U) << "its clock is the same";
    EXPECT_EQ(one(0, 15 * i - 7, 15 * i).late, 1U) << "of the second Prometheus";
  }
}

TEST_F(AnomalyTest, TakesWhatComesAgainForNoClockThatWasSetBack) {
  Anomaly anomaly = make();
  const auto backlog = [&] { return anomaly.learn(batch("web", 0, 1000), second(1000)); };
  EXPECT_EQ(backlog().late, 0U);
  const novelty::Intake again = backlog();
  EXPECT_EQ(again.learnt, 0U);
  EXPECT_EQ(anomaly.counters().rows, 1000U);
}

TEST_F(AnomalyTest, KeepsWhatABatchNamesWhenOthersHaveToGo) {
  Anomaly anomaly = make();
  const auto learn = [&](std::vector<std::string> metrics, std::int64_t at) {
    novelty::Batch::Row row{second(at), {}};
    for (std::uint32_t i = 0; i < metrics.size(); ++i) row.values.push_back({i, 1});
    return anomaly.learn({"web", std::move(metrics), {row}, {}}, second(at));
  };
  learn({"x"}, 0);
  learn({"y", "z"}, 10);
  learn({"live"}, 20);
  const std::int64_t later = 2 * 86'400;
  learn({"live"}, later);
  EXPECT_EQ(learn({"new", "x", "live"}, later + 1).learnt, 3U) << "there are four places";
  EXPECT_EQ(anomaly.counters().series_evicted, 1U);
  EXPECT_EQ(anomaly.describe("web", "x")->status.points, 2U) << "the longest silent, but it came";
  EXPECT_EQ(anomaly.counters().series, 4U);
}

TEST_F(AnomalyTest, LearnsWhatItHasRoomFor) {
  Anomaly anomaly = make();
  const novelty::Intake count =
      anomaly.learn({"web",
                     {"a", "b", "c", "d", "e"},
                     {{second(0), {{4, 1}, {0, 1}, {1, 1}, {2, 1}, {3, 1}}}},
                     {}},
                    second(0));
  EXPECT_EQ(count.learnt, 4U);
  EXPECT_EQ(count.beyond, 1U);
  EXPECT_EQ(anomaly.counters().series, 4U);
}

TEST_F(AnomalyTest, TakesForACounterWhatTheBatchSaysUnlessItsOwnerSaidOtherwise) {
  Anomaly anomaly = make();
  ASSERT_TRUE(anomaly.declare("web", "told", novelty::SeriesSettings{.counter = false}));
  for (int i = 0; i < 300; ++i) {
    const double total = 10. * i;
    anomaly.learn(
        {"web", {"requests_total", "told"}, {{second(i), {{0, total}, {1, total}}}}, {true, true}},
        second(i));
  }
  const auto shown = anomaly.exported();
  ASSERT_EQ(shown.size(), 2U);
  ASSERT_TRUE(shown[0].expected);
  EXPECT_TRUE(shown[0].expected->holds(10)) << "a rate";
  EXPECT_EQ(shown[0].value, 10) << "a rate too";
  EXPECT_EQ(shown[1].value, 2990);
}

TEST_F(AnomalyTest, WhatItsSenderCallsACounterIsOneAgainWhenItsOwnerTellsNothingMore) {
  Anomaly anomaly = make();
  const auto learn = [](Anomaly& by, int from, int to) {
    for (int i = from; i < to; ++i)
      (void)by.learn({"web", {"requests_total"}, {{second(i), {{0, 10. * i}}}}, {true}}, second(i));
  };
  const auto is_counter = [](const Anomaly& of) {
    return of.describe("web", "requests_total")->status.settings.counter == true;
  };
  learn(anomaly, 0, 100);
  ASSERT_TRUE(anomaly.declare("web", "requests_total", novelty::SeriesSettings{.counter = true}));
  ASSERT_TRUE(anomaly.declare("web", "requests_total", std::nullopt));
  EXPECT_TRUE(is_counter(anomaly));
  EXPECT_EQ(anomaly.describe("web", "requests_total")->status.points, 99U) << "nothing was lost";
  ASSERT_TRUE(anomaly.declare("web", "requests_total", {{.alarms_per_week = 2}}));
  EXPECT_TRUE(is_counter(anomaly)) << "its owner told of no kind";
  EXPECT_EQ(anomaly.describe("web", "requests_total")->status.points, 99U) << "nothing was lost";
  ASSERT_TRUE(anomaly.declare("web", "requests_total", novelty::SeriesSettings{.counter = false}));
  EXPECT_FALSE(is_counter(anomaly)) << "its owner knows better";
  learn(anomaly, 100, 110);
  EXPECT_FALSE(is_counter(anomaly));
  ASSERT_TRUE(anomaly.save(second(0)));
  Anomaly again = make();
  ASSERT_TRUE(again.load());
  ASSERT_TRUE(again.declare("web", "requests_total", std::nullopt));
  EXPECT_TRUE(is_counter(again));
}

TEST_F(AnomalyTest, ACounterThatWasToldOfBeforeItCameIsOneAllTheSame) {
  const auto learn = [](Anomaly& by, int i) {
    (void)by.learn({"web", {"requests_total"}, {{second(i), {{0, 10. * i}}}}, {true}}, second(i));
  };
  const novelty::SeriesSettings told{.range = novelty::Range{0, 100}, .alarms_per_week = 2};
  Anomaly anomaly = make();
  ASSERT_TRUE(anomaly.declare("web", "requests_total", told));
  for (int i = 0; i < 100; ++i) learn(anomaly, i);
  ASSERT_TRUE(anomaly.save(second(100)));
  Anomaly again = make();
  ASSERT_TRUE(again.load());
  learn(again, 100);
  for (Anomaly* const one : {&anomaly, &again}) {
    const auto known = one->describe("web", "requests_total");
    EXPECT_EQ(known->told, told);
    EXPECT_EQ(known->status.settings.counter, true);
    EXPECT_EQ(known->status.settings.range, told.range);
    ASSERT_TRUE(known->status.expected);
    EXPECT_TRUE(known->status.expected->holds(10)) << "a rate";
    EXPECT_NEAR(known->status.observed_weeks * 604'800, 98, 1);
    EXPECT_EQ(known->status.observed_alarms, 0);
  }
}

TEST_F(AnomalyTest, TellsOfAnomaliesInWhatItLearns) {
  Anomaly anomaly = make();
  anomaly.learn(batch("web", 0, 1000), second(1000));
  alarmed.clear();
  anomaly.learn(batch("web", 1000, 1, 3), second(1000));
  EXPECT_EQ(alarmed, std::vector<std::string>{"web"});
}

TEST_F(AnomalyTest, KeepsQuietUntilTheTimeThatItsOwnerSaid) {
  {
    Anomaly anomaly = make();
    ASSERT_TRUE(anomaly.score(batch("web", 0, 1000), false));
    for (const char* metric : {"cpu", "memory"})
      ASSERT_TRUE(anomaly.declare("web", metric, {{.suppress_until = second(1010)}}));
    alarmed.clear();
    ASSERT_TRUE(anomaly.save(second(1000)));
  }
  Anomaly again = make();
  ASSERT_TRUE(again.load());
  const auto silent = again.score(batch("web", 1000, 10, 3), false);
  for (const novelty::RowScore& row : *silent) EXPECT_FALSE(row.is_anomaly());
  EXPECT_TRUE(alarmed.empty());
  for (const auto& one : again.exported()) EXPECT_EQ(one.score, 0);
  EXPECT_EQ(again.describe("web", "cpu")->status.settings.suppress_until, second(1010));
  EXPECT_TRUE(again.score(batch("web", 1010, 1, 9), false)->front().is_anomaly());
  EXPECT_FALSE(alarmed.empty());
}

TEST_F(AnomalyTest, ShowsTheScoresOfABatchThatNamesSomeSeries) {
  Anomaly anomaly = make();
  ASSERT_TRUE(anomaly.score(batch("web", 0, 1000), false));
  ASSERT_TRUE(anomaly.declare("web", "cpu", {{.suppress_until = second(2000)}}));
  const novelty::Batch one{"web", {"memory"}, {{second(1000), {{0, 9}}}}, {}};
  ASSERT_TRUE(anomaly.score(one, false));
  const auto shown = anomaly.exported();
  ASSERT_EQ(shown.size(), 2U);
  for (const auto& one_shown : shown) EXPECT_EQ(one_shown.score > 1, one_shown.metric == "memory");
}

TEST_F(AnomalyTest, ShowsTheFirstSeriesWithTheirBands) {
  Anomaly anomaly = make();
  ASSERT_TRUE(anomaly.score(batch("a", 0, 500), false));
  ASSERT_TRUE(anomaly.score(batch("b", 0, 1), false));
  const auto shown = anomaly.exported();
  ASSERT_EQ(shown.size(), 3U) << "of four";
  EXPECT_EQ(shown[0].source, "a");
  EXPECT_EQ(shown[0].metric, "cpu");
  ASSERT_TRUE(shown[0].expected);
  EXPECT_TRUE(shown[0].expected->holds(.5));
}

TEST_F(AnomalyTest, ShowsSeriesOfWhichSomethingWasToldBeforeOthers) {
  Anomaly anomaly = make();
  ASSERT_TRUE(anomaly.score(batch("a", 0, 10), false));
  ASSERT_TRUE(anomaly.score(batch("b", 0, 10), false));
  ASSERT_TRUE(anomaly.declare("b", "memory", {{.alarms_per_week = 1}}));
  ASSERT_TRUE(anomaly.declare("c", "cpu", {{.alarms_per_week = 1}}));
  ASSERT_TRUE(anomaly.score(batch("c", 0, 10), false));
  std::vector<std::string> shown;
  for (const auto& one : anomaly.exported()) shown.push_back(one.source + "/" + one.metric);
  EXPECT_EQ(shown, (std::vector<std::string>{"b/memory", "c/cpu", "b/cpu"}));
}

TEST_F(AnomalyTest, ServesSeveralThreads) {
  Anomaly anomaly = make();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&anomaly, t] {
      const std::string source(1, static_cast<char>('a' + t / 2));
      for (int i = 0; i < 20; ++i) (void)anomaly.score(batch(source, i * 300, 300), false);
      if (t == 0) (void)anomaly.save(second(0));  // the disk has one thread
      (void)anomaly.exported();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(anomaly.counters().sources, 2U);
}

}  // namespace
}  // namespace liminal::signals
