#include "server/shards/runtime.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <future>
#include <map>
#include <mutex>
#include <set>

#include "core/base/random.hpp"
#include "server/shards/testing.hpp"

namespace liminal::shards {
namespace {

using namespace testing;

/// What a runtime makes of a fixed log: ordinary people and somebody who floods.
struct Outcome {
  std::set<std::string> alerts;  ///< user and type
  std::string state;
};

Outcome play(std::uint32_t threads) {
  HandClock hand;
  const EngineClock clock(1, std::nullopt, hand.source());
  Collector sink;
  Runtime runtime({.threads = threads}, settings(), clock, sink);
  EXPECT_EQ(runtime.threads(), threads);
  runtime.start();
  Random random(7);
  for (int second = 0; second < 20; ++second) {
    live(runtime, hand, 1);
    std::vector<traffic::StoredEvent> events;
    for (int user = 0; user < 50; ++user)
      if (random.chance(.05)) events.push_back(message("user" + std::to_string(user), second + 1));
    if (second >= 10)
      for (int i = 0; i < 40; ++i) events.push_back(message("flooder", second + 1 + i * .01));
    wait_for([&](auto done) { ASSERT_TRUE(runtime.submit(std::move(events), done)); });
  }
  runtime.stop();
  Outcome outcome;
  for (const traffic::Alert& alert : sink.raised)
    outcome.alerts.insert(alert.user + ":" + std::string(traffic::info(alert.type).name));
  outcome.state = runtime.save();
  return outcome;
}

TEST(Runtime, AnswersDoNotDependOnTheNumberOfThreads) {
  const Outcome one = play(1);
  EXPECT_EQ(one.alerts.count("flooder:message_flood"), 1u);
  for (const std::uint32_t threads : {2U, 3U}) {
    const Outcome more = play(threads);
    EXPECT_EQ(more.alerts, one.alerts);
    EXPECT_TRUE(more.state == one.state) << threads << " threads: another state";
  }
}

TEST(Runtime, AQuestionRunsOnTheThreadThatOwnsTheShard) {
  HandClock hand;
  const EngineClock clock(1, std::nullopt, hand.source());
  Collector sink;
  Runtime runtime({.threads = 2}, settings(), clock, sink);
  runtime.start();
  std::mutex mutex;
  std::map<std::size_t, std::set<std::thread::id>> threads;  // by owner
  std::set<std::uint32_t> seen;
  wait_for([&](auto done) {
    ASSERT_TRUE(runtime.ask_all(
        [&](OwnedShard& shard) {
          const std::lock_guard lock(mutex);
          seen.insert(index(shard->id()));
          threads[runtime.owner(shard->id())].insert(std::this_thread::get_id());
        },
        done));
  });
  EXPECT_EQ(seen.size(), kShards);
  ASSERT_EQ(threads.size(), 2u);
  EXPECT_EQ(threads[0].size(), 1u);
  EXPECT_EQ(threads[1].size(), 1u);
  EXPECT_NE(*threads[0].begin(), *threads[1].begin());
  std::thread::id asked;
  wait_for([&](auto done) {
    ASSERT_TRUE(runtime.ask(ShardId{1}, [&, done](OwnedShard&) {
      asked = std::this_thread::get_id();
      done();
    }));
  });
  EXPECT_EQ(asked, *threads[1].begin());
}

TEST(Runtime, AShardTakesUpWhereItWasSaved) {
  HandClock hand;
  const EngineClock clock(1, std::nullopt, hand.source());
  Collector sink;
  const ShardId home = shard_of(hash64("alice"));
  SavedShard saved;
  const auto save = [&](Runtime& runtime, std::uint64_t changes) {
    wait_for([&](auto done) {
      ASSERT_TRUE(runtime.save_shard(home, changes, [&saved, done](SavedShard made) {
        saved = std::move(made);
        done();
      }));
    });
  };
  {
    Runtime runtime({.threads = 2}, settings(), clock, sink);
    runtime.start();
    live(runtime, hand, 2);
    wait_for([&](auto done) { ASSERT_TRUE(runtime.submit({message("alice", 2)}, done)); });
    save(runtime, 0);
    EXPECT_FALSE(saved.bytes.empty());
    EXPECT_EQ(saved.changes, 1u);
    const std::string bytes = saved.bytes;
    live(runtime, hand, 2);
    save(runtime, 1);
    EXPECT_TRUE(saved.bytes.empty()) << "nobody did anything";
    saved.bytes = bytes;
  }
  Runtime again({.threads = 1}, settings(), clock, sink);
  ASSERT_TRUE(again.load_shard(home, saved.bytes));
  again.resume(1000);
  again.start();
  bool known = false;
  wait_for([&](auto done) {
    ASSERT_TRUE(again.ask(home, [&, done](OwnedShard& shard) {
      known = shard->view("alice").has_value();
      EXPECT_GE(shard->inputs(), 1000u);
      done();
    }));
  });
  EXPECT_TRUE(known);
}

/// Notes the calls that are recorded.
struct CallNotes : Recorder {
  void event(ShardId, std::uint64_t, const traffic::Event&) override {}
  void tick(ShardId, std::uint64_t, SteadyTime) override {}
  void absorb(ShardId, std::uint64_t, const engine::Exchange&) override {}
  void call(ShardId, std::uint64_t input, const engine::Call& call) override {
    const std::lock_guard lock(mutex);
    ++calls[call.index()];
    if (std::holds_alternative<engine::Resume>(call)) first = input;
  }
  std::mutex mutex;
  std::map<std::size_t, int> calls;
  std::uint64_t first = 0;
};

TEST(Runtime, WhatIsDecidedAboutAShardIsRecorded) {
  HandClock hand;
  const EngineClock clock(1, std::nullopt, hand.source());
  Collector sink;
  CallNotes notes;
  Runtime runtime({.threads = 2}, settings(), clock, sink, &notes);
  runtime.resume(77);
  (void)runtime.carry_out(ShardId{3}, engine::RemoveOverrides{});
  runtime.start();
  runtime.set_settings(settings());
  wait_for([&](auto done) {
    ASSERT_TRUE(runtime.ask_all(
        [](OwnedShard& shard) { (void)shard.carry_out(engine::CleanUp{seconds{1}}); }, done));
  });
  runtime.stop();
  EXPECT_EQ(notes.first, 77u);
  const int all = kShards;
  EXPECT_EQ(notes.calls[engine::Call(engine::Resume{}).index()], all);
  EXPECT_EQ(notes.calls[engine::Call(engine::RemoveOverrides{}).index()], 1);
  EXPECT_EQ(notes.calls[engine::Call(engine::UseSettings{}).index()], all);
  EXPECT_EQ(notes.calls[engine::Call(engine::CleanUp{}).index()], all);
}

TEST(Runtime, WhatAGatewayDidBeyondAVerdictIsInTheAuditLogAndNoInput) {
  HandClock hand;
  const EngineClock clock(1, std::nullopt, hand.source());
  Collector sink;
  Runtime runtime({.threads = 1}, settings(), clock, sink);
  const std::string before = runtime.save();
  const traffic::StoredEvent event = message("eve", 1);
  traffic::Verdict done;
  done.decision = traffic::Decision::kClose;
  done.reason = traffic::Reason::kUserMessages;
  for (int i = 0; i < 3; ++i) runtime.worker(0).note(event.view(), done);
  runtime.stop();
  ASSERT_EQ(sink.audit.size(), 2u);
  EXPECT_EQ(sink.audit[0].actor + " " + sink.audit[0].action, "gateway close");
  EXPECT_EQ(sink.audit[0].subject + " " + sink.audit[0].detail, "eve message: user_messages");
  EXPECT_EQ(sink.audit[1].detail, "2 closed since the last entry, the last by user_messages");
  EXPECT_TRUE(runtime.save() == before);
}

TEST(Runtime, TooManySubmittedEventsAreRefusedAsAWhole) {
  HandClock hand;
  const EngineClock clock(1, std::nullopt, hand.source());
  Collector sink;
  Runtime runtime({.threads = 1, .submitted_max = 2}, settings(), clock, sink);
  EXPECT_FALSE(runtime.submit({message("a", 0), message("b", 0), message("c", 0)}, nullptr));
  EXPECT_TRUE(runtime.submit({message("a", 0), message("b", 0)}, nullptr));
  EXPECT_FALSE(runtime.submit({message("c", 0)}, nullptr));
  runtime.start();
  for (bool taken = false; !taken;) taken = runtime.submit({message("c", 0)}, nullptr);
}

/// A date and a steady clock that the test sets.
struct SetClock {
  [[nodiscard]] EngineClock::Source source() {
    return {.wall = [this] { return wall; }, .steady = [this] { return steady; }};
  }
  void pass(Duration time) {
    wall += time;
    steady += time;
  }
  Duration wall = kDate, steady = seconds{5};
};

TEST(EngineClock, GoesOnOverARestartAndNeverBack) {
  SetClock machine;
  const EngineClock first(1, std::nullopt, machine.source());
  EXPECT_EQ(first.now(), SteadyTime{kDate});
  machine.steady += seconds{10};
  machine.wall -= seconds{1000};  // somebody sets the date
  EXPECT_EQ(first.now(), SteadyTime{kDate + seconds{10}});
  EXPECT_EQ(first.ahead(), seconds{1010});
  const ClockState kept = first.state();

  machine.pass(seconds{300});
  const EngineClock second(1, kept, machine.source());
  EXPECT_EQ(second.now(), kept.engine) << "it waits for the date";
  EXPECT_EQ(second.ahead(), seconds{710});
  machine.pass(seconds{1000});
  EXPECT_EQ(EngineClock(1, kept, machine.source()).now(), SteadyTime{machine.wall});
  EXPECT_EQ(EngineClock(60, kept, machine.source()).now(), kept.engine + seconds{1300})
      << "one that is not the date's goes on by what has passed";
}

TEST(EngineClock, FollowsTheDateForwardAndNeverBack) {
  SetClock machine;
  EngineClock clock(1, std::nullopt, machine.source());
  machine.pass(seconds{10});
  EXPECT_EQ(clock.follow(), Duration::zero());
  machine.wall += milliseconds{900};
  EXPECT_EQ(clock.follow(), Duration::zero()) << "that is jitter";
  machine.wall += std::chrono::hours{1};  // it slept: its steady clock stood still
  EXPECT_EQ(clock.follow(), std::chrono::hours{1} + milliseconds{900});
  EXPECT_EQ(clock.now(), SteadyTime{machine.wall});
  EXPECT_EQ(clock.follow(), Duration::zero());
  machine.wall += std::chrono::hours{24 * 30};  // wrong,
  for (unsigned look = 1; look < EngineClock::kLooks; ++look)
    ASSERT_EQ(clock.follow(), Duration::zero()) << "it may be right in a moment";
  EXPECT_EQ(clock.follow(), std::chrono::hours{24 * 30});
  machine.wall -= std::chrono::hours{24 * 30};  // and right again
  const SteadyTime before = clock.now();
  EXPECT_EQ(clock.follow(), Duration::zero());
  machine.pass(seconds{1});
  EXPECT_EQ(clock.now(), before + seconds{1});
  EXPECT_EQ(clock.ahead(), std::chrono::hours{24 * 30});
  EXPECT_EQ(clock.followed(), clock.now() - SteadyTime{kDate + seconds{11}});
}

TEST(EngineClock, IsNotMovedByADateThatIsFarAheadForAMoment) {
  SetClock machine;
  EngineClock clock(1, std::nullopt, machine.source());
  for (int again = 0; again < 3; ++again) {
    machine.wall += std::chrono::hours{24 * 365};
    for (unsigned look = 1; look < EngineClock::kLooks; ++look)
      ASSERT_EQ(clock.follow(), Duration::zero());
    machine.wall -= std::chrono::hours{24 * 365};
    EXPECT_EQ(clock.follow(), Duration::zero());
  }
  EXPECT_EQ(clock.now(), SteadyTime{kDate});
  machine.wall += EngineClock::kFollowedAtOnce;
  EXPECT_EQ(clock.follow(), EngineClock::kFollowedAtOnce) << "at once";
}

TEST(EngineClock, LeavesTheDateAtAnotherScale) {
  SetClock machine;
  EngineClock clock(2, std::nullopt, machine.source());
  machine.wall += std::chrono::hours{1};
  EXPECT_EQ(clock.follow(), Duration::zero());
  EXPECT_EQ(clock.ahead(), Duration::zero());
  EXPECT_EQ(clock.now(), SteadyTime{kDate});
}

/// Writes down when ticks were.
struct Ticks : Recorder {
  void event(ShardId, std::uint64_t, const Event&) override {}
  void absorb(ShardId, std::uint64_t, const engine::Exchange&) override {}
  void call(ShardId, std::uint64_t, const engine::Call&) override {}
  void tick(ShardId shard, std::uint64_t, SteadyTime now) override {
    if (index(shard) == 0) times.push_back(now - SteadyTime{kDate});
  }
  std::vector<Duration> times;
};

TEST(Runtime, LivesAGapThatTheClockFollowedInOneStepThatIsRecorded) {
  std::atomic<Duration::rep> steady{0}, wall{kDate.count()};
  EngineClock clock(1,
                    std::nullopt,
                    {.wall = [&] { return Duration{wall.load()}; },
                     .steady = [&] { return Duration{steady.load()}; }});
  Collector sink;
  Ticks ticks;
  Runtime runtime({.threads = 1}, settings(), clock, sink, &ticks);
  runtime.start();
  const auto live_one = [&](Duration date) {
    steady += Duration{seconds{1}}.count();
    wall += Duration{seconds{1} + date}.count();
    clock.follow();
    const auto give_up = std::chrono::steady_clock::now() + kPatience;
    for (const auto before = runtime.seconds_lived(); runtime.seconds_lived() == before;) {
      ASSERT_LT(std::chrono::steady_clock::now(), give_up);
      wait_for([&](auto done) { runtime.wake(done); });
    }
    wait_for([&](auto done) { runtime.wake(done); });  // it has looked at the clock since
  };
  live_one(Duration::zero());
  live_one(std::chrono::minutes{30});
  live_one(Duration::zero());
  runtime.stop();
  EXPECT_EQ(ticks.times, (std::vector<Duration>{seconds{1}, seconds{1802}, seconds{1803}}));
}

TEST(EngineClock, LivesAsFastAsItsScale) {
  Duration steady{};
  const EngineClock clock(
      60, std::nullopt, {.wall = [] { return kDate; }, .steady = [&] { return steady; }});
  steady += seconds{2};
  EXPECT_EQ(clock.now(), SteadyTime{kDate + std::chrono::minutes{2}});
}

TEST(ShardsOptions, AllProblemsAreNamed) {
  EXPECT_TRUE(validate(Options{}).empty());
  EXPECT_EQ(validate({.threads = 65, .mailbox_max = 1, .submitted_max = 0}).size(), 3u);
}

}  // namespace
}  // namespace liminal::shards
