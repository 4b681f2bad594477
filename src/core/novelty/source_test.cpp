#include "core/novelty/source.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "core/base/random.hpp"
#include "core/novelty/interval.hpp"

namespace liminal::novelty {
namespace {

using State = MetricScore::State;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

EventTime minute(int i) { return EventTime{from_seconds(1e9 + 60. * i)}; }

/// A host whose metrics follow one load, each with its own noise.
class Host {
 public:
  Host(std::uint32_t metrics, std::uint64_t seed) : random_(seed) {
    for (std::uint32_t i = 0; i < metrics; ++i)
      row_.push_back({*source.find_or_add("m" + std::to_string(i)), 0});
  }
  /// The next minute; `strange` is added to the first metric.
  const RowScore& next(double strange = 0, bool expected = false) {
    const double load = std::sin(now_ / 200.);
    for (Source::Value& value : row_) value.value = 10 * load + random_.normal();
    row_[0].value += strange;
    source.step(row_, minute(now_++), expected, score);
    return score;
  }

  Source source;
  RowScore score;

 private:
  Random random_;
  std::vector<Source::Value> row_;
  int now_ = 0;
};

TEST(Source, OneMetricIsJudgedByItsOwnLine) {
  Host host(1, 1);
  for (int i = 0; i < 3000; ++i) {
    const RowScore& score = host.next(i % 500 == 499 ? 40 : 0);
    ASSERT_EQ(score.parts.size(), 1U);
    EXPECT_EQ(score.score, score.parts[0].own.score);
    EXPECT_EQ(score.novelty, score.parts[0].own.novelty);
    EXPECT_FLOAT_EQ(score.parts[0].contribution,
                    score.parts[0].own.evidence > 0 ? score.rarity : 0);
  }
}

TEST(Source, FindsAStrangeMetricAmongManyAndNamesIt) {
  for (const std::uint32_t metrics : {2U, 8U, 19U, 38U}) {
    Host host(metrics, metrics);
    for (int i = 0; i < 4000; ++i) host.next();
    const RowScore& score = host.next(60, true);
    EXPECT_GE(score.score, 1) << metrics;
    EXPECT_EQ(score.state, State::kNew);
    EXPECT_TRUE(score.is_anomaly());
    double sum = 0;
    for (const RowScore::Part& part : score.parts) {
      sum += static_cast<double>(part.contribution);
      EXPECT_LE(part.contribution, score.parts[0].contribution);
      EXPECT_TRUE(part.expected.has_value());
    }
    EXPECT_NEAR(sum, static_cast<double>(score.rarity), 1e-3 * sum);
    EXPECT_LT(score.parts[0].expected->high, 60);
  }
}

/// Rows that alarm, of the next so many ordinary ones.
int alarms(Host& host, int rows) {
  int count = 0;
  for (int i = 0; i < rows; ++i) count += host.next().is_anomaly() ? 1 : 0;
  return count;
}

TEST(Source, OrdinaryRowsSeldomAlarm) {
  for (const std::uint32_t metrics : {2U, 8U, 38U}) {
    Host host(metrics, 100 + metrics);
    EXPECT_LE(alarms(host, 1500), 3) << metrics << ", from the first row on";
    EXPECT_LE(alarms(host, 8500), 6) << metrics;
  }
}

TEST(Source, ANewSourceOfManyMetricsDoesNotFloodItsOwner) {
  Host host(250, 1);
  EXPECT_LE(alarms(host, 1500), 5);
}

TEST(Source, WhatOneMetricToldEarlyMakesNoOthersSpeak) {
  Source source;
  Random random(250'000);
  RowScore score;
  std::vector<Source::Value> row;
  for (std::uint32_t i = 0; i < 250; ++i)
    row.push_back({*source.find_or_add("m" + std::to_string(i)), 0});
  int count = 0;
  for (int i = 0; i < 1000; ++i) {
    for (Source::Value& value : row) value.value = random.exponential();
    source.step(row, minute(i), false, score);
    count += score.is_anomaly() ? 1 : 0;
  }
  EXPECT_LE(count, 20);
}

TEST(Source, WideSourcesOfPlainNoiseKeepToTheirBudget) {
  Source source;
  Random random(1);
  RowScore score;
  std::vector<Source::Value> row;
  for (std::uint32_t i = 0; i < 60; ++i)
    row.push_back({*source.find_or_add("m" + std::to_string(i)), 0});
  int count = 0;
  for (int i = 0; i < 4000; ++i) {
    for (Source::Value& value : row) value.value = random.normal();
    source.step(row, minute(i), false, score);
    count += i >= 2000 && score.is_anomaly() ? 1 : 0;
  }
  EXPECT_LE(count, 10) << "of 2,000; there were 40";
  row[7].value += 40;
  source.step(row, minute(4000), false, score);
  EXPECT_TRUE(score.is_anomaly());
}

TEST(Source, OfOneMetricKeepsToWhatWasToldOfTheSource) {
  Host plain(1, 4), told(1, 4);
  told.source.set_alarms_per_week(1);
  int plainly = 0, seldom = 0;
  for (int i = 0; i < 20'000; ++i) {
    plainly += plain.next().is_anomaly() ? 1 : 0;
    seldom += told.next().is_anomaly() ? 1 : 0;
  }
  EXPECT_LT(seldom, plainly / 2);
  EXPECT_EQ(plain.source.line(), 1);
  EXPECT_GT(told.source.line(), 1);
}

TEST(Source, FindsEarlyWhatLiesFarOut) {
  for (const std::uint32_t metrics : {1U, 2U, 10U, 38U}) {
    Host host(metrics, metrics);
    EXPECT_EQ(alarms(host, 150), 0);
    const RowScore& score = host.next(100);
    EXPECT_TRUE(score.is_anomaly()) << metrics;
    EXPECT_GT(score.parts[0].contribution, score.score / 2) << metrics;
  }
}

TEST(Source, SeriesThatVanishedTakeNoPart) {
  Host host(2, 7);
  Source& source = host.source;
  RowScore score;
  std::vector<Source::Value> gone;
  for (int i = 0; i < 500; ++i)
    gone.push_back({*source.find_or_add("gone" + std::to_string(i)), 1});
  for (int i = 0; i < 100; ++i) source.step(gone, minute(i - 1000), false, score);
  (void)alarms(host, 3000);
  EXPECT_TRUE(host.next(60).is_anomaly());
}

TEST(Source, ForgetsAMetric) {
  Source source(3);
  RowScore score;
  for (const char* name : {"a", "b", "c"}) (void)source.find_or_add(name);
  const Source::Value value{2, 5};
  source.step(std::span(&value, 1), minute(0), false, score);
  source.remove(0);
  EXPECT_FALSE(source.find("a"));
  EXPECT_EQ(source.find("b"), 1U);
  EXPECT_EQ(source.find("c"), 0U);
  EXPECT_EQ(source.series(0).points(), 1U);
  EXPECT_EQ(source.find_or_add("d"), 2U);
  EXPECT_EQ(source.series(2).points(), 0U);
  for (int i = 0; i < 3; ++i) source.remove(0);
  EXPECT_EQ(source.metrics(), 0U);
  EXPECT_EQ(source.find_or_add("a"), 0U);
}

RC_GTEST_PROP(Source, ForgetsManyMetricsInOnePassAndKnowsTheOthers, ()) {
  const auto metrics = *rc::gen::inRange<std::uint32_t>(1, 60);
  Source source;
  std::vector<std::uint32_t> gone;
  std::vector<std::string> kept;
  for (std::uint32_t i = 0; i < metrics; ++i) {
    const std::uint32_t metric = *source.find_or_add("m" + std::to_string(i));
    source.configure(metric, {.alarms_per_week = i + 1.});
    if (*rc::gen::arbitrary<bool>()) {
      gone.push_back(metric);
    } else {
      kept.push_back(source.name(metric));
    }
  }
  source.remove(gone);
  RC_ASSERT(source.metrics() == kept.size());
  for (std::uint32_t i = 0; i < kept.size(); ++i) {
    RC_ASSERT(source.find(kept[i]) == i);
    RC_ASSERT(
        "m" + std::to_string(static_cast<int>(source.series(i).settings().alarms_per_week) - 1) ==
        kept[i]);
  }
  for (std::uint32_t i = 0; i < metrics; ++i) {
    const std::string name = "m" + std::to_string(i);
    RC_ASSERT(source.find(name).has_value() ==
              (std::find(kept.begin(), kept.end(), name) != kept.end()));
  }
}

/// Rows of metrics that stand still, and then move all at once and go on anew each row.
TEST(Source, AQuietSourceThatWakesScoresByHowLongItWasQuiet) {
  for (const int quiet : {100, 400, 1000, 6000}) {
    Source source;
    Random random(3);
    std::vector<Source::Value> row;
    for (std::uint32_t m = 0; m < 10; ++m)
      row.push_back({*source.find_or_add(std::to_string(m)), 0});
    RowScore out;
    const auto step = [&](int i) {
      source.step(row, EventTime{std::chrono::seconds{5 * i}}, false, out);
    };
    for (int i = 0; i < quiet; ++i) {
      step(i);
      EXPECT_LT(out.score, 1) << quiet << ", row " << i;
    }
    float most = 0;
    for (int i = quiet; i < quiet + 17; ++i) {
      for (Source::Value& value : row) value.value = 10 + random.normal();
      step(i);
      most = std::max(most, out.score);
    }
    // The line of the whole believes its prior by up to a quarter less while there are few rows.
    EXPECT_LT(most, 1.25 * quiet / 536.6) << quiet;
    EXPECT_EQ(most >= 1, quiet > 600) << quiet;
  }
}

TEST(Source, LearnsFirst) {
  Host host(3, 2);
  for (std::uint32_t i = 0; i < MetricDetector::kWarmUp; ++i) {
    const RowScore& score = host.next(i == 30 ? 1000 : 0, true);
    EXPECT_EQ(score.state, State::kLearning);
    EXPECT_EQ(score.score, 0);
    EXPECT_EQ(score.confidence, 0);
    EXPECT_FALSE(score.parts[0].expected);
  }
  EXPECT_NE(host.next().state, State::kLearning);
}

TEST(Source, AMetricWithABudgetOfItsOwnSpeaksForItself) {
  Host host(20, 3);
  SeriesSettings settings;
  settings.alarms_per_week = 10;
  host.source.configure(0, settings);
  for (int i = 0; i < 3000; ++i) host.next();
  const RowScore& score = host.next(60);
  EXPECT_GE(score.parts[0].own.score, 1);
  EXPECT_GE(score.score, score.parts[0].own.score);
}

TEST(Source, TellsOfAnEqualIncidentAgain) {
  for (const std::uint32_t metrics : {1U, 2U, 5U, 10U}) {
    Host host(metrics, 5);
    for (int i = 0; i < 3000; ++i) host.next();
    for (int incident = 0; incident < 3; ++incident) {
      int alarms = 0;
      for (int i = 0; i < 3; ++i) alarms += host.next(60).is_anomaly() ? 1 : 0;
      EXPECT_GE(alarms, 1) << metrics << " metrics, incident " << incident;
      for (int i = 0; i < 10; ++i) EXPECT_FALSE(host.next().is_anomaly());
    }
  }
}

TEST(Source, ASuppressedMetricIsNoEvidenceForTheWhole) {
  Host host(8, 5);
  for (int i = 0; i < 4000; ++i) host.next();
  host.source.configure(0, {.suppress_until = minute(4001)});
  const RowScore& silent = host.next(60);
  EXPECT_LT(silent.score, 1);
  EXPECT_EQ(silent.state, State::kOngoing);
  EXPECT_EQ(silent.parts[0].own.score, 0);
  EXPECT_GE(silent.parts[0].own.rarity, 1);
  EXPECT_EQ(silent.parts[0].contribution, 0);
  for (int i = 0; i < 10; ++i) host.next();
  EXPECT_GE(host.next(120).score, 1) << "its time is over";
}

TEST(Source, GoesOnFromAClockThatWasAhead) {
  Source source;
  RowScore score;
  const auto metric = *source.find_or_add("requests_total");
  source.configure(metric, {.counter = true});
  double count = 0;
  const auto row = [&](int at) {
    const Source::Value value{metric, count += 60};
    source.step(std::span(&value, 1), minute(at), false, score);
  };
  for (int i = 0; i < 100; ++i) row(i);
  row(2000);
  for (int i = 100; i < 110; ++i) row(i);
  EXPECT_EQ(source.series(metric).points(), 100U) << "time stands still: there are no rates";
  source.restart_clock(minute(110));
  for (int i = 110; i < 120; ++i) row(i);
  EXPECT_EQ(source.last(), minute(119));
  EXPECT_EQ(source.series(metric).points(), 109U);
}

TEST(Source, MetricsComeAndGo) {
  Source source;
  RowScore score;
  const auto a = *source.find_or_add("a"), b = *source.find_or_add("b");
  Random random(4);
  for (int i = 0; i < 1000; ++i) {
    std::vector<Source::Value> row{{a, random.normal()}};
    if (i % 3 == 0) row.push_back({b, i % 2 == 0 ? kNaN : random.normal()});
    source.step(row, minute(i), true, score);
    EXPECT_EQ(score.parts.size(), row.size());
  }
  source.step({}, minute(1000), true, score);
  EXPECT_EQ(score.score, 0);
  EXPECT_EQ(source.find("c"), std::nullopt);
}

TEST(Source, IsBounded) {
  Source source(3);
  for (const char* name : {"a", "b", "c"}) EXPECT_TRUE(source.find_or_add(name));
  EXPECT_FALSE(source.find_or_add("d"));
  EXPECT_TRUE(source.find_or_add("a"));
  EXPECT_EQ(source.metrics(), 3U);
  Source large;
  for (std::uint32_t i = 0; i < 1000; ++i) (void)large.find_or_add("metric_" + std::to_string(i));
  EXPECT_LE(large.memory_bytes() / 1000, 1024U);
  for (std::uint32_t i = 0; i < 1000; ++i) EXPECT_EQ(large.find("metric_" + std::to_string(i)), i);
  EXPECT_FALSE(large.find("metric_1000"));
}

RC_GTEST_PROP(Source, SavedAndLoadedHasTheSameFuture, (std::uint16_t seed)) {
  const auto metrics = *rc::gen::inRange<std::uint32_t>(1, 5);
  Host host(metrics, seed);
  const int before = *rc::gen::inRange(0, 300);
  for (int i = 0; i < before; ++i) host.next();
  Writer saved;
  host.source.save(saved);
  Host again = host;
  again.source = Source();
  Reader in(saved.bytes());
  RC_ASSERT(again.source.load(in).has_value());
  RC_ASSERT(in.at_end());
  for (int i = 0; i < 100; ++i) {
    const double strange = i % 30 == 0 ? 50 : 0;
    const RowScore a = host.next(strange, true), b = again.next(strange, true);
    RC_ASSERT(a.score == b.score && a.rarity == b.rarity && a.state == b.state);
  }
  RC_ASSERT(host.source.state_hash() == again.source.state_hash());
}

RC_GTEST_PROP(Source, RefusesBytesThatItDidNotSave, (std::string bytes)) {
  Source source;
  Host host(2, 1);
  for (int i = 0; i < 70; ++i) host.next();
  Writer saved;
  host.source.save(saved);
  const auto keep = *rc::gen::inRange<std::size_t>(0, saved.bytes().size());
  Reader in(std::string_view(saved.bytes()).substr(0, keep));
  RC_ASSERT(!source.load(in).has_value());
  Reader noise(bytes);
  if (source.load(noise)) RC_ASSERT(source.metrics() == 0U);
}

TEST(Interval, OfWhatComesInBurstsThePausesAreObservedToo) {
  Interval interval;
  double observed_s = 0;
  for (int burst = 0; burst < 400; ++burst) {
    for (int metric = 0; metric < 10; ++metric) {
      const double elapsed = metric == 0 ? 9.91 : .01;
      if (burst >= 300) observed_s += interval.observed_weeks(elapsed) * 7 * 86'400;
      interval.learn_bursts(elapsed);
    }
  }
  EXPECT_GT(observed_s, 700);
  EXPECT_LE(observed_s, 1000.1);
}

}  // namespace
}  // namespace liminal::novelty
