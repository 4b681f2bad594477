#include "server/signals/forecasts.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/files/memory_file_system.hpp"

namespace liminal::signals {
namespace {

using Step = forecast::TimedForecaster::Step;
using namespace std::chrono_literals;

EventTime at(std::int64_t steps) { return EventTime{Step{5'000'000 + steps}}; }

std::vector<Forecasts::Point> points(std::int64_t from, std::int64_t to, double value) {
  std::vector<Forecasts::Point> out;
  for (std::int64_t step = from; step <= to; ++step) out.push_back({at(step), value});
  return out;
}

novelty::Batch row(const std::string& source, std::int64_t step) {
  const double value = 100 + 50. * static_cast<double>(step % 4);
  return {source, {"messages", "bytes"}, {{at(step), {{0, value}, {1, 10 * value}}}}, {}};
}

class ForecastsTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(files.create_folder("data")); }

  Forecasts make(std::size_t series_max = 10) {
    return Forecasts({.series_max = series_max,
                      .own_max = 2,
                      .is_own = [](std::string_view source) { return source == "liminal"; },
                      .folder = "data",
                      .refit =
                          [this](forecast::Forecaster& forecaster) {
                            if (meanwhile) std::exchange(meanwhile, nullptr)();
                            return can_refit ? forecaster.refit() : failure(ErrorCode::kMissing);
                          }},
                     files,
                     [this](std::function<void()> task) {
                       if (busy) return false;
                       tasks.push_back(std::move(task));
                       return true;
                     });
  }
  void work() {
    while (!tasks.empty()) {
      const auto task = std::move(tasks.front());
      tasks.pop_front();
      task();
    }
  }
  void fill(Forecasts& forecasts, std::int64_t from, std::int64_t to, const std::string& source) {
    for (std::int64_t step = from; step <= to; ++step) {
      forecasts.observe(row(source, step), at(step));
      work();
    }
  }

  files::MemoryFileSystem files;
  std::deque<std::function<void()>> tasks;
  bool busy = false;
  std::function<void()> meanwhile;  ///< while the next refit is under way
  bool can_refit = true;
};

TEST_F(ForecastsTest, ForecastsEachSeriesElsewhereAsItGoes) {
  Forecasts forecasts = make();
  fill(forecasts, 0, 7, "own");
  EXPECT_EQ(forecasts.line("own", "messages")->lacks, 5min);
  EXPECT_FALSE(forecasts.line("own", "messages")->outlook);
  EXPECT_FALSE(forecasts.line("own", "other"));
  forecasts.observe(row("own", 8), at(8));
  EXPECT_EQ(tasks.size(), 1U) << "one at a time";
  EXPECT_FALSE(forecasts.line("own", "messages")->outlook)
      << "nothing is computed where it is told";
  work();
  fill(forecasts, 9, 60, "own");
  const auto lines = forecasts.lines();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].metric, "bytes");
  for (const auto& line : lines) {
    ASSERT_TRUE(line.outlook);
    EXPECT_EQ(line.points, 60U);
    EXPECT_EQ(line.lacks, 0s);
    EXPECT_EQ(line.outlook->begins, at(60));
    EXPECT_EQ(line.outlook->plan.seasons.day, 4U);
  }
  EXPECT_NEAR(lines[1].outlook->ahead.mean[0], 150, 1);
  EXPECT_NEAR(lines[0].outlook->ahead.mean[0], 1500, 10);
  const auto counters = forecasts.counters();
  EXPECT_EQ(counters.series, 2U);
  EXPECT_EQ(counters.points, 120U);
  EXPECT_GT(counters.refits, 2U);
  EXPECT_LT(counters.refits, 120U) << "not at each step";
  EXPECT_GT(counters.bytes, 2000U);
}

TEST_F(ForecastsTest, TriesAgainWhenThereWasTooMuchToDo) {
  Forecasts forecasts = make();
  busy = true;
  fill(forecasts, 0, 20, "own");
  EXPECT_FALSE(forecasts.line("own", "messages")->outlook);
  busy = false;
  fill(forecasts, 21, 21, "own");
  EXPECT_TRUE(forecasts.line("own", "messages")->outlook);
}

