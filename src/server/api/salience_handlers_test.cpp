#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/salience/alert.hpp"
#include "server/api/testing.hpp"

namespace liminal::api {
namespace {

using nlohmann::json;
using testing::answer_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::request;

/// Two incidents, and a history of one type.
class FakeSalience final : public SaliencePort {
 public:
  using SaliencePort::judge;
  salience::Judgement judge(const traffic::Alert& alert) const override {
    salience::Judgement one = SaliencePort::judge(alert);
    one.history = alert.number == 42 ? 3 : -3;
    one.history_weight = 1;
    return one;
  }
  std::vector<salience::Incident> incidents(const salience::IncidentQuery& query,
                                            SteadyTime now) const override {
    salience::Incidents incidents;
    incidents.add(
        {traffic::alert_key(ShardId{17}, 42), "message_flood", "ann", SteadyTime{}, 1, 2});
    return incidents.present(query, now);
  }
  bool later(std::function<void()> task) override {
    ++laters;
    if (refuse) return false;
    task();
    return true;
  }
  int laters = 0;
  bool refuse = false;
};

class SalienceHandlers : public ::testing::Test {
 protected:
  SalienceHandlers() { service.attach(port); }

  http::Response ask(std::string_view method,
                     std::string_view target,
                     std::string_view body = {},
                     bool takes_pieces = false) {
    http::Request asked = request(method, target, body);
    asked.takes_pieces = takes_pieces;
    return answer_of(service, std::move(asked));
  }
  json good(std::string_view method, std::string_view target, std::string_view body = {}) {
    const http::Response response = ask(method, target, body);
    EXPECT_EQ(response.status, 200u) << response.body;
    return json::parse(response.body);
  }

  FakeBackend backend;
  FakeSalience port;
  Service service{Options{}, backend};
};

TEST_F(SalienceHandlers, AnswerTheInterfacesExample) {
  const json answer = good("POST",
                           "/salience",
                           R"({"features":[{"type":"system_event","severity":"high",
      "frequency":0.8},{"type":"user_interaction","engagement":0.6,"duration":120}]})");
  EXPECT_NEAR(answer["scores"][0].get<double>(), .537, 5e-4);
  EXPECT_NEAR(answer["scores"][1].get<double>(), .258, 5e-4);
  EXPECT_EQ(answer["ranking"], json::array({0, 1}));
  EXPECT_EQ(answer["explanations"][0].size(), 3u);
  EXPECT_EQ(answer["ignored"], json::array());
  EXPECT_EQ(answer["version"], "1");
}

TEST_F(SalienceHandlers, RankBestFirstAndNameWhatIsIgnored) {
  const json answer = good(
      "POST", "/salience", R"({"features":[{"severity":"low","mood":1},{"severity":"fatal"},{}]})");
  EXPECT_EQ(answer["ranking"], json::array({1, 2, 0}));
  EXPECT_EQ(answer["ignored"], json::array({"mood"}));
  EXPECT_EQ(good("POST", "/salience", R"({"features":[]})")["scores"], json::array());
}

TEST_F(SalienceHandlers, NameTheFieldThatIsWrong) {
  for (const auto& [body, field] :
       {std::pair{R"({"features":[{},{"duration":-5}]})", "features[1].duration"},
        std::pair{R"({"features":[{"value":"much"}]})", "features[0].value"},
        std::pair{R"({"features":[{"value":1e300}]})", "features[0].value"},
        std::pair{R"({"features":[7]})", "features[0]"},
        std::pair{R"({"features":7})", "features"},
        std::pair{R"({})", "features"},
        std::pair{R"({"features":[],"more":1})", "more"}}) {
    const http::Response response = ask("POST", "/salience", body);
    EXPECT_EQ(response.status, 422u) << body;
    EXPECT_EQ(json::parse(response.body)["errors"][0]["path"], field);
  }
  EXPECT_EQ(ask("POST", "/salience", R"({"features":[{"value":NaN}]})").status, 400u);
}

