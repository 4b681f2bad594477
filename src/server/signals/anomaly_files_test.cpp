#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "server/signals/anomaly_testing.hpp"
#include "server/signals/state_file.hpp"

namespace liminal::signals {
namespace {

using testing::AnomalyTest;
using testing::batch;
using testing::second;

TEST_F(AnomalyTest, GoesOnAfterARestartAsIfThereHadBeenNone) {
  Anomaly first = make();
  ASSERT_TRUE(first.score(batch("web", 0, 700), false));
  ASSERT_TRUE(first.save(second(0)));
  EXPECT_EQ(*first.save(second(0)), 0U) << "nothing was learnt since";
  Anomaly again = make();
  ASSERT_TRUE(again.load());
  ASSERT_FALSE(again.exported().empty());
  EXPECT_TRUE(std::isnan(again.exported().front().value)) << "nothing came since";
  EXPECT_TRUE(again.exported().front().expected);
  for (const double value : {.5, 3., .5, 3.}) {
    const auto a = first.score(batch("web", 700, 20, value), true);
    const auto b = again.score(batch("web", 700, 20, value), true);
    for (std::size_t i = 0; i < 20; ++i) {
      EXPECT_EQ((*a)[i].score, (*b)[i].score);
      EXPECT_EQ((*a)[i].state, (*b)[i].state);
      EXPECT_EQ((*a)[i].parts[1].expected, (*b)[i].parts[1].expected);
    }
  }
}

TEST_F(AnomalyTest, KeepsSettingsThatWereAcknowledged) {
  novelty::SeriesSettings settings;
  settings.range = novelty::Range{0, 1};
  settings.alarms_per_week = 2;
  {
    Anomaly anomaly = make();
    EXPECT_TRUE(*anomaly.declare("web", "cpu", settings));
    EXPECT_FALSE(*anomaly.declare("web", "cpu", settings));
    ASSERT_TRUE(anomaly.score(batch("web", 0, 10), false));
  }
  Anomaly again = make();
  EXPECT_EQ(again.load().error().code, ErrorCode::kMissing) << "no snapshot yet";
  const auto scores = again.score(batch("web", 0, 1), false);
  EXPECT_EQ(scores->front().parts[1].own.state, novelty::MetricScore::State::kNormal)
      << "a declared range needs no warm-up";
  EXPECT_TRUE(again.declare("web", "b", settings));
  EXPECT_TRUE(again.declare("web", "c", settings));
  EXPECT_EQ(again.declare("web", "d", settings).error().code, ErrorCode::kTooLarge);
}

TEST_F(AnomalyTest, ReadsSettingsOfTheFormatBefore) {
  Writer out;
  out.put_varint(1);
  out.put_text("web");
  out.put_text("cpu");
  out.put(true);
  for (const double number : {0., 1., 2.}) out.put(number);  // a range, and alarms a week
  out.put(true);
  ASSERT_TRUE(StateFile(files, "data", Anomaly::kSettingsFile, Anomaly::kSettingsFormat1)
                  .write(second(0), out.take()));
  novelty::SeriesSettings told{
      .range = novelty::Range{0, 1}, .alarms_per_week = 2, .counter = true};
  Anomaly anomaly = make();
  EXPECT_EQ(anomaly.load().error().code, ErrorCode::kMissing) << "no snapshot yet";
  EXPECT_EQ(anomaly.describe("web", "cpu")->status.settings, told);
  told.suppress_until = second(5);
  EXPECT_EQ(anomaly.declare("web", "cpu", told), false);
  Anomaly again = make();
  EXPECT_EQ(again.load().error().code, ErrorCode::kMissing);
  EXPECT_EQ(again.describe("web", "cpu")->status.settings, told);
}

TEST_F(AnomalyTest, ReadsSourcesOfTheFormatBefore) {
  novelty::Source source;
  const novelty::Source::Value row[] = {{*source.find_or_add("cpu"), .5},
                                        {*source.find_or_add("memory"), .3}};
  novelty::RowScore score;
  for (int i = 0; i < 100; ++i) source.step(row, second(i), false, score);
  Writer saved, entity;
  source.save(saved);
  novelty::Entity().save(entity);
  // It ends with what is counted: two budgets of 26 numbers, the line and what it is for; the usual
  // interval comes after it.
  constexpr std::size_t kCounted = (2 * 26 + 2 + 1) * sizeof(float);
  std::string bytes = saved.take();
  bytes.erase(sizeof(std::int64_t) + entity.bytes().size() + sizeof(float) - kCounted, kCounted);
  Writer out;
  out.put_varint(1);
  out.put_text("web");
  ASSERT_TRUE(StateFile(files, "data", Anomaly::kSourcesFile, Anomaly::kSourcesFormat1)
                  .write(second(0), out.take() + bytes));
  Anomaly anomaly = make();
  ASSERT_TRUE(anomaly.load());
  EXPECT_EQ(anomaly.describe("web", "memory")->status.points, 100U);
  ASSERT_TRUE(anomaly.score(batch("web", 200, 1), false));
  ASSERT_TRUE(anomaly.save(second(0)));
  EXPECT_TRUE(make().load());
}

TEST_F(AnomalyTest, SetsDamagedFilesAsideAndNamesEach) {
  Anomaly anomaly = make();
  ASSERT_TRUE(anomaly.declare("web", "cpu", {{.alarms_per_week = 2}}));
  ASSERT_TRUE(anomaly.score(batch("web", 0, 10), false));
  ASSERT_TRUE(anomaly.save(second(0)));
  std::vector<std::string> spoilt;
  for (const std::string name : {"anomaly-settings.snapshot", "anomaly.snapshot"}) {
    std::string& bytes = files.contents("data/" + name);
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    spoilt.push_back(bytes);
  }
  Anomaly again = make();
  std::vector<std::string> told;
  const auto loaded = again.load([&](std::string_view file, const Error& error) {
    told.emplace_back(file);
    EXPECT_EQ(error.code, ErrorCode::kChecksum);
  });
  EXPECT_EQ(loaded.error().code, ErrorCode::kChecksum);
  EXPECT_EQ(told, (std::vector<std::string>{"anomaly-settings.snapshot", "anomaly.snapshot"}));
  ASSERT_TRUE(again.declare("web", "cpu", novelty::SeriesSettings{}));
  ASSERT_TRUE(again.score(batch("web", 0, 10), false));
  ASSERT_TRUE(again.save(second(0)));
  for (std::size_t i = 0; i < told.size(); ++i)
    EXPECT_EQ(*files.read("data/" + told[i] + ".unreadable", 1 << 20), spoilt[i]) << told[i];
  EXPECT_TRUE(make().load());
}

TEST_F(AnomalyTest, FilesThatCannotBeReadJustNowAreLeftAsTheyAre) {
  Anomaly anomaly = make();
  ASSERT_TRUE(anomaly.declare("web", "cpu", {{.alarms_per_week = 2}}));
  ASSERT_TRUE(anomaly.score(batch("web", 0, 10), false));
  ASSERT_TRUE(anomaly.save(second(0)));
  files.faults.fail_reads = true;
  Anomaly again = make();
  EXPECT_EQ(again.load().error().code, ErrorCode::kIo);
  files.faults = {};
  EXPECT_EQ(again.declare("web", "cpu", novelty::SeriesSettings{}).error().code, ErrorCode::kIo);
  EXPECT_FALSE(again.describe("web", "cpu"));
  ASSERT_TRUE(again.score(batch("web", 0, 5), false));
  EXPECT_EQ(again.save(second(0)).error().code, ErrorCode::kIo);
  Anomaly third = make();
  EXPECT_TRUE(third.load());
  EXPECT_EQ(third.describe("web", "cpu")->status.settings.alarms_per_week, 2);
  EXPECT_EQ(third.describe("web", "cpu")->status.points, 10u);
}

}  // namespace
}  // namespace liminal::signals
