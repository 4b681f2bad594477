#include "server/api/service.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include "io/json/told_alert.hpp"
#include "server/api/testing.hpp"

namespace liminal::api {
namespace {

using namespace std::chrono_literals;
using testing::answer_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::request;
using testing::ServiceTest;
using ::testing::StartsWith;

TEST_F(ServiceTest, TellsItsStatus) {
  const auto response = ask("GET", "/ml/status");
  EXPECT_EQ(response.status, 200U);
  EXPECT_THAT(response.body,
              StartsWith(R"({"version":"1.2.3","uptime_s":12.5,"time":"2027-01-15T08:00:00.000Z",)"
                         R"("mode":"shadow","shards":64,"threads":2,)"));
  EXPECT_THAT(
      response.body,
      HasSubstr(
          R"("feature_extractor":{"active_users":1,"users_remembered":3,"buffer_size":1000,)"
          R"("buffered":1},)"
          R"("anomaly_detector":{"open_alerts":1,"rules":8,"baselines":1},)"
          R"("model_manager":{"models":[],"jobs":0,"load_prediction":null},)"
          R"("upstreams":[{"url":"ws://chat-1:9000","up":true,"connections":1,"draining":false}],)"
          R"("traffic":{"connections":1,"events_total":0,"events_per_second":2.5}})"));
}

TEST_F(ServiceTest, TellsWhichLoadIsExpected) {
  backend.load = learn::LoadForecast{2.5, 1., std::nullopt, 4, SteadyTime{FakeBackend::kNow}};
  EXPECT_THAT(ask("GET", "/ml/status").body,
              HasSubstr(R"("load_prediction":{"messages_per_second":2.5,"low":1,"high":null,)"
                        R"("version":4,"time":"2027-01-15T08:00:00.000Z"}})"));
}

TEST_F(ServiceTest, TellsOfTheClusterThatItSendsTo) {
  backend.cluster = ClusterStatus{
      "http://ray:8000", false, "away", {3, 2, 1, 0}, {}, {1, 5, 0, 0}, {2, 0, 0, 0}, 4};
  EXPECT_THAT(ask("GET", "/ml/status").body,
              HasSubstr(R"("cluster":{"url":"http://ray:8000","up":false,"trouble":"away",)"
                        R"("rows":{"waiting":3,"sent":2,"dropped":1,"rejected":0},)"
                        R"("metrics":{"waiting":0,"sent":0,"dropped":0,"rejected":0},)"
                        R"("alerts":{"waiting":1,"sent":5,"dropped":0,"rejected":0},)"
                        R"("feedback":{"waiting":2,"sent":0,"dropped":0,"rejected":0},)"
                        R"("champions":4},"traffic")"));
}

TEST_F(ServiceTest, TakesRowsAsItListsThem) {
  const std::vector<http::Header> json{{"Content-Type", "application/json"}};
  std::string list = ask("GET", "/ml/features/recent").body;
  list.resize(list.find(R"(,"count")"));
  const auto taken = ask("POST", "/ml/features/recent", list + "}", json);
  EXPECT_EQ(taken.status, 200U) << taken.body;
  EXPECT_EQ(taken.body, R"({"accepted":2})");
  ASSERT_EQ(backend.taken_rows.size(), 2U);
  EXPECT_EQ(backend.taken_rows[0].user, "ann");
  EXPECT_EQ(backend.taken_rows[0].address, "10.0.0.1");
  EXPECT_EQ(backend.taken_rows[0].features, backend.flood.features);
  EXPECT_EQ(backend.taken_rows[1].address, "");
  EXPECT_THAT(errors(ask("POST", "/ml/features/recent", R"({"features":[]})", json)),
              ElementsAre(StartsWith("features: ")));
  const auto wrong = errors(
      ask("POST", "/ml/features/recent", R"({"features":[{"user_id":"x","error_rate":2}]})", json));
  EXPECT_THAT(wrong, ::testing::Contains(StartsWith("features[0].error_rate: ")));
  EXPECT_THAT(wrong, ::testing::Contains(StartsWith("features[0].timestamp: ")));
  EXPECT_EQ(backend.taken_rows.size(), 2U);
}

TEST_F(ServiceTest, TakesAlertsThatAGatewayTellsOf) {
  const std::vector<http::Header> as_json{{"Content-Type", "application/json"}};
  const auto told = [](const std::string& gateway) {
    json::Writer out;
    out.begin_object();
    out.field("gateway", gateway);
    out.key("alerts");
    out.begin_array();
    traffic::JudgedAlert one{FakeBackend().flood, SteadyTime{FakeBackend::kNow}, "known"};
    one.alert.feedback = traffic::FeedbackVerdict::kExpected;
    json::write(one, out);
    out.end_array();
    out.end_object();
    return out.take();
  };
  const auto taken = ask("POST", "/ml/anomalies/recent", told("north"), as_json);
  EXPECT_EQ(taken.status, 200U) << taken.body;
  EXPECT_EQ(taken.body, R"({"accepted":1})");
  ASSERT_EQ(backend.taken_alerts.size(), 1U);
  const traffic::JudgedAlert& one = backend.taken_alerts[0];
  EXPECT_EQ(one.alert.origin, (traffic::Alert::Origin{"north", ShardId{17}, 42}));
  EXPECT_EQ(one.alert.feedback, traffic::FeedbackVerdict::kExpected);
  EXPECT_EQ(one.note, "known");
  EXPECT_EQ(
      ask("GET", "/ml/anomalies/feedback?gateway=north").body,
      R"({"feedback":[{"id":"17-42","first_seen":"2027-01-15T08:00:00.000Z",)"
      R"("verdict":"expected","time":"2027-01-15T08:00:00.000Z","note":"known"}],"count":1})");
  EXPECT_EQ(ask("GET", "/ml/anomalies/feedback?gateway=south").body,
            R"({"feedback":[],"count":0})");
  EXPECT_THAT(errors(ask("GET", "/ml/anomalies/feedback")), ElementsAre("gateway: is missing"));
  EXPECT_THAT(errors(ask("POST", "/ml/anomalies/recent", told(""), as_json)),
              ElementsAre(StartsWith("gateway: ")));
  EXPECT_THAT(
      errors(ask("POST", "/ml/anomalies/recent", R"({"gateway":"north","alerts":[]})", as_json)),
      ElementsAre(StartsWith("alerts: ")));
  EXPECT_THAT(errors(ask("POST",
                         "/ml/anomalies/recent",
                         R"({"gateway":"north","alerts":[{"id":"64-1"}]})",
                         as_json)),
              ::testing::Contains(StartsWith("alerts[0].id: ")));
  EXPECT_EQ(backend.taken_alerts.size(), 1U);
}

TEST_F(ServiceTest, TakesGoodLinesEvenIfOthersAreBad) {
  const auto response = ask("POST",
                            "/ml/events",
                            "{\"user_id\":\"ann\",\"kind\":\"message\"}\n"
                            "{\"user_id\":\"ann\",\"kind\":\"shout\"}\n"
                            "{\"t\":1,\"user\":\"bob\",\"kind\":\"join\",\"ip\":\"10.0.0.2\"}\n",
                            {{"Content-Type", "application/x-ndjson"}});
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(
      response.body,
      R"({"accepted":2,"rejected":[{"line":2,"reason":"kind: must be message, error, )"
      R"(connect (join), disconnect (part), subscribe or rate_limited"}],"rejected_count":1})");
  ASSERT_EQ(backend.events.size(), 2U);
  EXPECT_EQ(backend.events[0].view().time, EventTime{FakeBackend::kNow});
  EXPECT_EQ(backend.events[1].view().user.text, "bob");
  EXPECT_TRUE(backend.events[1].view().reported);
}