TEST_F(ForecastsTest, GoesOnAfterARestart) {
  {
    Forecasts forecasts = make();
    EXPECT_EQ(forecasts.load().error().code, ErrorCode::kMissing);
    fill(forecasts, 0, 40, "own");
    EXPECT_GT(*forecasts.save(at(40)), 1000U);
    EXPECT_EQ(*forecasts.save(at(40)), 0U) << "nothing is new";
    tasks.clear();
  }
  Forecasts again = make();
  ASSERT_TRUE(again.load());
  EXPECT_EQ(again.line("own", "messages")->points, 40U);
  work();
  ASSERT_TRUE(again.line("own", "messages")->outlook) << "without a word more";
  EXPECT_NEAR(again.line("own", "messages")->outlook->ahead.mean[1], 200, 1);
  // An hour was not told of.
  fill(again, 52, 60, "own");
  const auto line = again.line("own", "messages");
  EXPECT_EQ(line->points, 60U);
  EXPECT_EQ(line->outlook->missing, 12U);
  EXPECT_NEAR(line->outlook->ahead.mean[0], 150, 1);
}

TEST_F(ForecastsTest, TakesAHistoryAnewOrWhatIsLaterOfIt) {
  Forecasts forecasts = make();
  forecasts.observe("web", "load", points(0, 20, 5), false, at(20));
  forecasts.observe("web", "load", points(0, 30, 9), false, at(30));
  work();
  EXPECT_EQ(forecasts.line("web", "load")->points, 30U);
  EXPECT_NEAR(forecasts.line("web", "load")->outlook->ahead.mean[0], 9, .5);
  forecasts.observe("web", "load", points(-100, 30, 7), true, at(30));
  work();
  EXPECT_EQ(forecasts.line("web", "load")->points, 130U);
  EXPECT_NEAR(forecasts.line("web", "load")->outlook->ahead.mean[0], 7, 1e-6);
  forecasts.observe("web", "load", {}, true, at(30));
  EXPECT_EQ(forecasts.line("web", "load")->points, 130U);
}

TEST_F(ForecastsTest, ARefitGoesOnWithWhatIsToldMeanwhile) {
  Forecasts forecasts = make();
  forecasts.observe("web", "load", points(0, 20, 5), false, at(20));
  meanwhile = [&] { forecasts.observe("web", "load", points(21, 23, 6), false, at(23)); };
  work();
  EXPECT_FALSE(meanwhile);
  EXPECT_EQ(forecasts.line("web", "load")->points, 23U);
  EXPECT_EQ(forecasts.line("web", "load")->outlook->begins, at(23));
}

TEST_F(ForecastsTest, WhatIsMadeOfASeriesThatBeganAnewMeanwhileIsLeft) {
  Forecasts forecasts = make(), same = make();
  forecasts.observe("web", "load", points(0, 36, 5), false, at(36));
  // Its longer past is told of, all of another height.
  meanwhile = [&] {
    forecasts.observe("web", "load", points(-83, 36, 900), true, at(36));
    EXPECT_FALSE(forecasts.line("web", "load")->outlook);
  };
  work();
  EXPECT_FALSE(meanwhile);
  same.observe("web", "load", points(-83, 36, 900), true, at(36));
  work();
  ASSERT_TRUE(forecasts.save(at(36)));
  const std::string mended = files.contents("data/forecasts.snapshot");
  ASSERT_TRUE(same.save(at(36)));
  EXPECT_EQ(files.contents("data/forecasts.snapshot"), mended) << "nothing of the old one is in it";
  EXPECT_NEAR(forecasts.line("web", "load")->outlook->ahead.mean[0], 900, 1e-6);
}

