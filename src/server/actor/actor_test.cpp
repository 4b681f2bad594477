#include "server/actor/actor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <deque>

#include "io/http/server.hpp"
#include "io/json/fields.hpp"

namespace liminal::actor {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

/// Stands in for Ray's dashboard: it checks token, path and body as Ray Serve's endpoint does, but
/// scales nothing. Answers may be set to come first, one a request.
class FakeRay {
 public:
  FakeRay()
      : server_(*http::Server::start(
            {},
            [this](http::Request request, http::Reply reply) { reply(answer(request)); },
            [](unsigned status, std::string_view, std::string_view) {
              return http::Response{status, {}, {}};
            })) {}

  [[nodiscard]] std::string url() const {
    return "http://127.0.0.1:" + std::to_string(server_->port());
  }
  void answer_first(http::Response response) {
    const std::lock_guard lock(mutex_);
    first_.push_back(std::move(response));
  }
  /// Waits until so many requests were answered.
  std::vector<std::uint32_t> wait_for(std::size_t requests) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return requests_ >= requests; });
    return scaled_;
  }
  [[nodiscard]] std::size_t requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  http::Response answer(const http::Request& request) {
    const std::lock_guard lock(mutex_);
    ++requests_;
    changed_.notify_all();
    if (!first_.empty()) {
      http::Response response = std::move(first_.front());
      first_.pop_front();
      return response;
    }
    if (request.header("Authorization") != "Bearer s3cret") return {401, {}, {}};
    if (request.target != "/api/v1/applications/shop/deployments/Chat/scale") return {404, {}, {}};
    const Result<json::Value> body = json::parse(request.body);
    if (!body || request.method != "POST") return {400, {}, {}};
    Problems problems;
    json::Fields in(*body, "", problems);
    const auto replicas = in.whole("target_num_replicas", json::Need::kRequired, 0);
    in.finish();
    if (!problems.empty()) return {400, {}, {}};
    scaled_.push_back(static_cast<std::uint32_t>(*replicas));
    return {200, {}, R"({"message": "Scaling request received."})"};
  }

  std::mutex mutex_;  // of what follows
  std::condition_variable changed_;
  std::deque<http::Response> first_;
  std::vector<std::uint32_t> scaled_;
  std::size_t requests_ = 0;
  std::unique_ptr<http::Server> server_;
};

class ActorTest : public ::testing::Test {
 protected:
  Target ray_target(traffic::Mode mode) {
    Target target;
    target.service = "chat";
    target.kind = Kind::kRayServe;
    target.url = ray.url();
    target.application = "shop";
    target.deployment = "Chat";
    target.token = "s3cret";
    target.mode = mode;
    return target;
  }
  void start(std::vector<Target> targets, Duration repeat = std::chrono::hours{1}) {
    Options options;
    options.targets = std::move(targets);
    options.interval = options.retry_first = options.retry_max = milliseconds{1};
    options.repeat = repeat;
    options.look = milliseconds{1};
    ASSERT_TRUE(validate(options).empty());
    actor = std::make_unique<Actor>(
        options,
        [this](const std::string& service) -> Result<scaling::Advice> {
          ++looked;
          if (service == "unknown") return failure(ErrorCode::kMissing);
          scaling::Advice advice;
          if (const std::uint32_t count = wanted; count > 0) advice.replicas = count;
          return advice;
        },
        [this](std::string_view action, const std::string& service, std::string detail) {
          const std::lock_guard lock(mutex);
          audit.push_back(std::string(action) + " " + service + " " + detail);
        },
        [] { return SteadyTime{std::chrono::steady_clock::now().time_since_epoch()}; });
    actor->start();
  }
  /// Waits until the advice was looked at that often from now on.
  void wait_for_looks(std::uint64_t count) const {
    const std::uint64_t until = looked + count;
    while (looked < until) std::this_thread::yield();
  }
  Counters counters() const {
    Counters out;
    actor->counters([&](const std::string&, const Counters& counters) { out = counters; });
    return out;
  }
  std::vector<std::string> audited() {
    const std::lock_guard lock(mutex);
    return audit;
  }

  // What the actor's thread touches outlives it.
  FakeRay ray;
  std::atomic<std::uint32_t> wanted{0};
  std::atomic<std::uint64_t> looked{0};
  std::mutex mutex;
  std::vector<std::string> audit;  // under the mutex
  std::unique_ptr<Actor> actor;
};

TEST_F(ActorTest, TellsRayServeWhatChanges) {
  start({ray_target(traffic::Mode::kEnforce)});
  wait_for_looks(3);
  EXPECT_EQ(ray.requests(), 0U) << "there is no advice yet";
  wanted = 3;
  EXPECT_EQ(ray.wait_for(1), std::vector<std::uint32_t>{3});
  wait_for_looks(20);
  EXPECT_EQ(ray.requests(), 1U) << "told once";
  wanted = 5;
  EXPECT_EQ(ray.wait_for(2), (std::vector<std::uint32_t>{3, 5}));
  wait_for_looks(2);
  EXPECT_EQ(counters().done, 2U);
  ASSERT_EQ(audited().size(), 2U);
  EXPECT_EQ(audited()[0],
            "scale chat ray_serve shop/Chat: 3 instances, before: not told; answered 200");
  EXPECT_EQ(audited()[1], "scale chat ray_serve shop/Chat: 5 instances, before: 3; answered 200");
}

