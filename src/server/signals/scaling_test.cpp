#include "server/signals/scaling.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <future>
#include <thread>

#include "io/files/crc32c.hpp"
#include "io/files/memory_file_system.hpp"
#include "io/files/replace.hpp"

namespace liminal::signals {
namespace {

EventTime minute(std::int64_t number) {
  return EventTime{std::chrono::minutes{29'000'000 + number}};
}

/// A service of three instances whose load goes up and down.
scaling::Report report(const std::string& service, std::int64_t first, std::int64_t count) {
  scaling::Report out{service, {}, {}};
  for (std::int64_t t = first; t < first + count; ++t) {
    const double load = 100 + 50 * std::sin(static_cast<double>(t) / 200);
    out.rows.push_back({minute(t), {load, .005 * load, .4, .1, 3}});
  }
  return out;
}

Result<scaling::Advice> told(Scaling& scaling, scaling::Report what) {
  // Shared: the other thread may still be leaving set_value() when get() returns here.
  const auto answer = std::make_shared<std::promise<Result<scaling::Advice>>>();
  scaling.advise(std::move(what), [answer](Result<scaling::Advice> advice) {
    answer->set_value(std::move(advice));
  });
  return answer->get_future().get();
}

ScalingOptions options() { return {.folder = "scaling", .save_interval = std::chrono::seconds{0}}; }

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

TEST(Scaling, KeepsServicesAndOptionsAcrossARestart) {
  files::MemoryFileSystem disk;
  std::uint64_t before = 0;
  {
    Scaling scaling(options(), disk);
    ASSERT_TRUE(told(scaling, report("web", 0, 500)));
    EXPECT_FALSE(*scaling.set_options("web", {.replicas_min = 4}));
    ASSERT_TRUE(told(scaling, report("web", 500, 10)));
    before = scaling.state("web")->service.state_hash();
  }
  Scaling scaling(options(), disk);
  const auto state = scaling.state("web");
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->service.state_hash(), before);
  EXPECT_EQ(state->options.replicas_min, 4u);
  ASSERT_EQ(scaling.lines(minute(510)).size(), 1u);
}

TEST(Scaling, SavesWhatChangedWithoutBeingStopped) {
  files::MemoryFileSystem disk;
  std::promise<void> saved;
  Scaling first(options(), disk);
  ASSERT_TRUE(told(first, report("web", 0, 10)));
  first.second();
  ASSERT_TRUE(first.run([&] { saved.set_value(); }));
  saved.get_future().wait();
  Scaling second(options(), disk);
  EXPECT_EQ(second.counters().services, 1u);
}

TEST(Scaling, ADamagedFileIsSetAsideAndItsServiceBeginsAnew) {
  files::MemoryFileSystem disk;
  { ASSERT_TRUE(told(*std::make_unique<Scaling>(options(), disk), report("web", 0, 10))); }
  const auto listed = disk.list("scaling");
  ASSERT_EQ(listed->size(), 1u);
  const std::string path = "scaling/" + listed->front().name;
  ASSERT_TRUE(disk.truncate(path, listed->front().bytes / 2));
  const std::string half = disk.contents(path);
  {
    Scaling scaling(options(), disk);
    EXPECT_EQ(scaling.counters().load_errors, 1u);
    EXPECT_EQ(scaling.counters().services, 0u);
    ASSERT_TRUE(told(scaling, report("web", 10, 5)));
  }
  EXPECT_EQ(disk.contents(path + ".unreadable"), half);
  EXPECT_EQ(Scaling(options(), disk).state("web")->service.observations(), 5u);
}

TEST(Scaling, AFileThatCannotBeReadJustNowIsLeftAsItIs) {
  files::MemoryFileSystem disk;
  { ASSERT_TRUE(Scaling(options(), disk).set_options("web", {.replicas_min = 7})); }
  const std::string path = Scaling::path("scaling", "web");
  const std::string before = disk.contents(path);
  disk.faults.fail_reads = true;
  {
    Scaling scaling(options(), disk);
    disk.faults = {};
    EXPECT_EQ(scaling.counters().load_errors, 1u);
    ASSERT_TRUE(told(scaling, report("web", 0, 5)));
    EXPECT_EQ(scaling.set_options("web", {.replicas_min = 2}).error().code, ErrorCode::kIo);
    EXPECT_EQ(scaling.forget("web").error().code, ErrorCode::kIo);
    ASSERT_TRUE(told(scaling, report("web", 5, 5)));
    EXPECT_TRUE(scaling.set_options("new", {}));
  }
  EXPECT_EQ(disk.contents(path), before);
  EXPECT_EQ(disk.list("scaling")->size(), 2u);
  EXPECT_EQ(Scaling(options(), disk).state("web")->options.replicas_min, 7u);
}

TEST(Scaling, ADamagedFileThatCannotBeSetAsideIsNotWrittenOver) {
  files::MemoryFileSystem disk;
  { ASSERT_TRUE(Scaling(options(), disk).set_options("web", {})); }
  const std::string path = Scaling::path("scaling", "web");
  disk.contents(path) += "damaged";
  const std::string damaged = disk.contents(path);
  disk.faults.fail_at = disk.operations() + 1;
  {
    Scaling scaling(options(), disk);
    EXPECT_EQ(scaling.counters().load_errors, 2u);
    ASSERT_TRUE(told(scaling, report("web", 0, 5)));
  }
  EXPECT_EQ(disk.contents(path), damaged);
  EXPECT_EQ(Scaling(options(), disk).counters().load_errors, 1u);
  EXPECT_EQ(disk.contents(path + ".unreadable"), damaged);
}

TEST(Scaling, ACopyOfAServicesFileIsNoOtherService) {
  files::MemoryFileSystem disk;
  { ASSERT_TRUE(told(*std::make_unique<Scaling>(options(), disk), report("web", 0, 10))); }
  const std::string path = "scaling/" + disk.list("scaling")->front().name;
  ASSERT_TRUE(files::replace_file(disk, "scaling/0000000000000000.service", disk.contents(path)));
  Scaling scaling(options(), disk);
  EXPECT_EQ(scaling.counters().load_errors, 1u);
  EXPECT_EQ(scaling.counters().services, 1u);
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

TEST(Scaling, SettingsThatCouldNotBeWrittenAreNotTaken) {
  files::MemoryFileSystem disk;
  Scaling scaling(options(), disk);
  ASSERT_TRUE(scaling.set_options("web", {.replicas_min = 2}));
  for (std::uint64_t i = 1; i < 6; ++i) {
    disk.faults.fail_at = disk.operations() + i;
    disk.faults.fail_ever_after = true;
    EXPECT_EQ(scaling.set_options("web", {.replicas_min = 4}).error().code, ErrorCode::kIo) << i;
    EXPECT_EQ(scaling.state("web")->options.replicas_min, 2u);
    EXPECT_EQ(scaling.set_options("new", {}).error().code, ErrorCode::kIo);
    EXPECT_EQ(scaling.state("new").error().code, ErrorCode::kMissing);
    disk.faults = {};
  }
  EXPECT_EQ(scaling.lines(minute(0)).size(), 1u);
  EXPECT_FALSE(*scaling.set_options("web", {.replicas_min = 5}));
}

TEST(Scaling, TheSettingsOfAServiceOfAnotherFormatAreTaken) {
  files::MemoryFileSystem disk;
  { ASSERT_TRUE(Scaling(options(), disk).set_options("web", {.replicas_min = 7})); }
  std::string& file = disk.contents("scaling/" + disk.list("scaling")->front().name);
  // The service begins with its format.
  Writer settings;
  scaling::Service{}.save(settings);
  file[file.size() - settings.bytes().size()] = 1;
  Writer head;
  head.put(Scaling::kMagic);
  head.put(Scaling::kFormat);
  head.put(files::crc32c(0, std::string_view(file).substr(12)));
  file.replace(0, 12, head.bytes());
  Scaling scaling(options(), disk);
  EXPECT_EQ(scaling.counters().load_errors, 1u);
  EXPECT_EQ(scaling.state("web")->options.replicas_min, 7u);
  EXPECT_EQ(scaling.state("web")->service.observations(), 0u);
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

TEST(Scaling, WhatIsForgottenIsNotThereAfterARestart) {
  files::MemoryFileSystem disk;
  {
    Scaling scaling(options(), disk);
    ASSERT_TRUE(scaling.set_options("web", {}));
    EXPECT_TRUE(scaling.forget("web"));
    EXPECT_EQ(scaling.forget("web").error().code, ErrorCode::kMissing);
  }
  EXPECT_EQ(Scaling(options(), disk).counters().services, 0u);
}

TEST(Scaling, WhatCannotBeRemovedIsNotForgotten) {
  files::MemoryFileSystem disk;
  Scaling scaling(options(), disk);
  ASSERT_TRUE(scaling.set_options("web", {.replicas_min = 7}));
  disk.faults.fail_at = disk.operations() + 1;
  EXPECT_EQ(scaling.forget("web").error().code, ErrorCode::kIo);
  EXPECT_EQ(scaling.state("web")->options.replicas_min, 7u);
  EXPECT_EQ(scaling.counters().save_errors, 1u);
  EXPECT_TRUE(scaling.forget("web"));
}

/// What a second saves, when so much may be saved in one.
std::uint64_t saved_in_a_second(std::chrono::milliseconds time, std::size_t bytes) {
  files::MemoryFileSystem disk;
  ScalingOptions many = options();
  many.save_time = time;
  many.save_bytes = bytes;
  std::promise<void> saved;
  Scaling scaling(many, disk);
  for (int i = 0; i < 250; ++i) EXPECT_TRUE(told(scaling, report(std::to_string(i), 0, 1)));
  scaling.second();
  EXPECT_TRUE(scaling.run([&] { saved.set_value(); }));
  saved.get_future().wait();
  return scaling.counters().saved;
}

TEST(Scaling, SavesAsManyServicesInASecondAsFitIntoItsShare) {
  const std::chrono::hours ample{1};
  EXPECT_EQ(saved_in_a_second(ample, std::size_t{1} << 30), 250u);
  EXPECT_EQ(saved_in_a_second(ample, 1), 1u);
  EXPECT_EQ(saved_in_a_second(std::chrono::milliseconds{0}, std::size_t{1} << 30), 1u);
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

TEST(Scaling, ASmallerBoundKeepsThoseWithSettingsAndThenTheLatest) {
  files::MemoryFileSystem disk;
  {
    Scaling scaling(options(), disk);
    for (const char* name : {"s1", "s2", "s3"})
      ASSERT_TRUE(scaling.set_options(name, {.replicas_min = 5}));
    for (const char* name : {"d1", "d2", "d3", "d4"}) {
      ASSERT_TRUE(told(scaling, report(name, 0, 1)));
      std::promise<void> saved;
      scaling.second();
      ASSERT_TRUE(scaling.run([&] { saved.set_value(); }));
      saved.get_future().wait();
    }
  }
  ScalingOptions few = options();
  few.services_max = 5;
  Scaling scaling(few, disk);
  EXPECT_EQ(scaling.counters().left_out, 2u);
  std::vector<std::string> names;
  for (const auto& one : scaling.services(minute(1), 10)) names.push_back(one.name);
  EXPECT_EQ(names, (std::vector<std::string>{"d4", "d3", "s3", "s2", "s1"}));
}

TEST(Scaling, AServiceThatWasLeftOutIsReadWhenSomebodyAsksForIt) {
  files::MemoryFileSystem disk;
  {
    Scaling scaling(options(), disk);
    for (const char* name : {"a", "b"}) ASSERT_TRUE(scaling.set_options(name, {.replicas_min = 5}));
    ASSERT_TRUE(told(scaling, report("a", 0, 70)));
  }
  ScalingOptions few = options();
  few.services_max = 1;
  {
    Scaling scaling(few, disk);
    const std::string out = scaling.services(minute(1), 10).front().name == "a" ? "b" : "a";
    EXPECT_EQ(scaling.state(out)->options.replicas_min, 5u);
    EXPECT_TRUE(scaling.advice(out, minute(71)));
    EXPECT_EQ(told(scaling, report(out, 70, 1)).error().code, ErrorCode::kTooLarge);
    EXPECT_EQ(scaling.set_options(out, {}).error().code, ErrorCode::kTooLarge);
    disk.faults.fail_reads = true;
    EXPECT_EQ(told(scaling, report(out, 70, 1)).error().code, ErrorCode::kUnavailable);
    disk.faults = {};
    EXPECT_TRUE(scaling.forget(out == "a" ? "b" : "a"));
    EXPECT_TRUE(told(scaling, report(out, 70, 1)));
    EXPECT_EQ(scaling.state(out)->options.replicas_min, 5u);
    EXPECT_EQ(scaling.counters().left_out, 0u);
  }
  EXPECT_EQ(disk.list("scaling")->size(), 1u);
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

/// A disk that begins its first file only when it may.
class SlowDisk final : public files::FileSystem {
 public:
  std::promise<void> begun, release;

  Result<std::unique_ptr<files::WritableFile>> create(const std::string& path) override {
    if (!std::exchange(waited_, true)) {
      begun.set_value();
      release.get_future().wait();
    }
    return disk_.create(path);
  }
  Result<std::unique_ptr<files::WritableFile>> append_to(const std::string& path) override {
    return disk_.append_to(path);
  }
  Result<std::string> read_head(const std::string& path, std::size_t bytes_max) override {
    return disk_.read_head(path, bytes_max);
  }
  Result<std::string> read(const std::string& path, std::size_t bytes_max) override {
    return disk_.read(path, bytes_max);
  }
  Result<std::vector<files::FileEntry>> list(const std::string& folder) override {
    return disk_.list(folder);
  }
  Result<void> rename(const std::string& from, const std::string& to) override {
    return disk_.rename(from, to);
  }
  Result<void> remove(const std::string& path) override { return disk_.remove(path); }
  Result<void> truncate(const std::string& path, std::uint64_t bytes) override {
    return disk_.truncate(path, bytes);
  }
  Result<void> create_folder(const std::string& path) override { return disk_.create_folder(path); }
  Result<void> sync_folder(const std::string& folder) override { return disk_.sync_folder(folder); }

 private:
  files::MemoryFileSystem disk_;
  bool waited_ = false;
};

TEST(Scaling, LearnsAndAdvisesWhileAServiceIsBeingWritten) {
  SlowDisk disk;
  Scaling scaling(options(), disk);
  ASSERT_TRUE(told(scaling, report("web", 0, 50)));
  scaling.second();
  disk.begun.get_future().wait();
  EXPECT_TRUE(told(scaling, report("web", 50, 10)));
  EXPECT_TRUE(scaling.advice("web", minute(60)));
  EXPECT_EQ(scaling.lines(minute(60)).size(), 0U);
  EXPECT_GT(scaling.counters().bytes, 1000U);
  disk.release.set_value();
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