TEST_F(ForecastsTest, WhatIsMadeOfASeriesThatWasForgottenOrRestartedMeanwhileIsLeft) {
  Forecasts forecasts = make();
  forecasts.observe("web", "load", points(0, 36, 5), false, at(36));
  meanwhile = [&] {
    forecasts.forget("web", "load");
    forecasts.observe("web", "load", points(0, 40, 7), false, at(40));
  };
  work();
  EXPECT_NEAR(forecasts.line("web", "load")->outlook->ahead.mean[0], 7, 1e-6);
  // After a gap of all that is kept it begins anew by itself.
  forecasts.observe("shop", "load", points(0, 20, 5), false, at(20));
  meanwhile = [&] { forecasts.observe("shop", "load", points(6000, 6003, 7), false, at(6003)); };
  work();
  EXPECT_FALSE(meanwhile);
  EXPECT_EQ(forecasts.line("shop", "load")->points, 3U);
  EXPECT_FALSE(forecasts.line("shop", "load")->outlook);
}

TEST_F(ForecastsTest, ASeriesThatBeginsAnewIsLearningAtOnce) {
  Forecasts forecasts = make();
  fill(forecasts, 0, 30, "own");
  ASSERT_TRUE(forecasts.line("own", "messages")->outlook);
  // The clock was set back.
  forecasts.observe(row("own", 3), at(31));
  EXPECT_FALSE(forecasts.line("own", "messages")->outlook);
  EXPECT_EQ(forecasts.line("own", "messages")->lacks, 40min);
}

TEST_F(ForecastsTest, ForgetsASeriesForGood) {
  Forecasts forecasts = make();
  fill(forecasts, 0, 20, "own");
  ASSERT_TRUE(forecasts.save(at(20)));
  forecasts.forget("own", "messages");
  forecasts.forget("own", "unknown");
  EXPECT_FALSE(forecasts.line("own", "messages"));
  EXPECT_GT(*forecasts.save(at(20)), 0U);
  Forecasts again = make();
  ASSERT_TRUE(again.load());
  EXPECT_FALSE(again.line("own", "messages"));
  EXPECT_TRUE(again.line("own", "bytes"));
}

TEST_F(ForecastsTest, ARefitThatFailsIsCountedApart) {
  Forecasts forecasts = make();
  can_refit = false;
  forecasts.observe("web", "load", points(0, 20, 5), false, at(20));
  work();
  EXPECT_EQ(forecasts.counters().refits, 0U);
  EXPECT_EQ(forecasts.counters().refits_failed, 1U);
  EXPECT_FALSE(forecasts.line("web", "load")->outlook);
  can_refit = true;
  forecasts.observe("web", "load", points(21, 21, 5), false, at(21));
  work();
  EXPECT_EQ(forecasts.counters().refits, 1U);
  EXPECT_TRUE(forecasts.line("web", "load")->outlook);
}

TEST_F(ForecastsTest, TheProgramsOwnSeriesHaveRoomOfTheirOwnAndComeFirst) {
  Forecasts forecasts = make(2);
  fill(forecasts, 0, 3, "apple");
  fill(forecasts, 3, 3, "zebra");
  EXPECT_EQ(forecasts.counters().refused, 2U);
  fill(forecasts, 3, 3, "liminal");
  EXPECT_EQ(forecasts.counters().refused, 2U);
  const auto lines = forecasts.lines();
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_EQ(lines[0].source, "liminal");
  EXPECT_EQ(lines[1].source, "liminal");
  EXPECT_EQ(lines[2].source, "apple");
}

TEST_F(ForecastsTest, WhoIsSilentIsToldByWhenItWasToldNotByItsPoints) {
  Forecasts forecasts = make(1);
  // A client whose clock is days behind.
  forecasts.observe("behind", "load", points(0, 3, 5), false, at(2000));
  forecasts.observe("other", "load", points(2000, 2001, 5), false, at(2001));
  EXPECT_FALSE(forecasts.line("other", "load"));
  EXPECT_EQ(forecasts.line("behind", "load")->heard, at(2000));
  ASSERT_TRUE(forecasts.save(at(2010)));
  Forecasts again = make(1);
  ASSERT_TRUE(again.load());
  EXPECT_EQ(again.line("behind", "load")->heard, at(2010)) << "no later than it was saved";
  again.observe("other", "load", points(2300, 2301, 5), false, at(2010 + 288));
  EXPECT_TRUE(again.line("other", "load"));
  EXPECT_FALSE(again.line("behind", "load"));
}

