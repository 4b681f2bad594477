#include "server/api/service.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include "server/api/fake_backend.hpp"

namespace liminal::api {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// A service over the fake backend, asked without a network.
class ServiceTest : public ::testing::Test {
 protected:
  http::Response ask(std::string_view method,
                     std::string_view target,
                     std::string_view body = {},
                     std::vector<http::Header> headers = {}) {
    std::optional<http::Response> answer;
    begin(method, target, body, std::move(headers), [&answer](http::Response response) {
      EXPECT_FALSE(answer) << "answered twice";
      answer = std::move(response);
    });
    EXPECT_TRUE(answer) << method << " " << target;
    if (!answer) return {};
    const auto type = answer->header("Content-Type").value_or("");
    if (answer->status >= 400) {
      EXPECT_EQ(type, "application/problem+json");
    }
    if (type.find("json") != std::string_view::npos) {
      simdjson::dom::parser parser;
      EXPECT_EQ(parser.parse(answer->body).error(), simdjson::SUCCESS) << answer->body;
    }
    return *answer;
  }

  void begin(std::string_view method,
             std::string_view target,
             std::string_view body,
             std::vector<http::Header> headers,
             http::Reply reply) {
    http::Request request;
    request.method = method;
    request.target = target;
    request.body = body;
    request.headers = std::move(headers);
    request.headers.push_back({"Host", "localhost"});
    request.peer = "127.0.0.1";
    request.peer_is_local = true;
    service.handle(std::move(request), std::move(reply));
  }

  /// "path: detail" of each error of a 422.
  static std::vector<std::string> errors(const http::Response& response) {
    EXPECT_EQ(response.status, 422U) << response.body;
    simdjson::dom::parser parser;
    std::vector<std::string> out;
    simdjson::dom::array list;
    if (parser.parse(response.body)["errors"].get(list) != simdjson::SUCCESS) return out;
    for (const simdjson::dom::element one : list) {
      out.push_back(std::string(std::string_view(one["path"])) + ": " +
                    std::string(std::string_view(one["detail"])));
    }
    return out;
  }