TEST_F(ServiceTest, SaysWhyABodyHoldsNoEvent) {
  const auto wrong = ask("POST", "/ml/events", R"([{"user_id":"ann"}])");
  EXPECT_EQ(wrong.status, 422U);
  EXPECT_THAT(wrong.body, HasSubstr(R"("rejected":[{"line":1,"reason":"kind: is missing"}])"));
  EXPECT_EQ(ask("POST", "/ml/events", "nonsense").status, 400U);
  EXPECT_EQ(ask("POST", "/ml/events", "[{]").status, 400U);
  EXPECT_EQ(ask("POST", "/ml/events", "\n").status, 400U);
  EXPECT_EQ(ask("POST", "/ml/events", "{}", {{"Content-Type", "text/csv"}}).status, 415U);
  const auto packed = ask("POST", "/ml/events", "\x1f\x8b", {{"Content-Encoding", "gzip"}});
  EXPECT_EQ(packed.status, 415U);
  EXPECT_EQ(packed.header("Accept-Encoding"), "identity");
  EXPECT_TRUE(backend.events.empty());
  EXPECT_EQ(service.own_metrics().value(prometheus::Family::kEventsRejected), 2);
}

TEST_F(ServiceTest, WhatIsRefusedBeforeItIsRoutedCarriesTheRequestsIdToo) {
  const http::Response named = Service::error_page(413, "too large", "mine-7");
  EXPECT_EQ(named.status, 413U);
  EXPECT_EQ(named.header("X-Request-Id"), "mine-7");
  for (const char* none : {"", "two words"}) {
    const http::Response first = Service::error_page(400, "no request", none);
    const http::Response second = Service::error_page(400, "no request", none);
    EXPECT_EQ(first.header("X-Request-Id").value_or("").size(), 16U);
    EXPECT_NE(first.header("X-Request-Id"), second.header("X-Request-Id"));
  }
}

