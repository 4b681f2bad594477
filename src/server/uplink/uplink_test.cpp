#include "server/uplink/uplink.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>

#include "io/http/server.hpp"

namespace liminal::uplink {
namespace {

using std::chrono::milliseconds;

/// Nothing is waited for longer than this; nothing but a failure takes as long.
constexpr std::chrono::seconds kPatience{20};

/// A cluster's API, as far as a gateway asks it: over real HTTP, refusing what it is told to.
class FakeCluster {
 public:
  FakeCluster() {
    server_ = std::move(*http::Server::start(
        {},
        [this](const http::Request& request, const http::Reply& reply) { reply(answer(request)); },
        [](unsigned status, std::string_view, std::string_view) {
          return http::Response{status, {}, {}};
        }));
  }
  [[nodiscard]] std::string url() const {
    return "http://127.0.0.1:" + std::to_string(server_->port());
  }
  void fail(std::initializer_list<unsigned> statuses) {
    const std::lock_guard lock(mutex_);
    first_.insert(first_.end(), statuses.begin(), statuses.end());
  }
  void set_models(std::string models, std::string file) {
    const std::lock_guard lock(mutex_);
    models_ = std::move(models);
    file_ = std::move(file);
  }
  void set_limits(std::string limits) {
    const std::lock_guard lock(mutex_);
    limits_ = std::move(limits);
  }
  void refuse_what_has(std::string text) {
    const std::lock_guard lock(mutex_);
    unreadable_ = std::move(text);
  }
  void set_words(std::string words) {
    const std::lock_guard lock(mutex_);
    words_ = std::move(words);
  }
  void answer_alerts_with(unsigned status) {
    const std::lock_guard lock(mutex_);
    alerts_status_ = status;
  }
  std::size_t limits_asked() {
    const std::lock_guard lock(mutex_);
    return limits_asked_;
  }
  std::vector<http::Request> posted() {
    const std::lock_guard lock(mutex_);
    return posted_;
  }
  std::size_t files_asked() {
    const std::lock_guard lock(mutex_);
    return files_asked_;
  }

 private:
  http::Response answer(const http::Request& request) {
    const std::lock_guard lock(mutex_);
    if (request.header("Authorization") != "Bearer s3cret") return {401, {}, {}};
    if (!first_.empty()) {
      const unsigned status = first_.front();
      first_.pop_front();
      return {status, {}, {}};
    }
    if (request.method == "POST") {
      if (request.target == "/ml/anomalies/recent" && alerts_status_ != 200)
        return {alerts_status_, {}, {}};
      if (!unreadable_.empty() && request.body.find(unreadable_) != std::string::npos)
        return {422, {}, {}};
      posted_.push_back(request);
      return {200, {}, "{}"};
    }
    if (request.target == "/ml/models") return {200, {}, models_};
    if (request.target == "/ml/limits?limit=10000") {
      ++limits_asked_;
      return {200, {}, limits_};
    }
    if (request.target == "/ml/anomalies/feedback?limit=1000&gateway=gate")
      return {200, {}, words_};
    if (request.target != "/ml/models/a/versions/2/file") return {404, {}, {}};
    ++files_asked_;
    return {200, {}, file_};
  }

  std::mutex mutex_;  // of what follows
  std::deque<unsigned> first_;
  std::vector<http::Request> posted_;
  std::size_t files_asked_ = 0, limits_asked_ = 0;
  unsigned alerts_status_ = 200;
  std::string unreadable_;
  std::string words_ = R"({"feedback":[],"count":0})";
  std::string models_ = R"({"models":[]})", file_, limits_ = "few";
  std::unique_ptr<http::Server> server_;
};

class UplinkTest : public ::testing::Test {
 protected:
  std::unique_ptr<Uplink> uplink(std::string url, std::string token = "s3cret") {
    Options options;
    options.url = std::move(url);
    options.token = std::move(token);
    options.name = "gate";
    options.send = options.poll = options.retry_first = options.retry_max = milliseconds{1};
    options.rows_max = 10;
    EXPECT_TRUE(validate(options).empty());
    Uplink::Ports ports;
    ports.wants = [this](const Champion& champion) {
      const std::lock_guard lock(mutex);
      return champion.sha256 != held;
    };
    ports.take = [this](const Champion& champion,
                        const std::string& file) -> std::optional<std::string> {
      const std::lock_guard lock(mutex);
      if (file == "bad") return "no model";
      held = champion.sha256;
      return std::nullopt;
    };
    if (wants_limits)
      ports.limits = [this](const std::string& answer) -> std::optional<std::string> {
        const std::lock_guard lock(mutex);
        limits.push_back(answer);
        if (answer == "bad") return "no limits";
        return std::nullopt;
      };
    // A keeper of words that were said, numbered from 1.
    ports.said = [this](std::size_t count_max) {
      const std::lock_guard lock(mutex);
      Said found;
      found.waiting = words - heard;
      for (std::uint64_t number = heard + 1; number <= words && found.words.size() < count_max;
           ++number) {
        traffic::JudgedAlert word;
        word.alert.number = number;
        word.alert.user = "ann";
        word.alert.count = 1;
        word.alert.feedback = traffic::FeedbackVerdict::kTruePositive;
        found.words.push_back(word);
        found.last = number;
      }
      return found;
    };
    ports.heard = [this](std::uint64_t last) {
      const std::lock_guard lock(mutex);
      heard = last;
    };
    ports.hear = [this](const traffic::JudgedAlert& word) {
      const std::lock_guard lock(mutex);
      told.push_back(traffic::alert_id(word.alert) + " " +
                     std::string(traffic::name(word.alert.feedback)));
    };
    ports.note = [this](std::string_view what, const std::string& detail) {
      const std::lock_guard lock(mutex);
      notes.push_back(std::string(what) + " " + detail);
    };
    auto made = std::make_unique<Uplink>(
        options,
        ports,
        [] { return SteadyTime{std::chrono::steady_clock::now().time_since_epoch()}; },
        7);
    made->start();
    return made;
  }
  template <class Condition>
  static bool wait_until(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::yield();
    }
    return true;
  }
  std::size_t noted(const std::string& what) {
    const std::lock_guard lock(mutex);
    return static_cast<std::size_t>(
        std::count_if(notes.begin(), notes.end(), [&](const std::string& note) {
          return note.starts_with(what);
        }));
  }