TEST_F(SalienceHandlers, WorkOnManyEventsElsewhere) {
  const auto body = [](int count) {
    json features = json::array();
    for (int i = 0; i < count; ++i) features.push_back({{"severity", "low"}, {"value", i % 2}});
    return json{{"features", features}}.dump();
  };
  EXPECT_EQ(good("POST", "/salience", body(10'000))["scores"].size(), 10'000u);
  EXPECT_EQ(port.laters, 1);
  EXPECT_EQ(ask("POST", "/salience", body(10'001)).status, 422u);
  port.refuse = true;
  EXPECT_EQ(ask("POST", "/salience", body(10'000)).status, 503u);
  EXPECT_EQ(ask("POST", "/salience", body(10)).status, 200u);
}

TEST_F(SalienceHandlers, ExplainManyEventsPieceByPiece) {
  json features = json::array();
  for (int i = 0; i < 10'000; ++i) features.push_back({{"severity", "low"}, {"value", i % 7}});
  const std::string body = json{{"features", features}}.dump();
  const http::Response begun = ask("POST", "/salience", body, true);
  ASSERT_TRUE(begun.rest);
  std::string text = begun.body;
  std::size_t pieces = 0;
  for (auto then = http::Piece::Then::kMore; then == http::Piece::Then::kMore; ++pieces) {
    begun.rest([&](http::Piece piece) {
      text += piece.bytes;
      then = piece.then;
      EXPECT_NE(then, http::Piece::Then::kBroken);
      EXPECT_LT(piece.bytes.size(), 80u * 1024);
    });
  }
  EXPECT_GT(pieces, 10u);
  EXPECT_TRUE(text == ask("POST", "/salience", body).body);
}

TEST_F(SalienceHandlers, ListIncidents) {
  const json all = good("GET", "/ml/incidents");
  ASSERT_EQ(all["count"], 2);
  EXPECT_EQ(all["incidents"][0]["id"], "global-1");
  EXPECT_EQ(all["incidents"][0]["alerts"], json::array({"17-42"}));
  EXPECT_EQ(all["incidents"][0]["gateways"], json::array({"north"}));
  EXPECT_EQ(all["incidents"][1]["entities"], json::array({"ann"}));
  EXPECT_EQ(good("GET", "/ml/incidents?scope=user&limit=1")["incidents"][0]["id"], "user-1");
  EXPECT_EQ(ask("GET", "/ml/incidents?scope=host").status, 422u);
}

TEST_F(SalienceHandlers, ListIncidentsByStatusAndTime) {
  const json one = good("GET", "/ml/incidents?status=ended&limit=1")["incidents"][0];
  EXPECT_EQ(one["status"], "ended") << "it was in 1970";
  EXPECT_EQ(one["dismissed"], 0);
  EXPECT_LT(one["salience_now"].get<double>(), one["salience"].get<double>());
  EXPECT_EQ(good("GET", "/ml/incidents?status=open")["count"], 0);
  EXPECT_EQ(good("GET", "/ml/incidents?since=0")["count"], 2);
  EXPECT_EQ(good("GET", "/ml/incidents?since=1970-01-01T00:00:01Z")["count"], 0);
  for (const char* wrong : {"status=resolved", "since=x", "since=-1"})
    EXPECT_EQ(ask("GET", std::string("/ml/incidents?") + wrong).status, 422u) << wrong;
}

TEST_F(SalienceHandlers, GiveAlertsAndUsersTheirSalience) {
  const json recent = good("GET", "/ml/anomalies/recent?order=salience");
  EXPECT_GT(recent["alerts"][0]["salience"].get<double>(), .9);
  EXPECT_TRUE(good("GET", "/ml/anomalies/17-42")["salience"].is_number());
  EXPECT_TRUE(good("GET", "/ml/users/ann")["alerts"][0]["salience"].is_number());
  for (const char* order : {"activity", "growth", "salience"})
    EXPECT_TRUE(
        good("GET", std::string("/ml/users?order=") + order)["users"][0]["salience"].is_number());
}

}  // namespace
}  // namespace liminal::api
