#include "server/signals/forecasts.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <string>

#include "io/files/memory_file_system.hpp"

namespace liminal::signals {
namespace {

using Step = forecast::TimedForecaster::Step;
using namespace std::chrono_literals;

EventTime at(std::int64_t steps) { return EventTime{Step{5'000'000 + steps}}; }

novelty::Batch row(const std::string& source, std::int64_t step) {
  const double value = 100 + 50. * static_cast<double>(step % 4);
  return {source, {"messages", "bytes"}, {{at(step), {{0, value}, {1, 10 * value}}}}, {}};
}

class ForecastsTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(files.create_folder("data")); }

  Forecasts make(std::size_t series_max = 10) {
    return Forecasts(
        {.series_max = series_max, .folder = "data"}, files, [this](std::function<void()> task) {
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
      forecasts.observe(row(source, step));
      work();
    }
  }

  files::MemoryFileSystem files;
  std::deque<std::function<void()>> tasks;
  bool busy = false;
};

TEST_F(ForecastsTest, ForecastsEachSeriesElsewhereAsItGoes) {
  Forecasts forecasts = make();
  fill(forecasts, 0, 7, "own");
  EXPECT_EQ(forecasts.line("own", "messages")->lacks, 5min);
  EXPECT_FALSE(forecasts.line("own", "messages")->outlook);
  EXPECT_FALSE(forecasts.line("own", "other"));
  forecasts.observe(row("own", 8));
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
  const auto points = [](std::int64_t from, std::int64_t to, double value) {
    std::vector<Forecasts::Point> out;
    for (std::int64_t step = from; step <= to; ++step) out.push_back({at(step), value});
    return out;
  };
  forecasts.observe("web", "load", points(0, 20, 5), false);
  forecasts.observe("web", "load", points(0, 30, 9), false);
  work();
  EXPECT_EQ(forecasts.line("web", "load")->points, 30U);
  EXPECT_NEAR(forecasts.line("web", "load")->outlook->ahead.mean[0], 9, .5);
  forecasts.observe("web", "load", points(-100, 30, 7), true);
  work();
  EXPECT_EQ(forecasts.line("web", "load")->points, 130U);
  EXPECT_NEAR(forecasts.line("web", "load")->outlook->ahead.mean[0], 7, 1e-6);
  forecasts.observe("web", "load", {}, true);
  EXPECT_EQ(forecasts.line("web", "load")->points, 130U);
}

TEST_F(ForecastsTest, WhatIsMadeOfASeriesThatBeganAnewMeanwhileIsLeft) {
  Forecasts forecasts = make();
  fill(forecasts, 0, 30, "own");
  forecasts.observe(row("own", 31));
  forecasts.observe(row("own", 5000));  // all is forgotten
  work();
  EXPECT_FALSE(forecasts.line("own", "messages")->outlook);
  EXPECT_EQ(forecasts.line("own", "messages")->points, 0U);
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
  Forecasts smaller = make(1);
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