  std::mutex mutex;  // of what follows
  std::string held;
  std::vector<std::string> notes, limits, told;
  std::uint64_t words = 0, heard = 0;
  bool wants_limits = false;
  FakeCluster cluster;
};

TEST_F(UplinkTest, SendsRowsOnceThoughTheClusterFailsAtFirst) {
  cluster.fail({503, 429, 500});
  const auto link = uplink(cluster.url());
  link->push({{"ann", "", SteadyTime{}, {}}, {"bob", "", SteadyTime{}, {}}});
  ASSERT_TRUE(wait_until([&] { return link->state().rows.sent == 2; }));
  const auto posted = cluster.posted();
  ASSERT_EQ(posted.size(), 1U);
  EXPECT_EQ(posted[0].target, "/ml/features/recent");
  EXPECT_TRUE(posted[0].header("Idempotency-Key"));
  EXPECT_TRUE(link->state().up);
  EXPECT_GE(noted("cluster.away"), 1U);
  EXPECT_GE(noted("cluster.up"), 1U);
}

TEST_F(UplinkTest, DropsTheOldestWhileNobodyAnswers) {
  const auto link = uplink("http://127.0.0.1:1");
  ASSERT_TRUE(wait_until([&] { return noted("cluster.away") == 1; }));
  for (int i = 0; i < 100; ++i) link->push({{"ann", "", SteadyTime{}, {}}});
  const State state = link->state();
  EXPECT_FALSE(state.up);
  EXPECT_FALSE(state.trouble.empty());
  EXPECT_LE(state.rows.waiting, 20U);  // one parcel may be under way
  EXPECT_GE(state.rows.dropped, 80U);
  EXPECT_EQ(state.rows.sent, 0U);
}

TEST_F(UplinkTest, SendsAlertsAndWhatWasSaidOfThem) {
  words = 250;
  const auto link = uplink(cluster.url());
  traffic::Alert alert;
  alert.number = 7;
  alert.user = "ann";
  link->push(alert);
  ASSERT_TRUE(wait_until([&] { return link->state().alerts.sent == 1; }));
  ASSERT_TRUE(wait_until([&] { return link->state().feedback.sent == 250; }));
  ASSERT_TRUE(wait_until([&] { return link->state().feedback.waiting == 0; }));
  const std::lock_guard lock(mutex);
  EXPECT_EQ(heard, 250U);
}

TEST_F(UplinkTest, KeepsWhatWasSaidUntilTheClusterHeardIt) {
  words = 1;
  for (const unsigned status : {401U, 404U}) {
    cluster.answer_alerts_with(status);
    const auto link = uplink(cluster.url());
    link->push({{"ann", "", SteadyTime{}, {}}});
    ASSERT_TRUE(wait_until([&] { return link->state().rows.sent == 1; })) << status;
    EXPECT_EQ(link->state().feedback.rejected, 0U) << status;
  }
  cluster.answer_alerts_with(503);
  {
    const auto link = uplink(cluster.url());
    ASSERT_TRUE(wait_until([&] { return noted("cluster.away") > 0; }));
    EXPECT_EQ(link->state().feedback.waiting, 1U);
  }
  {
    const std::lock_guard lock(mutex);
    EXPECT_EQ(heard, 0U);
  }
  cluster.answer_alerts_with(200);
  const auto link = uplink(cluster.url());
  ASSERT_TRUE(wait_until([&] { return link->state().feedback.sent == 1; }));
}

TEST_F(UplinkTest, LosesOfManyWordsOnlyTheOneThatCannotBeRead) {
  words = 250;
  cluster.refuse_what_has(R"("id":"0-77")");
  const auto link = uplink(cluster.url());
  ASSERT_TRUE(wait_until([&] { return link->state().feedback.sent == 249; }));
  EXPECT_EQ(link->state().feedback.rejected, 1U);
  const std::lock_guard lock(mutex);
  EXPECT_EQ(heard, 250U);
}

TEST_F(UplinkTest, HearsWhatWasSaidAtTheClusterTheFirstFirst) {
  const auto word = [](const std::string& id) {
    return R"({"id":")" + id +
           R"(","first_seen":"2027-01-15T08:00:00.000Z","verdict":"expected",)"
           R"("time":"2027-01-15T08:00:01.000Z","note":""})";
  };
  cluster.set_words(R"({"feedback":[)" + word("3-2") + "," + word("17-42") + R"(],"count":2})");
  const auto link = uplink(cluster.url());
  ASSERT_TRUE(wait_until([&] {
    const std::lock_guard lock(mutex);
    return told.size() >= 2;
  }));
  cluster.set_words("[]");
  ASSERT_TRUE(wait_until([&] { return noted("cluster.refused /ml/anomalies/feedback") > 0; }));
  const std::lock_guard lock(mutex);
  EXPECT_EQ(told[0], "17-42 expected");
  EXPECT_EQ(told[1], "3-2 expected");
}