TEST_F(ServiceTest, ListsFeatureRows) {
  EXPECT_THAT(ask("GET", "/ml/features/recent").body,
              ::testing::EndsWith(R"(],"count":2,"limit":100})"));
  EXPECT_THAT(ask("GET", "/ml/features/recent?limit=1").body,
              ::testing::EndsWith(R"(],"count":1,"limit":1})"));
  EXPECT_EQ(ask("GET", "/ml/features/recent?user_id=nobody&limit=10000").body,
            R"({"features":[],"count":0,"limit":10000})");
  EXPECT_THAT(
      errors(ask("GET", "/ml/features/recent?limit=0&user=ann")),
      ElementsAre("limit: must be a whole number from 1 to 10000", "user: unknown parameter"));
  EXPECT_EQ(ask("GET", "/ml/features/recent?limit=10001").status, 422U);
}

TEST_F(ServiceTest, TellsWhatGoesOnAmongAllUsers) {
  EXPECT_EQ(ask("GET", "/ml/crowd?limit=1").body,
            R"({"active_users":2,"messages_per_minute":12.5,"connections_per_minute":30,)"
            R"("address_entropy_bits":0,)"
            R"("addresses":[{"ip_address":"10.0.0.2","users":3,"connections_per_minute":2}],)"
            R"("connecting_addresses":[)"
            R"({"ip_address":"10.0.0.1","users":1,"connections_per_minute":28}],)"
            R"("channels":[{"channel":"general","messages_per_minute":12,"error_per_minute":0}],)"
            R"("limit":1})");
  EXPECT_THAT(errors(ask("GET", "/ml/crowd?limit=0")),
              ElementsAre("limit: must be a whole number from 1 to 1000"));
}

TEST_F(ServiceTest, CleansUp) {
  EXPECT_EQ(ask("DELETE", "/ml/features/cleanup").body,
            R"({"removed_users":0,"remaining_users":1,"removed_rows":7,"max_age_hours":24})");
  EXPECT_EQ(ask("DELETE", "/ml/features/cleanup?max_age_hours=0").body,
            R"({"removed_users":1,"remaining_users":1,"removed_rows":7,"max_age_hours":0})");
  EXPECT_THAT(errors(ask("DELETE", "/ml/features/cleanup?max_age_hours=-1")),
              ElementsAre("max_age_hours: must be a number from 0 to 87600"));
}

TEST_F(ServiceTest, ListsAlertsFromASeverityOn) {
  EXPECT_THAT(ask("GET", "/ml/anomalies/recent").body,
              StartsWith(R"({"alerts":[{"id":"17-42","user_id":"ann",)"));
  EXPECT_EQ(ask("GET", "/ml/anomalies/recent?min_severity=critical&order=time&limit=7").body,
            R"({"alerts":[],"count":0})");
  EXPECT_THAT(errors(ask("GET", "/ml/anomalies/recent?min_severity=huge&order=best")),
              ElementsAre("min_severity: must be low, medium, high or critical",
                          "order: must be time or salience"));
}

