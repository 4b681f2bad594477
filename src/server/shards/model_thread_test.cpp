#include "server/shards/model_thread.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <string>
#include <vector>

namespace liminal::shards {
namespace {

using engine::Champion;
using engine::ModelFault;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr auto kPatience = std::chrono::seconds{20};

std::shared_ptr<const Champion> champion(Champion::ScoreRows score) {
  return *Champion::foreign({.version = 3}, {"messages_per_minute"}, std::move(score));
}

/// What was called back, for a thread that waits for it.
struct Heard {
  ModelThread::Callbacks callbacks() {
    return {.answered =
                [this](ShardId, engine::Answer answer) {
                  const std::lock_guard lock(mutex);
                  answers.push_back(std::move(answer));
                  changed.notify_all();
                  return true;
                },
            .failed =
                [this](const Champion*, const ModelFault& fault) {
                  const std::lock_guard lock(mutex);
                  faults.push_back(fault);
                  changed.notify_all();
                }};
  }
  template <class Condition>
  bool wait(Condition&& condition) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, kPatience, condition);
  }
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<engine::Answer> answers;
  std::vector<ModelFault> faults;
};

engine::Ask ask(std::uint64_t user) {
  engine::Ask made;
  made.user = user;
  return made;
}

bool half(std::span<const float>, std::span<float> out) {
  std::fill(out.begin(), out.end(), .25F);
  return true;
}

TEST(BudgetWatch, CondemnsWhoIsMostlySlow) {
  using std::chrono::microseconds;
  const auto verdict = [](int slow_of_four) {
    BudgetWatch watch;
    bool over = false;
    for (int i = 0; i < 32; ++i)
      over =
          watch.over(microseconds{i % 4 < slow_of_four ? 1000 : 10}, 20, microseconds{5}) || over;
    return over;
  };
  EXPECT_FALSE(verdict(0));
  EXPECT_FALSE(verdict(2));
  EXPECT_TRUE(verdict(3));
  BudgetWatch watch;
  for (int i = 0; i < 100; ++i)
    EXPECT_FALSE(watch.over(microseconds{80}, 1, microseconds{5})) << "a lone row";
}

TEST(ModelThread, AnswersInTheOrderOfTheAsks) {
  Heard heard;
  ModelThread thread({}, heard.callbacks());
  const auto model = champion(half);
  for (std::uint64_t i = 0; i < 200; ++i)
    ASSERT_TRUE(thread.put({model, ask(i), std::nullopt, Clock::now()}));
  ASSERT_TRUE(heard.wait([&] { return heard.answers.size() == 200; }));
  for (std::uint64_t i = 0; i < 200; ++i) {
    EXPECT_EQ(heard.answers[i].user, i);
    EXPECT_EQ(heard.answers[i].version, 3u);
    EXPECT_EQ(heard.answers[i].score, .25F);
  }
  EXPECT_EQ(thread.late(), 0u);
}

TEST(ModelThread, DropsAndCountsWhatIsLate) {
  Heard heard;
  ModelThread thread({}, heard.callbacks());
  const auto model = champion(half);
  ASSERT_TRUE(thread.put({model, ask(1), std::nullopt, Clock::now() - std::chrono::seconds{2}}));
  ASSERT_TRUE(thread.put({model, ask(2), std::nullopt, Clock::now()}));
  ASSERT_TRUE(heard.wait([&] { return !heard.answers.empty(); }));
  EXPECT_EQ(heard.answers.size(), 1u);
  EXPECT_EQ(heard.answers[0].user, 2u);
  EXPECT_EQ(thread.late(), 1u);
}

TEST(ModelThread, ReportsAModelThatFails) {
  Heard heard;
  ModelThread thread({}, heard.callbacks());
  const auto model = champion([](auto, auto) { return false; });
  ASSERT_TRUE(thread.put({model, ask(1), std::nullopt, Clock::now()}));
  ASSERT_TRUE(heard.wait([&] { return !heard.faults.empty(); }));
  EXPECT_EQ(heard.faults[0].kind, ModelFault::Kind::kFailed);
  EXPECT_EQ(heard.faults[0].version, 3u);
}

TEST(ModelThread, LeavesBehindAModelThatDoesNotComeBack) {
  struct Gate {
    std::promise<void> begun, open;
    std::shared_future<void> opened = open.get_future().share();
  };
  const auto gate = std::make_shared<Gate>();
  Heard heard;
  ModelThread thread({.patience = milliseconds{10}, .queue_max = 2}, heard.callbacks());
  const auto stuck = champion([gate](std::span<const float>, std::span<float>) {
    gate->begun.set_value();
    gate->opened.wait();
    return true;
  });
  ASSERT_TRUE(thread.put({stuck, ask(1), std::nullopt, Clock::now()}));
  gate->begun.get_future().wait();
  EXPECT_TRUE(thread.put({stuck, ask(2), std::nullopt, Clock::now()}));
  EXPECT_TRUE(thread.put({stuck, ask(3), std::nullopt, Clock::now()}));
  EXPECT_FALSE(thread.put({stuck, ask(4), std::nullopt, Clock::now()})) << "the queue is full";
  const auto give_up = Clock::now() + kPatience;
  for (bool left = false; !left && Clock::now() < give_up;) {
    thread.look();
    left = heard.wait([&] { return true; }) && !heard.faults.empty();
  }
  ASSERT_EQ(heard.faults.size(), 1u);
  EXPECT_EQ(heard.faults[0].kind, ModelFault::Kind::kStuck);
  EXPECT_EQ(thread.late(), 2u);
  // Another one takes over, well before the stuck one is back.
  const auto model = champion(half);
  const auto enough = Clock::now() + std::chrono::hours{1};
  ASSERT_TRUE(thread.put({model, ask(5), std::nullopt, enough}));
  EXPECT_TRUE(heard.wait([&] { return !heard.answers.empty(); }));
  gate->open.set_value();
}

TEST(ModelThread, TakesNothingAfterAStop) {
  Heard heard;
  ModelThread thread({}, heard.callbacks());
  thread.stop();
  EXPECT_FALSE(thread.put({champion(half), ask(1), std::nullopt, Clock::now()}));
}

TEST(InferenceOptions, AllProblemsAreNamed) {
  EXPECT_TRUE(validate(InferenceOptions{}).empty());
  EXPECT_EQ(validate(InferenceOptions{Duration{1}, Duration{1}, Duration{1}, 0}).size(), 4u);
}

}  // namespace
}  // namespace liminal::shards