TEST_F(ForecastsTest, WhateverIsToldTheFileIsReadAgain) {
  const auto told = [](EventTime when, double value) { return Forecasts::Point{when, value}; };
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  {
    Forecasts forecasts = make();
    fill(forecasts, 0, 20, "own");
    for (const double value : {1e300, -1e300, 1e305, 1.7e308, double{INFINITY}, kNan}) {
      const std::string name = std::to_string(forecasts.counters().series);
      forecasts.observe(
          name, "load", std::vector{told(at(0), value), told(at(0) + 200s, value)}, false, at(20));
      work();
    }
    for (const EventTime when : {EventTime::min(), EventTime::max()})
      forecasts.observe("far", "load", std::vector{told(when, 1)}, false, at(20));
    ASSERT_TRUE(forecasts.save(at(20)));
    tasks.clear();
  }
  Forecasts again = make();
  ASSERT_TRUE(again.load());
  EXPECT_EQ(again.lines().size(), 8U) << "nothing of \"far\" was taken";
  EXPECT_EQ(again.line("own", "messages")->points, 20U);
}

TEST_F(ForecastsTest, TakesNoMoreSeriesThanItMayUntilOneIsSilentForADay) {
  Forecasts forecasts = make(2);
  fill(forecasts, 0, 3, "own");
  fill(forecasts, 3, 4, "other");
  EXPECT_FALSE(forecasts.line("other", "messages"));
  EXPECT_EQ(forecasts.counters().refused, 4U);
  fill(forecasts, 400, 400, "other");
  EXPECT_TRUE(forecasts.line("other", "messages"));
  EXPECT_TRUE(forecasts.line("other", "bytes"));
  EXPECT_EQ(forecasts.lines().size(), 2U);
}

TEST_F(ForecastsTest, AFileThatMakesNoSenseIsSetAsideAndOneThatCannotBeReadIsNotWrittenOver) {
  {
    Forecasts forecasts = make();
    fill(forecasts, 0, 20, "own");
    ASSERT_TRUE(forecasts.save(at(20)));
    tasks.clear();
  }
  const std::string good = files.contents("data/forecasts.snapshot");
  {
    files.faults.fail_reads = true;
    Forecasts forecasts = make();
    EXPECT_EQ(forecasts.load().error().code, ErrorCode::kIo);
    files.faults = {};
    fill(forecasts, 0, 20, "own");
    EXPECT_EQ(forecasts.save(at(20)).error().code, ErrorCode::kIo);
    EXPECT_EQ(files.contents("data/forecasts.snapshot"), good);
  }
  std::string& bytes = files.contents("data/forecasts.snapshot");
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  Forecasts forecasts = make();
  EXPECT_EQ(forecasts.load().error().code, ErrorCode::kChecksum);
  EXPECT_TRUE(forecasts.lines().empty());
  EXPECT_TRUE(files.read("data/forecasts.snapshot.unreadable", 1 << 20));
  fill(forecasts, 0, 20, "own");
  EXPECT_TRUE(forecasts.save(at(20)));
  Forecasts again = make();
  EXPECT_TRUE(again.load());
  EXPECT_EQ(again.lines().size(), 2U);
  Forecasts smaller({.series_max = 1, .own_max = 0, .folder = "data"}, files, {});
  EXPECT_EQ(smaller.load().error().code, ErrorCode::kTooLarge);
}

TEST_F(ForecastsTest, WhatCouldNotBeWrittenIsWrittenTheNextTime) {
  Forecasts forecasts = make();
  fill(forecasts, 0, 5, "own");
  files.faults.disk_bytes = 0;
  EXPECT_FALSE(forecasts.save(at(5)));
  files.faults = {};
  EXPECT_GT(*forecasts.save(at(5)), 0U);
}

}  // namespace
}  // namespace liminal::signals
