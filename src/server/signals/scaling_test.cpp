#include "server/signals/scaling.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <future>
#include <thread>

#include "io/files/memory_file_system.hpp"
#include "server/signals/scaling_testing.hpp"

namespace liminal::signals {
namespace {

using testing::minute;
using testing::options;
using testing::report;
using testing::told;

TEST(Scaling, BuildsAHistoryFromRepeatedCallsAndAdvisesFromIt) {
  files::MemoryFileSystem disk;
  Scaling scaling(options(), disk);
  EXPECT_EQ(told(scaling, report("web", 0, 1))->action, scaling::Action::kMonitor);
  for (std::int64_t t = 1; t < 200; ++t) ASSERT_TRUE(told(scaling, report("web", t, 1)));
  const auto advice = told(scaling, report("web", 200, 1));
  EXPECT_NE(advice->action, scaling::Action::kMonitor);
  EXPECT_EQ(scaling.counters().services, 1u);
  EXPECT_EQ(scaling.counters().rows, 201u);
  const auto listed = scaling.services(minute(200), 10);
  ASSERT_EQ(listed.size(), 1u);
  EXPECT_EQ(listed[0].name, "web");
  EXPECT_EQ(listed[0].minutes, 200u);
  EXPECT_EQ(listed[0].recommended, advice->replicas);
  EXPECT_TRUE(scaling.services(minute(200), 0).empty());
}

TEST(Scaling, TellsOfEachMinutesLoadOnceAndAnewWhenItsPastWasTold) {
  files::MemoryFileSystem disk;
  struct Heard {
    std::size_t minutes = 0;
    EventTime first{};
    double load = 0;
    bool anew = false;
  };
  std::vector<Heard> heard;
  const auto hear = [&heard](const std::string& service,
                             std::span<const Scaling::LoadMinute> minutes,
                             bool anew) {
    EXPECT_EQ(service, "web");
    if (minutes.empty()) return heard.push_back({.anew = anew});
    heard.push_back({minutes.size(), minutes.front().ends, minutes.front().load, anew});
  };
  {
    Scaling scaling(options(), disk);
    scaling.on_load(hear);
    ASSERT_TRUE(told(scaling, report("web", 100, 20)));
    ASSERT_TRUE(told(scaling, report("web", 120, 5)));
    ASSERT_TRUE(told(scaling, report("web", 0, 100)));
  }
  ASSERT_EQ(heard.size(), 3U);
  EXPECT_EQ(heard[0].minutes, 19U) << "the last is open still";
  EXPECT_EQ(heard[0].first, minute(101));
  EXPECT_NEAR(heard[0].load, 100 + 50 * std::sin(.5), .01);
  EXPECT_EQ(heard[1].minutes, 5U);
  EXPECT_EQ(heard[1].first, minute(120));
  EXPECT_TRUE(heard[0].anew) << "nothing is known of it";
  EXPECT_FALSE(heard[1].anew);
  EXPECT_TRUE(heard[2].anew);
  EXPECT_EQ(heard[2].minutes, 124U);
  EXPECT_EQ(heard[2].first, minute(1));
  heard.clear();
  Scaling again(options(), disk);
  again.on_load(hear);
  ASSERT_TRUE(told(again, report("web", 125, 2)));
  ASSERT_EQ(heard.size(), 1U);
  EXPECT_EQ(heard[0].minutes, 126U) << "all that it knows, after a start";
  EXPECT_FALSE(heard[0].anew);
  heard.clear();
  ASSERT_TRUE(told(again, report("web", 200 + 8 * 1440, 3)));
  ASSERT_EQ(heard.size(), 1U);
  EXPECT_FALSE(heard[0].anew) << "a pause is no other load";
  heard.clear();
  ASSERT_TRUE(again.forget("web"));
  ASSERT_TRUE(told(again, report("web", 20'000, 3)));
  ASSERT_EQ(heard.size(), 2U);
  EXPECT_EQ(heard[0].minutes, 0U) << "gone";
  EXPECT_TRUE(heard[0].anew);
  EXPECT_EQ(heard[1].minutes, 2U);
  EXPECT_TRUE(heard[1].anew) << "another one of that name";
}

TEST(Scaling, TellsOfTheLoadAnewWhenAGapWasFilled) {
  files::MemoryFileSystem disk;
  Scaling scaling(options(), disk);
  std::vector<std::pair<std::size_t, bool>> heard;
  scaling.on_load([&](const std::string&, std::span<const Scaling::LoadMinute> minutes, bool anew) {
    heard.emplace_back(minutes.size(), anew);
  });
  ASSERT_TRUE(told(scaling, report("web", 0, 10)));
  ASSERT_TRUE(told(scaling, report("web", 200, 10)));
  ASSERT_TRUE(told(scaling, report("web", 10, 190)));
  ASSERT_EQ(heard.size(), 3U);
  EXPECT_FALSE(heard[1].second);
  EXPECT_TRUE(heard[2].second);
  EXPECT_EQ(heard[2].first, 209U) << "all but the open minute";
}

TEST(Scaling, ALongHistoryIsLearntOnItsOwnThreadToTheSameState) {
  files::MemoryFileSystem disk;
  Scaling scaling(options(), disk);
  ASSERT_TRUE(told(scaling, report("long", 0, 3000)));
  for (std::int64_t t = 0; t < 3000; t += 50) ASSERT_TRUE(told(scaling, report("short", t, 50)));
  EXPECT_EQ(scaling.state("long")->service.state_hash(),
            scaling.state("short")->service.state_hash());
}

TEST(Scaling, ForgetsTheServiceThatWasToldOfLeastRecentlyAndCountsIt) {
  files::MemoryFileSystem disk;
  ScalingOptions few = options();
  few.services_max = 2;
  Scaling scaling(few, disk);
  for (const char* name : {"a", "b", "a", "c"}) ASSERT_TRUE(told(scaling, report(name, 0, 1)));
  EXPECT_TRUE(scaling.state("a").has_value());
  EXPECT_EQ(scaling.state("b").error().code, ErrorCode::kMissing);
  EXPECT_EQ(scaling.counters().evicted, 1u);
}

TEST(Scaling, UnknownNamesPushNoServiceOutThatHasSettings) {
  files::MemoryFileSystem disk;
  ScalingOptions few = options();
  few.services_max = 3;
  few.kept = {"own"};
  Scaling scaling(few, disk);
  ASSERT_TRUE(told(scaling, report("own", 0, 1)));
  ASSERT_TRUE(*scaling.set_options("web", {.replicas_min = 2}));
  for (const char* name : {"a", "b", "c"}) ASSERT_TRUE(told(scaling, report(name, 0, 1)));
  EXPECT_EQ(scaling.state("web")->options.replicas_min, 2u);
  EXPECT_TRUE(scaling.state("own").has_value());
  EXPECT_EQ(scaling.counters().evicted, 2u);
  ASSERT_TRUE(scaling.set_options("c", {}));
  EXPECT_EQ(told(scaling, report("d", 0, 1)).error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(scaling.set_options("d", {}).error().code, ErrorCode::kTooLarge);
  EXPECT_TRUE(told(scaling, report("c", 1, 1)));
}

TEST(Scaling, TheSameHorizonAsBeforeWaitsForNobody) {
  files::MemoryFileSystem disk;
  std::promise<void> begun, release;
  Scaling scaling(options(), disk);
  ASSERT_TRUE(told(scaling, report("web", 0, 1)));
  ASSERT_TRUE(scaling.run([&] {
    begun.set_value();
    release.get_future().wait();
  }));
  begun.get_future().wait();
  scaling::Report named = report("web", 1, 1);
  named.horizon_minutes = 10;
  bool answered = false;
  scaling.advise(named,
                 [&](const Result<scaling::Advice>& advice) { answered = advice.has_value(); });
  EXPECT_TRUE(answered);
  release.set_value();
}

TEST(Scaling, ABacktestWaitsForNoOtherWorkNorHoldsItUp) {
  files::MemoryFileSystem disk;
  std::promise<void> begun, release;
  Scaling scaling(options(), disk);
  ASSERT_TRUE(told(scaling, report("web", 0, 1600)));
  ASSERT_TRUE(scaling.run([&] {
    begun.set_value();
    release.get_future().wait();
  }));
  begun.get_future().wait();
  const auto tested = std::make_shared<std::promise<bool>>();
  scaling.backtest("web", [tested](const Result<scaling::Backtest>& found) {
    tested->set_value(found.has_value());
  });
  EXPECT_TRUE(tested->get_future().get());
  release.set_value();
}

TEST(Scaling, ALongListIsMadeWhereItHoldsUpNobody) {
  files::MemoryFileSystem disk;
  std::promise<void> begun, release;
  std::promise<std::size_t> listed;
  Scaling scaling(options(), disk);
  for (int i = 0; i < 70; ++i) ASSERT_TRUE(told(scaling, report("web-" + std::to_string(i), 0, 1)));
  ASSERT_TRUE(scaling.run([&] {
    begun.set_value();
    release.get_future().wait();
  }));
  begun.get_future().wait();
  std::size_t few = 0;
  using Services = Result<std::vector<scaling::ServiceSummary>>;
  scaling.services(minute(1), 60, [&](const Services& all) { few = all->size(); });
  EXPECT_EQ(few, 60u);
  scaling.services(minute(1), 100, [&](const Services& all) { listed.set_value(all->size()); });
  release.set_value();
  EXPECT_EQ(listed.get_future().get(), 70u);
}

TEST(Scaling, WhoAsksWhileALongReportIsLearntIsAnsweredLaterAndOfTheWholeReport) {
  files::MemoryFileSystem disk;
  std::atomic<bool> learnt{false};
  std::atomic<int> answered{0}, later{0};
  int asked = 0;
  const std::thread::id asker = std::this_thread::get_id();
  Scaling scaling(options(), disk);
  scaling.state("web", [&](const Result<scaling::ServiceState>& state) {
    EXPECT_EQ(state.error().code, ErrorCode::kMissing);
  });
  const auto answer = [&](const Result<scaling::ServiceState>& state) {
    const std::size_t seen = state ? state->service.observations() : 0;
    EXPECT_TRUE(seen == 1 || seen == 3001) << seen;  // nobody sees a part of the report
    if (std::this_thread::get_id() != asker) ++later;
    ++answered;
  };
  // A report may be learnt between two questions: then there is another one.
  for (int i = 0; i < 100 && later == 0; ++i) {
    const std::string service = "web-" + std::to_string(i);
    ASSERT_TRUE(told(scaling, report(service, 0, 1)));
    learnt = false;
    scaling.advise(report(service, 1, 3000),
                   [&](const Result<scaling::Advice>&) { learnt = true; });
    while (!learnt) {
      if (asked - answered < 100) {  // not more than may wait
        ++asked;
        scaling.state(service, answer);
      }
      std::this_thread::yield();
    }
    while (answered < asked) std::this_thread::yield();
  }
  EXPECT_GT(later, 0) << "whoever asked waited";
}

TEST(Scaling, AHistoryToldAfterTheFirstCallIsLearntAndWhatIsTooLateIsNamed) {
  files::MemoryFileSystem disk;
  Scaling scaling(options(), disk);
  EXPECT_EQ(told(scaling, report("web", 3000, 1))->action, scaling::Action::kMonitor);
  EXPECT_NE(told(scaling, report("web", 0, 3001))->action, scaling::Action::kMonitor);
  EXPECT_EQ(scaling.counters().rows_late, 0u);
  const auto past = told(scaling, report("web", -10, 10));
  EXPECT_EQ(past->reasons.back().kind, scaling::Reason::Kind::kPastUntold);
  EXPECT_EQ(past->reasons.back().a, 10);
  EXPECT_EQ(scaling.counters().rows_late, 10u);
}

TEST(Scaling, ChangesOfSettingsAtOnceAreAllTaken) {
  files::MemoryFileSystem disk;
  Scaling scaling(options(), disk);
  for (std::uint32_t i = 2; i < 30; ++i) {
    std::thread other([&] {
      EXPECT_TRUE(scaling.change_options("web", [i](auto& set) { set.replicas_min = i; }));
    });
    EXPECT_TRUE(scaling.change_options("web", [i](auto& set) { set.replicas_max = 100 + i; }));
    other.join();
    EXPECT_EQ(scaling.state("web")->options.replicas_min, i);
    EXPECT_EQ(scaling.state("web")->options.replicas_max, 100 + i);
  }
  const auto wrong = scaling.change_options("web", [](auto& set) { set.replicas_max = 0; });
  EXPECT_FALSE(wrong->problems.empty());
  EXPECT_EQ(scaling.state("web")->options.replicas_max, 129u);
}

TEST(Scaling, RefusesWorkWhenTooMuchWaits) {
  files::MemoryFileSystem disk;
  ScalingOptions few = options();
  few.work_max = 1;
  std::promise<void> begun, release;
  Scaling scaling(few, disk);
  ASSERT_TRUE(scaling.run([&] {
    begun.set_value();
    release.get_future().wait();
  }));
  begun.get_future().wait();
  ASSERT_TRUE(scaling.run([] {}));
  EXPECT_EQ(told(scaling, report("web", 0, 1000)).error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(told(scaling, report("web", 0, 1))) << "short work waits for nobody";
  release.set_value();
}

TEST(Scaling, BacktestsAServiceOrSaysWhatItLacks) {
  files::MemoryFileSystem disk;
  Scaling scaling(options(), disk);
  const auto tested = [&](const std::string& service) {
    const auto answer = std::make_shared<std::promise<Result<scaling::Backtest>>>();
    scaling.backtest(service, [answer](Result<scaling::Backtest> found) {
      answer->set_value(std::move(found));
    });
    return answer->get_future().get();
  };
  EXPECT_EQ(tested("web").error().code, ErrorCode::kMissing);
  ASSERT_TRUE(told(scaling, report("web", 0, 10)));
  EXPECT_EQ(tested("web").error().code, ErrorCode::kOutOfRange);
  ASSERT_TRUE(told(scaling, report("web", 10, 100)));
  EXPECT_EQ(tested("web").error(), (Error{ErrorCode::kConflict, 720}));
  ASSERT_TRUE(told(scaling, report("web", 110, 1500)));
  EXPECT_TRUE(tested("web").has_value());
}

}  // namespace
}  // namespace liminal::signals