TEST_F(ActorTest, DoesNothingInShadowButSayIt) {
  start({ray_target(traffic::Mode::kShadow)});
  wanted = 3;
  wait_for_looks(20);
  EXPECT_EQ(ray.requests(), 0U);
  EXPECT_EQ(counters().shadowed, 1U);
  ASSERT_EQ(audited().size(), 1U);
  EXPECT_EQ(audited()[0], "scale.shadow chat ray_serve shop/Chat: 3 instances, before: not told");
}

TEST_F(ActorTest, OnlyCountsWhenItObserves) {
  start({ray_target(traffic::Mode::kObserve)});
  wanted = 3;
  wait_for_looks(20);
  wanted = 4;
  wait_for_looks(20);
  EXPECT_EQ(ray.requests(), 0U);
  EXPECT_EQ(counters().observed, 2U);
  EXPECT_TRUE(audited().empty());
}

TEST_F(ActorTest, TakesAnotherModeWhileItRuns) {
  start({ray_target(traffic::Mode::kShadow)});
  wanted = 3;
  wait_for_looks(20);
  EXPECT_EQ(ray.requests(), 0U);
  actor->set_mode("another", traffic::Mode::kObserve);
  actor->set_mode("chat", traffic::Mode::kEnforce);
  EXPECT_EQ(ray.wait_for(1), std::vector<std::uint32_t>{3}) << "told anew";
  actor->set_mode("chat", traffic::Mode::kObserve);
  wait_for_looks(3);
  wanted = 4;
  wait_for_looks(20);
  EXPECT_EQ(ray.requests(), 1U);
  EXPECT_EQ(counters().shadowed, 1U);
  EXPECT_EQ(counters().done, 1U);
  EXPECT_EQ(counters().observed, 2U) << "of both numbers";
}

TEST_F(ActorTest, DoesNotAuditWhatItTellsAgain) {
  start({ray_target(traffic::Mode::kEnforce)}, milliseconds{1});
  wanted = 3;
  EXPECT_THAT(ray.wait_for(3), ::testing::Each(3U)) << "again and again";
  EXPECT_EQ(audited().size(), 1U);
}

TEST_F(ActorTest, TriesAgainUntilItIsTaken) {
  ray.answer_first({503, {{"Retry-After", "0"}}, {}});
  ray.answer_first({500, {}, {}});
  ray.answer_first({412, {}, {}});  // the external scaler is not enabled (yet)
  start({ray_target(traffic::Mode::kEnforce)});
  wanted = 3;
  EXPECT_EQ(ray.wait_for(4), std::vector<std::uint32_t>{3});
  wait_for_looks(2);
  EXPECT_EQ(counters().failed, 2U);
  EXPECT_EQ(counters().rejected, 1U);
  EXPECT_EQ(counters().done, 1U);
  const auto lines = audited();
  ASSERT_EQ(lines.size(), 3U) << "the first failure of each kind, and what changed";
  EXPECT_THAT(lines[0], HasSubstr("answered 503"));
  EXPECT_THAT(lines[1], HasSubstr("answered 412"));
  EXPECT_THAT(lines[2], HasSubstr("answered 200"));
}

TEST_F(ActorTest, ADeadTargetDoesNotKeepAnotherFromBeingTold) {
  Target dead = ray_target(traffic::Mode::kEnforce), unknown = dead, good = dead;
  dead.service = "dead";
  dead.url = "http://127.0.0.1:9";  // nobody is at the discard port
  unknown.service = "unknown";
  start({dead, unknown, good});
  wanted = 2;
  EXPECT_EQ(ray.wait_for(1), std::vector<std::uint32_t>{2});
  wait_for_looks(6);
  std::vector<std::string> failing;
  actor->counters([&](const std::string& service, const Counters& counters) {
    if (counters.failed > 0) failing.push_back(service);
  });
  EXPECT_EQ(failing, std::vector<std::string>{"dead"});
}

TEST_F(ActorTest, EndsWhileItWaitsForAnAnswer) {
  std::mutex held_mutex;
  std::condition_variable asked;
  std::vector<http::Reply> held;  // never answered
  const auto silent = http::Server::start(
      {},
      [&](http::Request, http::Reply reply) {
        const std::lock_guard lock(held_mutex);
        held.push_back(std::move(reply));
        asked.notify_all();
      },
      [](unsigned status, std::string_view, std::string_view) {
        return http::Response{status, {}, {}};
      });
  Target target = ray_target(traffic::Mode::kEnforce);
  target.url = "http://127.0.0.1:" + std::to_string((*silent)->port());
  start({target});
  wanted = 1;
  {
    std::unique_lock lock(held_mutex);
    asked.wait(lock, [&] { return !held.empty(); });
  }
  const auto before = std::chrono::steady_clock::now();
  actor.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds{4});
}

}  // namespace
}  // namespace liminal::actor
