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

/// Notes the calls that are recorded, and when the first shard's ticks were.
struct Notes : Recorder {
  void event(ShardId, std::uint64_t, const traffic::Event&) override {}
  void tick(ShardId shard, std::uint64_t, SteadyTime now) override {
    const std::lock_guard lock(mutex);
    if (index(shard) == 0) ticks.push_back(now - SteadyTime{kDate});
  }
  void absorb(ShardId, std::uint64_t, const engine::Exchange&) override {}
  void call(ShardId, std::uint64_t input, const engine::Call& call) override {
    const std::lock_guard lock(mutex);
    ++calls[call.index()];
    if (std::holds_alternative<engine::Resume>(call)) first = input;
  }
  std::mutex mutex;
  std::map<std::size_t, int> calls;
  std::uint64_t first = 0;
  std::vector<Duration> ticks;
};

TEST(Runtime, WhatIsDecidedAboutAShardIsRecorded) {
  HandClock hand;
  const EngineClock clock(1, std::nullopt, hand.source());
  Collector sink;
  Notes notes;
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

TEST(Runtime, LivesAGapThatTheClockFollowedInOneStepThatIsRecorded) {
  HandClock hand;
  EngineClock clock(1, std::nullopt, hand.source());
  Collector sink;
  Notes notes;
  Runtime runtime({.threads = 1}, settings(), clock, sink, &notes);
  runtime.start();
  const auto live_one = [&](Duration date) {
    const std::uint64_t before = runtime.seconds_lived();
    hand.pass(seconds{1});
    hand.move_date(date);
    clock.follow();
    ASSERT_NO_FATAL_FAILURE(wait_for_second_after(runtime, before));
    wait_for([&](auto done) { runtime.wake(done); });  // it has looked at the clock since
  };
  live_one(Duration::zero());
  live_one(std::chrono::minutes{30});
  live_one(Duration::zero());
  runtime.stop();
  EXPECT_EQ(notes.ticks, (std::vector<Duration>{seconds{1}, seconds{1802}, seconds{1803}}));
}

TEST(ShardsOptions, AllProblemsAreNamed) {
  EXPECT_TRUE(validate(Options{}).empty());
  EXPECT_EQ(validate({.threads = 65, .mailbox_max = 1, .submitted_max = 0}).size(), 3u);
}

}  // namespace
}  // namespace liminal::shards