TEST_F(UplinkTest, GoesOnAfterWordsThatTheClusterCannotTake) {
  words = 1;
  cluster.answer_alerts_with(422);
  const auto link = uplink(cluster.url());
  ASSERT_TRUE(wait_until([&] { return link->state().feedback.rejected == 1; }));
  cluster.answer_alerts_with(200);
  {
    const std::lock_guard lock(mutex);
    words = 2;
  }
  ASSERT_TRUE(wait_until([&] { return link->state().feedback.sent == 1; }));
}

TEST_F(UplinkTest, TakesANewChampionOverOnce) {
  cluster.set_models(
      R"({"models":[{"name":"a","champion":2,"versions":[{"version":2,"onnx_sha256":"bb"}]}]})",
      "good");
  const auto link = uplink(cluster.url());
  ASSERT_TRUE(wait_until([&] { return link->state().champions == 1; }));
  link->push({{"ann", "", SteadyTime{}, {}}});
  ASSERT_TRUE(wait_until([&] { return link->state().rows.sent == 1; }));
  EXPECT_EQ(noted("cluster.champion a version 2"), 1U);
  EXPECT_EQ(cluster.files_asked(), 1U);
}

TEST_F(UplinkTest, SaysOnceThatAChampionIsRefused) {
  cluster.set_models(
      R"({"models":[{"name":"a","champion":2,"versions":[{"version":2,"onnx_sha256":"bb"}]}]})",
      "bad");
  const auto link = uplink(cluster.url());
  ASSERT_TRUE(wait_until([&] { return noted("cluster.champion_refused") == 1; }));
  link->push({{"ann", "", SteadyTime{}, {}}});
  ASSERT_TRUE(wait_until([&] { return link->state().rows.sent == 1; }));
  EXPECT_EQ(cluster.files_asked(), 1U);
  EXPECT_EQ(link->state().champions, 0U);
}

TEST_F(UplinkTest, GivesTheLimitsOfTheClusterToWhoWantsThem) {
  wants_limits = true;
  const auto link = uplink(cluster.url());
  const auto given = [&](const std::string& wanted) {
    const std::lock_guard lock(mutex);
    return !limits.empty() && limits.back() == wanted;
  };
  ASSERT_TRUE(wait_until([&] { return given("few"); }));
  cluster.set_limits("bad");
  ASSERT_TRUE(wait_until([&] { return noted("cluster.limits_refused no limits") == 1; }));
  const std::size_t asked = cluster.limits_asked();
  ASSERT_TRUE(wait_until([&] { return cluster.limits_asked() > asked + 2; }));
  EXPECT_EQ(noted("cluster.limits_refused"), 1U);
  cluster.set_limits("many");
  ASSERT_TRUE(wait_until([&] { return given("many"); }));
}

TEST_F(UplinkTest, DoesNotAskForLimitsThatNobodyWants) {
  const auto link = uplink(cluster.url());
  link->push({{"ann", "", SteadyTime{}, {}}});
  ASSERT_TRUE(wait_until([&] { return link->state().rows.sent == 1; }));
  EXPECT_EQ(cluster.limits_asked(), 0U);
}

TEST_F(UplinkTest, CountsWhatTheClusterRefuses) {
  const auto link = uplink(cluster.url(), "another");
  link->push({{"ann", "", SteadyTime{}, {}}});
  ASSERT_TRUE(wait_until([&] { return link->state().rows.rejected == 1; }));
  EXPECT_GE(noted("cluster.refused /ml/features/recent: answered 401"), 1U);
}

}  // namespace
}  // namespace liminal::uplink