TEST_F(ServiceTest, AnalyzesAUser) {
  const auto response = ask("POST", "/ml/anomalies/analyze", R"({"user_id":"ann"})");
  EXPECT_THAT(response.body, StartsWith(R"({"anomalies_detected":2,"alerts":[{"id":"17-42",)"));
  EXPECT_THAT(response.body, HasSubstr(R"({"id":null,"user_id":"ann",)"));
  EXPECT_EQ(ask("POST", "/ml/anomalies/analyze", R"({"user_id":"eve"})").status, 404U);
  EXPECT_THAT(errors(ask("POST", "/ml/anomalies/analyze", R"({"user":"ann"})")),
              ElementsAre("user_id: is missing", "user: unknown field"));
  EXPECT_THAT(errors(ask("POST", "/ml/anomalies/analyze", "[]")),
              ElementsAre(": must be a JSON object"));
  EXPECT_EQ(ask("POST", "/ml/anomalies/analyze", "{").status, 400U);
}

TEST_F(ServiceTest, ShowsExplainsAndJudgesAnAlert) {
  EXPECT_THAT(ask("GET", "/ml/anomalies/17-42").body, HasSubstr(R"("feedback":null)"));
  const auto judged = ask("POST",
                          "/ml/anomalies/17-42/feedback",
                          R"({"verdict":"false_positive","note":"a load test"})");
  EXPECT_THAT(judged.body, HasSubstr(R"("feedback":"false_positive")"));
  EXPECT_EQ(backend.note, "a load test");
  EXPECT_THAT(ask("GET", "/ml/anomalies/17-42/explain").body,
              AllOf(HasSubstr(R"("salience_explanation":[{"term":"base",)"),
                    HasSubstr(R"({"term":"severity","log_odds":)"),
                    HasSubstr(R"("first":{"decided_by":"rule","detector":"rule","rule":0,)"),
                    HasSubstr(R"("worst":{"decided_by":"baseline",)"),
                    HasSubstr(R"("replay":{"command":"liminal explain 17-42","shard":17,)"
                              R"("input":4711,"available":true,"reason":null}})")));
  for (const char* id : {"17-43", "17-0", "99-1", "x", "17-42x"}) {
    const std::string path = std::string("/ml/anomalies/") + id;
    EXPECT_EQ(ask("GET", path).status, 404U) << id;
    EXPECT_EQ(ask("GET", path + "/explain").status, 404U) << id;
    EXPECT_EQ(ask("POST", path + "/feedback", R"({"verdict":"expected"})").status, 404U) << id;
  }
  EXPECT_THAT(errors(ask("POST", "/ml/anomalies/17-42/feedback", R"({"verdict":"none"})")),
              ElementsAre("verdict: must be true_positive, false_positive or expected"));
}

TEST_F(ServiceTest, ListsAndShowsUsers) {
  EXPECT_THAT(
      ask("GET", "/ml/users?order=last_seen&limit=5").body,
      AllOf(StartsWith(
                R"({"users":[{"user_id":"ann","ip_address":"10.0.0.1",)"
                R"("last_seen":"2027-01-15T08:00:00.000Z","score":1.5,"salience":0,"activity":3.5,)"
                R"("growth":0.25,"open_alerts":1,)"
                R"("worst_severity":"high","messages_per_minute":120,)"),
            HasSubstr(R"({"user_id":"bob","ip_address":null,)"),
            ::testing::EndsWith(R"("count":2,"limit":5})")));
  EXPECT_THAT(ask("GET", "/ml/users/ann").body,
              HasSubstr(R"("baseline":[{"signal":"messages_60s","unit":"1","expected":3,)"
                        R"("expected_high":12,"observations":250}],"limit":{"mode":"shadow",)"
                        R"("messages_per_second":2.5,"burst":20,"connections_max":10,)"
                        R"("ratio":0.25,"personal_ratio":1,"suspicion":0.5,"override":null},)"));
  EXPECT_THAT(
      ask("GET", "/ml/users/ann").body,
      ::testing::EndsWith(
          R"("group":{"cluster":1,"description":"talks much","distance":0.5,"version":3}})"));
  EXPECT_EQ(ask("GET", "/ml/users/eve").status, 404U);
  EXPECT_EQ(ask("GET", "/ml/users/" + std::string(200, 'a')).status, 404U);
}

TEST_F(ServiceTest, SaysWhetherItIsAliveAndReady) {
  EXPECT_EQ(ask("GET", "/livez").body, R"({"status":"ok"})");
  EXPECT_EQ(ask("GET", "/readyz").body, R"({"status":"ok"})");
  EXPECT_EQ(ask("GET", "/healthz?verbose").body,
            R"({"status":"ok","checks":[{"name":"shards","ok":true,"detail":"64 of 64"},)"
            R"({"name":"store","ok":true,"detail":"writes"}]})");
  backend.checks[1] = {"store", false, "the disk is full"};
  const auto response = ask("GET", "/readyz");
  EXPECT_EQ(response.status, 503U);
  EXPECT_THAT(response.body,
              HasSubstr(R"("detail":"not ready: store","checks":[{"name":"store","ok":false,)"
                        R"("detail":"the disk is full"}])"));
  EXPECT_EQ(ask("GET", "/livez").status, 200U);
}