  Options options{.access = {.requests_per_second = 10, .requests_burst = 200}, .version = "1.2.3"};
  FakeBackend backend;
  std::chrono::steady_clock::time_point now{};
  Service service{options, backend, [this] { return now; }};
};

TEST_F(ServiceTest, TellsItsStatus) {
  const auto response = ask("GET", "/ml/status");
  EXPECT_EQ(response.status, 200U);
  EXPECT_THAT(response.body,
              StartsWith(R"({"version":"1.2.3","uptime_s":12.5,"time":"2027-01-15T08:00:00.000Z",)"
                         R"("mode":"shadow","shards":64,"threads":2,)"));
  EXPECT_THAT(
      response.body,
      HasSubstr(R"("feature_extractor":{"active_users":1,"buffer_size":1000,"buffered":1},)"
                R"("anomaly_detector":{"open_alerts":1,"rules":8,"baselines":1},)"
                R"("model_manager":{"models":[],"jobs":0,"load_prediction":null},)"
                R"("upstreams":[{"url":"ws://chat-1:9000","up":true,"connections":1}],)"
                R"("traffic":{"connections":1,"events_total":0,"events_per_second":2.5}})"));
}

TEST_F(ServiceTest, TellsWhichLoadIsExpected) {
  backend.load = learn::LoadForecast{2.5, 1., std::nullopt, 4, SteadyTime{FakeBackend::kNow}};
  EXPECT_THAT(ask("GET", "/ml/status").body,
              HasSubstr(R"("load_prediction":{"messages_per_second":2.5,"low":1,"high":null,)"
                        R"("version":4,"time":"2027-01-15T08:00:00.000Z"}})"));
}

TEST_F(ServiceTest, TellsOfTheClusterThatItSendsTo) {
  backend.cluster = ClusterStatus{"http://ray:8000", false, "away", {3, 2, 1, 0}, {}, 4};
  EXPECT_THAT(ask("GET", "/ml/status").body,
              HasSubstr(R"("cluster":{"url":"http://ray:8000","up":false,"trouble":"away",)"
                        R"("rows":{"waiting":3,"sent":2,"dropped":1,"rejected":0},)"
                        R"("metrics":{"waiting":0,"sent":0,"dropped":0,"rejected":0},)"
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

constexpr const char* kDefaultPolicies =
    R"({"mode":"shadow",)"
    R"("user":{"messages":{"per_second":10,"burst":20,"mode":null},)"
    R"("messages_sustained":null,"bytes":null,"bytes_sustained":null},)"
    R"("address":{"messages":{"per_second":100,"burst":200,"mode":null},)"
    R"("messages_sustained":null,"bytes":null,"bytes_sustained":null},)"
    R"("connection":{"messages":null,"messages_sustained":null,"bytes":null,)"
    R"("bytes_sustained":null},"user_connections":{"max":10,"mode":null},)"
    R"("address_connections":{"max":50,"mode":null},"message_bytes":{"max":65536,"mode":null},)"
    R"("delay_max_s":1,"close_after":{"per_second":1,"burst":100,"mode":null}})";

TEST_F(ServiceTest, ShowsAndReplacesThePolicies) {
  EXPECT_EQ(ask("GET", "/ml/limits").body,
            R"({"policies":)" + std::string(kDefaultPolicies) +
                R"(,"set":false,"overrides":[],"count":0})");
  std::string changed = kDefaultPolicies;
  changed.replace(changed.find("shadow"), 6, "enforce");
  changed.replace(changed.find(R"("messages_sustained":null)"),
                  25,
                  R"("messages_sustained":{"per_second":1.5,"burst":100,"mode":"observe"})");
  backend.policies.allow_users = {"root"};

  const auto response = ask("PUT", "/ml/limits", R"({"policies":)" + changed + "}");

  EXPECT_EQ(response.body,
            R"({"policies":)" + changed + R"(,"set":true,"overrides":[],"count":0})");
  EXPECT_EQ(backend.policies.mode, traffic::Mode::kEnforce);
  EXPECT_EQ(backend.policies.user.messages_sustained.mode, traffic::Mode::kObserve);
  EXPECT_THAT(backend.policies.allow_users, ElementsAre("root"));
  EXPECT_THAT(ask("DELETE", "/ml/limits").body, HasSubstr(R"("set":false)"));
}

TEST_F(ServiceTest, NamesWhatIsWrongWithPolicies) {
  std::string wrong = kDefaultPolicies;
  wrong.replace(wrong.find(R"("burst":20)"), 10, R"("burst":0)");
  wrong.replace(wrong.find(R"("messages_sustained":null)"), 25, R"("messages_sustainde":null)");
  wrong.replace(wrong.find(R"("connection":{)"), 14, R"("connection":null,"more":{)");
  EXPECT_THAT(
      errors(ask("PUT", "/ml/limits", R"({"policies":)" + wrong + "}")),
      ElementsAre("policies.user.messages.burst: must be a whole number from 1 to 4294967295",
                  "policies.user.messages_sustained: is missing",
                  "policies.user.messages_sustainde: unknown field",
                  "policies.connection: must be a JSON object",
                  "policies.more: unknown field"));
  EXPECT_THAT(errors(ask("PUT", "/ml/limits", "{}")), ElementsAre("policies: is missing"));
  EXPECT_EQ(ask("GET", "/ml/audit?subject=ann").body,
            R"({"entries":[{"time":"2027-01-15T08:00:00.000Z","actor":"engine","action":"drop",)"
            R"("subject":"ann","detail":"message: blocked"}],"count":1,"limit":100})");
  EXPECT_THAT(ask("GET", "/ml/audit?subject=bob&limit=7").body,
              HasSubstr(R"("entries":[],"count":0,"limit":7)"));
  std::string contradictory = kDefaultPolicies;
  contradictory.replace(
      contradictory.find(R"("bytes":null)"), 12, R"("bytes":{"per_second":10,"burst":20})");
  EXPECT_THAT(errors(ask("PUT", "/ml/limits", R"({"policies":)" + contradictory + "}")),
              ElementsAre(StartsWith("policies.user.bytes.burst: must hold the largest message")));
  EXPECT_EQ(backend.policies.user.messages.burst, 20U);
}

TEST_F(ServiceTest, KeepsOverrides) {
  const char* rate =
      R"({"kind":"rate","messages_per_second":2.5,"burst":5,"reason":"loud","expires":1900000000})";
  const char* answer =
      R"({"user_id":"a b","kind":"rate","messages_per_second":2.5,"burst":5,"reason":"loud",)"
      R"("created":"2027-01-15T08:00:00.000Z","expires":"2030-03-17T17:46:40.000Z"})";
  EXPECT_EQ(ask("GET", "/ml/limits/a%20b").status, 404U);
  const auto created = ask("PUT", "/ml/limits/a%20b", rate);
  EXPECT_EQ(created.status, 201U);
  EXPECT_EQ(created.body, answer);
  EXPECT_EQ(ask("PUT", "/ml/limits/a%20b", rate).status, 200U);
  EXPECT_EQ(ask("GET", "/ml/limits/a%20b").body, answer);
  EXPECT_THAT(ask("GET", "/ml/limits").body,
              HasSubstr(R"("overrides":[)" + std::string(answer) + R"(],"count":1)"));
  const auto deleted = ask("DELETE", "/ml/limits/a%20b");
  EXPECT_EQ(deleted.status, 204U);
  EXPECT_TRUE(deleted.body.empty());
  EXPECT_EQ(ask("DELETE", "/ml/limits/a%20b").status, 404U);
}

TEST_F(ServiceTest, NamesWhatIsWrongWithAnOverride) {
  const auto wrong = [this](const char* body) {
    return errors(ask("PUT", "/ml/limits/ann", body));
  };
  EXPECT_THAT(
      wrong(R"({"kind":"rate"})"),
      ElementsAre("messages_per_second: is missing", "burst: is missing", "reason: is missing"));
  EXPECT_THAT(wrong(R"({"kind":"block","burst":5,"reason":"x","expires":1})"),
              ElementsAre("burst: belongs to kind rate only", "expires: is not in the future"));
  EXPECT_THAT(wrong(R"({"kind":"hush","reason":"","ttl":1})"),
              ElementsAre("kind: must be allow, block or rate",
                          "reason: must be text of 1 to 1000 bytes",
                          "ttl: unknown field"));
  EXPECT_TRUE(backend.decided.empty());
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
    http::Request request{"POST", "/ml/events", key, body, "127.0.0.1", true};
    request.headers.push_back({"Host", "localhost"});
    http::Response answer;
    restarted.handle(std::move(request), [&answer](http::Response r) { answer = std::move(r); });
    return answer;
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
