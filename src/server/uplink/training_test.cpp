#include "server/uplink/training.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <utility>

namespace liminal::uplink {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

std::string job(const std::string& state,
                const std::string& progress,
                const std::string& result = "null",
                const std::string& problem = "null") {
  return R"({"job_id":"7","state":")" + state + R"(","progress":)" + progress +
         R"(,"leaderboard":[{"recipe":"trees","score":-0.5,"fits":3,"cost_s":1.5,"us_a_row":0,)"
         R"("memory_bytes":0}],"result":)" +
         result + R"(,"problem":)" + problem + "}";
}

/// A cluster that gives answers in turn: what each path still has, the last one for ever.
class TrainThere : public ::testing::Test {
 protected:
  TrainThere() {
    request.model = "churn";
    request.trainer = "ray";
    request.fits_max = 20;
    answers["POST /ml/models/train"] = {{202, job("queued", "0")}};
    answers["GET /ml/models/churn/versions/3/file"] = {{200, "onnx"}};
    answers["GET /ml/models/churn/versions/3/report"] = {{200, R"({"rows":5})"}};
    answers["GET /ml/models/churn"] = {{200, R"({"versions":[{"version":2,"metrics":{"auc":0.5}},
                              {"version":3,"metrics":{"auc":0.9,"odd":null}}]})"}};
  }
  [[nodiscard]] learn::Asked<Trained> train() {
    return train_there(
        request,
        {.ask = [this](const std::string& method, const std::string& target, std::string body)
             -> Result<http::Response> {
           asked.push_back(method + " " + target);
           if (method == "POST") posted = std::move(body);
           auto& left = answers[asked.back()];
           if (left.empty()) return failure(ErrorCode::kUnavailable);
           const auto [status, text] = left.front();
           if (left.size() > 1) left.pop_front();
           if (status == 0) return failure(ErrorCode::kUnavailable);
           return http::Response{.status = status, .headers = {}, .body = text};
         },
         .cancelled = [this] { return cancelled; },
         .tell = [this](double progress,
                        const std::vector<learn::JobLine>&) { told.push_back(progress); },
         .pause = [this] { time += std::chrono::seconds{1}; },
         .now = [this] { return time; },
         .unanswered_max = std::chrono::seconds{2}});
  }

  learn::TrainRequest request;
  std::map<std::string, std::deque<std::pair<unsigned, std::string>>> answers;
  std::vector<std::string> asked;
  std::string posted;
  std::vector<double> told;
  bool cancelled = false;
  SteadyTime time{};
};

TEST_F(TrainThere, FollowsTheJobAndFetchesWhatCameOfIt) {
  answers["GET /ml/jobs/7"] = {
      {200, job("queued", "0")},
      {503, ""},
      {200, job("running", "0.5")},
      {0, ""},
      {200,
       job("succeeded", "1", R"({"version":3,"alias":"champion","reasons":["it is better"]})")}};
  const auto trained = train();
  ASSERT_TRUE(trained) << trained.error().text;
  EXPECT_EQ(trained->file, "onnx");
  EXPECT_EQ(trained->report, R"({"rows":5})");
  EXPECT_TRUE(trained->champion);
  EXPECT_THAT(trained->reasons, ElementsAre("it is better"));
  EXPECT_THAT(trained->metrics, ElementsAre(Pair("auc", .9)));
  ASSERT_EQ(trained->leaderboard.size(), 1U);
  EXPECT_EQ(trained->leaderboard[0].score, -.5);
  EXPECT_THAT(told, ElementsAre(0, .5));
  EXPECT_THAT(posted, HasSubstr(R"("model_name":"churn")"));
  EXPECT_THAT(posted, HasSubstr(R"("trainer":"ray")"));
  EXPECT_THAT(posted, HasSubstr(R"("fits_max":20)"));
}

TEST_F(TrainThere, SaysWhatTheClusterSays) {
  answers["GET /ml/jobs/7"] = {{200, job("failed", "0.2", "null", R"("too few rows")")}};
  EXPECT_THAT(train().error().text, HasSubstr("failed it: too few rows"));
  answers["POST /ml/models/train"] = {
      {422, R"({"detail":"invalid","errors":[{"path":"file","detail":"is no file"}]})"}};
  EXPECT_EQ(train().error().text, "the cluster answered 422: invalid; file: is no file");
  answers["POST /ml/models/train"] = {{0, ""}};
  EXPECT_EQ(train().error().text, "the cluster gives no answer: does not answer");
}

TEST_F(TrainThere, GivesUpWhenNobodyAnswersOrWhatComesMakesNoSense) {
  answers["GET /ml/jobs/7"] = {{200, job("running", "0.5")}, {503, ""}};
  EXPECT_EQ(train().error().text, "the cluster answers no more");
  EXPECT_EQ(asked.size(), 5U) << "the job, a look at it, and three for two seconds";
  for (const std::string& nonsense : {std::string("x"), job("running", "2"), job("odd", "0")}) {
    answers["GET /ml/jobs/7"] = {{200, nonsense}};
    EXPECT_THAT(train().error().text, HasSubstr("makes no sense")) << nonsense;
  }
  answers["POST /ml/models/train"] = {{202, "{}"}};
  EXPECT_EQ(train().error().text, "the cluster names no job");
}

TEST_F(TrainThere, AsksAgainForWhatCameOfIt) {
  answers["GET /ml/jobs/7"] = {{200, job("succeeded", "1", R"({"version":3,"reasons":[]})")}};
  answers["GET /ml/models/churn/versions/3/file"] = {{503, ""}, {0, ""}, {200, "onnx"}};
  answers["GET /ml/models/churn"].push_front({502, ""});
  const auto trained = train();
  ASSERT_TRUE(trained) << trained.error().text;
  EXPECT_EQ(trained->file, "onnx");
  EXPECT_THAT(trained->metrics, ElementsAre(Pair("auc", .9)));

  answers["GET /ml/models/churn/versions/3/report"] = {{503, ""}};
  EXPECT_THAT(train().error().text, HasSubstr("versions/3/report answered 503"));
  answers["GET /ml/models/churn/versions/3/file"] = {{404, ""}};
  asked.clear();
  EXPECT_THAT(train().error().text, HasSubstr("versions/3/file answered 404"));
  EXPECT_EQ(asked.size(), 3U) << "a refusal is an answer";
}

TEST_F(TrainThere, IsCancelledThereToo) {
  answers["GET /ml/jobs/7"] = {{200, job("running", "0.5")}};
  answers["DELETE /ml/jobs/7"] = {{200, "{}"}};
  cancelled = true;
  EXPECT_FALSE(train());
  EXPECT_EQ(asked.back(), "DELETE /ml/jobs/7");
  answers["GET /ml/jobs/7"] = {{0, ""}};
  asked.clear();
  EXPECT_THAT(train().error().text, HasSubstr("was told to end it"));
  EXPECT_THAT(asked, ElementsAre("POST /ml/models/train", "GET /ml/jobs/7", "DELETE /ml/jobs/7"));
}

}  // namespace
}  // namespace liminal::uplink