TEST_F(ServiceTest, ExposesMetricsOfTheProgramTheApiAndTheProcess) {
  ask("GET", "/ml/status");
  const auto text = ask("GET", "/metrics");
  EXPECT_EQ(text.header("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(text.body,
              AllOf(HasSubstr("liminal_events_total{kind=\"message\"} 0\n"),
                    HasSubstr("liminal_build_info{version=\"1.2.3\"} 1\n"),
                    HasSubstr("liminal_api_requests_total{method=\"GET\",route=\"/ml/status\","
                              "status=\"200\"} 1\n"),
                    HasSubstr("process_open_fds ")));
  EXPECT_THAT(ask("GET", "/metrics", "", {{"Accept", "application/openmetrics-text"}}).body,
              ::testing::EndsWith("# EOF\n"));
}

TEST_F(ServiceTest, ServesItsOwnDescription) {
  const auto response = ask("GET", "/openapi.json");
  simdjson::dom::parser parser;
  const simdjson::dom::element document = parser.parse(response.body);
  EXPECT_EQ(std::string_view(document["openapi"]), "3.1.0");
  EXPECT_EQ(std::string_view(document["info"]["version"]).find("0.0.0"), std::string_view::npos);
}

TEST_F(ServiceTest, SaysWhatCannotBeAskedHere) {
  for (const char* path : {"/", "/ml", "/ml/model", "/ml/job", "/ml/status/", "/v3"})
    EXPECT_EQ(ask("GET", path).status, 404U) << path;
  EXPECT_EQ(ask("GET", "http://elsewhere/").status, 400U);
  const auto wrong = ask("POST", "/ml/limits/ann");
  EXPECT_EQ(wrong.status, 405U);
  EXPECT_EQ(wrong.header("Allow"), "GET, HEAD, PUT, DELETE");
  EXPECT_EQ(ask("OPTIONS", "/ml/limits").status, 204U);
  EXPECT_EQ(ask("HEAD", "/ml/status").status, 200U);
}

TEST_F(ServiceTest, EchoesTheRequestIdOrMakesOne) {
  EXPECT_EQ(ask("GET", "/livez", "", {{"X-Request-Id", "abc-1"}}).header("X-Request-Id"), "abc-1");
  const auto made = ask("GET", "/livez").header("X-Request-Id").value_or("").size();
  EXPECT_EQ(made, 16U);
  for (const std::string& bad : {std::string("a b"), std::string(129, 'a'), std::string("\xff")}) {
    EXPECT_NE(ask("GET", "/livez", "", {{"X-Request-Id", bad}}).header("X-Request-Id"), bad);
  }
  EXPECT_EQ(ask("GET", "/nothing", "", {{"X-Request-Id", "e"}}).header("X-Request-Id"), "e");
}

TEST_F(ServiceTest, AnswersARepetitionAsTheFirstTime) {
  const char* line = R"({"user_id":"ann","kind":"message"})";
  const std::vector<http::Header> key{{"Idempotency-Key", "k1"}};
  const auto first = ask("POST", "/ml/events", line, key);
  const auto again = ask("POST", "/ml/events", line, key);
  EXPECT_EQ(first.body, again.body);
  EXPECT_EQ(backend.events.size(), 1U);
  EXPECT_EQ(ask("POST", "/ml/events", R"({"user_id":"bob","kind":"message"})", key).status, 422U);
  EXPECT_EQ(ask("POST", "/ml/events", line).status, 200U);
  EXPECT_EQ(backend.events.size(), 2U);
  // The key of one route is not that of another.
  EXPECT_EQ(ask("POST", "/ml/anomalies/17-42/feedback", R"({"verdict":"expected"})", key).status,
            200U);
}

TEST_F(ServiceTest, AnswersARepetitionAfterARestart) {
  const char* line = R"({"user_id":"ann","kind":"message"})";
  const std::vector<http::Header> key{{"Idempotency-Key", "k1"}};
  const auto first = ask("POST", "/ml/events", line, key);

  Service restarted(options, backend, [this] { return now; });
  const auto ask_again = [&](const char* body) {
    return answer_of(restarted,
                     request("POST", "/ml/events", body, {{"Host", "localhost"}, key[0]}));
  };

  EXPECT_EQ(ask_again(R"({"user_id":"bob","kind":"message"})").status, 422U);
  EXPECT_EQ(ask_again(line).body, first.body);
  EXPECT_EQ(ask_again(line).header("Content-Type"), "application/json");
  EXPECT_EQ(backend.events.size(), 1U);
}

TEST_F(ServiceTest, SaysThatTheFirstRequestIsStillBeingWorkedOn) {
  const char* line = R"({"user_id":"ann","kind":"message"})";
  const std::vector<http::Header> key{{"Idempotency-Key", "k1"}};
  backend.hold = true;
  std::optional<http::Response> first;
  begin("POST", "/ml/events", line, key, [&first](http::Response r) { first = std::move(r); });
  EXPECT_EQ(ask("POST", "/ml/events", line, key).status, 409U);
  EXPECT_FALSE(first);
  backend.held.at(0)();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->status, 200U);
  EXPECT_EQ(ask("POST", "/ml/events", line, key).body, first->body);
}

TEST_F(ServiceTest, LimitsItsOwnRequests) {
  http::Response response;
  for (int i = 0; i < 200; ++i) response = ask("GET", "/ml/status");
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(response.header("RateLimit-Policy"), "\"default\";q=200;w=20");
  EXPECT_EQ(response.header("RateLimit"), "\"default\";r=0;t=20");
  response = ask("GET", "/ml/status");
  EXPECT_EQ(response.status, 429U);
  EXPECT_EQ(response.header("Retry-After"), "1");
  EXPECT_EQ(ask("GET", "/livez").status, 200U) << "probes are never limited";
  for (const char* path : {"/livez", "/readyz", "/healthz", "/v2/health/live", "/nothing/here"}) {
    EXPECT_FALSE(ask("GET", path).header("RateLimit")) << path;
    EXPECT_FALSE(ask("GET", path).header("RateLimit-Policy")) << path;
  }
  now += 1s;
  EXPECT_EQ(ask("GET", "/ml/status").status, 200U);
}

TEST_F(ServiceTest, TakesANewTokenWhileItRuns) {
  service.set_token("s3cret");
  EXPECT_EQ(ask("DELETE", "/ml/features/cleanup").status, 401U);
  const std::vector<http::Header> bearer{{"Authorization", "Bearer s3cret"}};
  EXPECT_EQ(ask("DELETE", "/ml/features/cleanup", "", bearer).status, 200U);
  service.set_token("");
  EXPECT_EQ(ask("DELETE", "/ml/features/cleanup").status, 200U);
}

TEST_F(ServiceTest, TurnsFailuresOfTheBackendIntoProblems) {
  const std::pair<ErrorCode, unsigned> cases[] = {{ErrorCode::kMissing, 404},
                                                  {ErrorCode::kConflict, 409},
                                                  {ErrorCode::kOutOfRange, 422},
                                                  {ErrorCode::kUnavailable, 503},
                                                  {ErrorCode::kIo, 500}};
  for (const auto& [code, status] : cases) {
    backend.failure = Error{code, 0};
    for (const char* path : {"/ml/status", "/ml/users", "/ml/limits", "/ml/anomalies/recent"})
      EXPECT_EQ(ask("GET", path).status, status) << path;
    EXPECT_EQ(ask("POST", "/ml/events", R"({"user_id":"a","kind":"message"})").status, status);
  }
  backend.failure = Error{ErrorCode::kUnavailable, 0};
  EXPECT_EQ(ask("GET", "/ml/status").header("Retry-After"), "1");
}

TEST(Options, RefuseToListenElsewhereWithoutAToken) {
  EXPECT_TRUE(validate(Options{}).empty());
  Options options;
  options.http.host = "0.0.0.0";
  ASSERT_EQ(validate(options).size(), 1U);
  EXPECT_EQ(validate(options)[0].key, "api.token");
  options.access.token = "s3cret";
  EXPECT_TRUE(validate(options).empty());
  options.access.token = "with blank";
  EXPECT_EQ(validate(options).size(), 1U);
}

}  // namespace
}  // namespace liminal::api
