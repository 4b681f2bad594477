#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/json/value.hpp"
#include "server/api/fake_anomalies.hpp"
#include "server/api/testing.hpp"

namespace liminal::api {
namespace {

using testing::answer_of;
using ::testing::HasSubstr;
using testing::request;

class MetricHandlersTest : public ::testing::Test {
 protected:
  MetricHandlersTest() { service.attach(metrics); }

  http::Response ask(std::string_view method, std::string_view target, std::string_view body) {
    return answer_of(service, request(method, target, body));
  }
  http::Response ask(std::string_view method,
                     std::string_view target,
                     std::string_view body,
                     std::vector<http::Header> headers,
                     bool takes_pieces) {
    http::Request asked = request(method, target, body, std::move(headers));
    asked.takes_pieces = takes_pieces;
    return answer_of(service, std::move(asked));
  }
  void wrong(std::string_view body, const std::string& path, const std::string& detail) {
    const http::Response answer = ask("POST", "/anomaly", body);
    EXPECT_EQ(answer.status, 422U) << answer.body;
    EXPECT_THAT(answer.body, HasSubstr("\"path\":\"" + path + "\",\"detail\":\"" + detail));
  }

  Options options{.access = {.requests_per_second = 0}};
  FakeBackend backend;
  FakeAnomalies metrics;
  Service service{options, backend};
};

TEST_F(MetricHandlersTest, AnswersTheExample) {
  const auto answer =
      ask("POST",
          "/anomaly",
          R"({"metrics":[{"cpu_usage":0.95,"memory_usage":0.8,"timestamp":1234567890}]})");
  EXPECT_EQ(answer.status, 200U);
  EXPECT_EQ(answer.body,
            R"({"anomalies":[{"is_anomaly":false,"score":0,"novelty":0,"state":"learning",)"
            R"("severity":"low","confidence":0,"contributions":{"cpu_usage":0,"memory_usage":0},)"
            R"("expected":{}}],"ignored":[],"model":"metric_novelty"})");
  EXPECT_EQ(metrics.sources.count("default"), 1U);
}

TEST_F(MetricHandlersTest, FindsWhatIsNewAndSaysWhatWasExpected) {
  std::string body = R"({"source":"web-1","metrics":[)";
  for (int i = 0; i < 1000; ++i)
    body += R"({"cpu":)" + std::to_string(i * 7 % 100) + R"(,"name":"x","timestamp":)" +
            std::to_string(i) + "},";
  const auto answer = ask("POST", "/anomaly", body + R"({"cpu":500,"timestamp":1001}]})");
  EXPECT_EQ(metrics.runs, 1U) << "not on the thread of the API";
  EXPECT_THAT(answer.body, HasSubstr(R"({"is_anomaly":true,)"));
  EXPECT_THAT(answer.body, HasSubstr(R"("state":"new")"));
  EXPECT_THAT(answer.body, HasSubstr(R"("expected":{"cpu":[)"));
  EXPECT_THAT(answer.body, HasSubstr(R"("ignored":["name"])"));
}

TEST_F(MetricHandlersTest, NamesWhatIsWrong) {
  wrong("{}", "metrics", "is missing");
  wrong(R"({"metrics":{}})", "metrics", "must be an array");
  wrong(R"({"metrics":[]})", "metrics", "must hold 1 to 10000 rows");
  wrong(R"({"metrics":[{"a":"x"}]})", "metrics", "no row holds a number");
  wrong(R"({"metrics":[{"a":1},{"a":"NaN"}]})", "metrics[1].a", "must be a number");
  wrong(R"({"metrics":[{"a":1},7]})", "metrics[1]", "must be an object");
  wrong(R"({"metrics":[{"a":1e200}]})", "metrics[0].a", "must be a number from -1e100");
  wrong(R"({"metrics":[{"a":1,"timestamp":-1}]})", "metrics[0].timestamp", "must be");
  wrong(R"({"metrics":[{"a":1,"timestamp":5},{"a":1,"timestamp":4}]})",
        "metrics[1].timestamp",
        "is before the row before it");
  wrong(R"({"metrics":[{"a":1,"timestamp":1900000000}]})",
        "metrics[0].timestamp",
        "is more than five minutes ahead");
  wrong(R"({"metrics":[{"a":1}],"x":1})", "x", "is not known");
  wrong(R"({"metrics":[{"a":1,"a":2}]})", "metrics[0].a", "given twice");
  wrong(R"({"source":"","metrics":[{"a":1}]})", "source", "must be");
  for (const char* own : {"liminal", "upstream:ws://a"})
    wrong(R"({"source":")" + std::string(own) + R"(","metrics":[{"a":1}]})",
          "source",
          R"(\"liminal\" and \"upstream:)");
  std::string wide = R"({"metrics":[{)";
  for (int i = 0; i < 257; ++i) wide += "\"m" + std::to_string(i) + "\":1,";
  wrong(wide + R"("z":1}]})", "metrics", "must hold at most 256");
  std::string many = R"({"metrics":[{"a":1})";
  for (int i = 0; i < 10'000; ++i) many += R"(,{"a":1})";
  wrong(many + "]}", "metrics", "must hold 1 to 10000 rows");
  EXPECT_EQ(ask("POST", "/anomaly", R"({"metrics":[{"a":NaN}]})").status, 400U);
  EXPECT_EQ(ask("POST", "/anomaly", R"({"metrics":[{"a":1e999}]})").status, 400U);
  EXPECT_TRUE(metrics.sources.empty()) << "nothing of it was learnt";
}

/// A batch of 10,000 rows; `source` is a name or empty.
std::string large_batch(std::string_view source) {
  std::string body = R"({"source":")" + std::string(source) + R"(","metrics":[)";
  for (int i = 0; i < 10'000; ++i)
    body += (i == 0 ? "" : ",") + (R"({"cpu":)" + std::to_string(i * 7 % 100)) + R"(,"memory":)" +
            std::to_string(i * 3 % 10) + R"(,"timestamp":)" + std::to_string(i) + "}";
  return body + "]}";
}

/// The next piece of an answer, made at once.
http::Piece next_piece(const http::Response& answer) {
  std::optional<http::Piece> piece;
  answer.rest([&piece](http::Piece given) { piece = std::move(given); });
  return piece.value_or(http::Piece{"none was given", http::Piece::Then::kBroken});
}

TEST_F(MetricHandlersTest, AnswersALargeBatchInPiecesThatAreTheWholeAnswer) {
  const http::Response whole = ask("POST", "/anomaly", large_batch("whole"));
  ASSERT_FALSE(whole.rest);
  const http::Response begun =
      ask("POST", "/anomaly", large_batch("pieces"), {{"Host", "localhost"}}, true);
  ASSERT_TRUE(begun.rest);
  EXPECT_LT(metrics.sources.at("pieces").series(0).points(), 1000U) << "the rest comes later";

  std::string text = begun.body;
  std::size_t longest = text.size();
  http::Piece piece;
  while (piece.then == http::Piece::Then::kMore) {
    piece = next_piece(begun);
    longest = std::max(longest, piece.bytes.size());
    text += piece.bytes;
  }
  EXPECT_EQ(piece.then, http::Piece::Then::kEnd);
  EXPECT_TRUE(text == whole.body);
  EXPECT_LT(longest, whole.body.size() / 20);
}

TEST_F(MetricHandlersTest, LearnsTheRowsThatTheClientDoesNotWaitFor) {
  {
    const auto begun = ask("POST", "/anomaly", large_batch("web"), {{"Host", "localhost"}}, true);
    (void)next_piece(begun);
  }
  EXPECT_EQ(metrics.sources.at("web").series(0).points(), 10'000U);
}

TEST_F(MetricHandlersTest, BreaksOffWhenTheRestCannotBeJudged) {
  metrics.failures = {std::nullopt, Error{ErrorCode::kConflict, 0}};
  auto begun = ask("POST", "/anomaly", large_batch("web"), {{"Host", "localhost"}}, true);
  const http::Piece last = next_piece(begun);
  EXPECT_EQ(last.then, http::Piece::Then::kBroken);
  EXPECT_THAT(last.bytes, HasSubstr(R"(],"problem":{"type":"about:blank",)"));
  EXPECT_THAT(last.bytes, HasSubstr("row after row lies before"));
  EXPECT_FALSE(json::parse(begun.body + last.bytes)) << "nobody takes it for an answer";
  const auto points = metrics.sources.at("web").series(0).points();
  begun = {};
  EXPECT_EQ(metrics.sources.at("web").series(0).points(), points) << "nor is the rest learnt";

  begun = ask("POST", "/anomaly", large_batch("other"), {{"Host", "localhost"}}, true);
  metrics.busy = true;
  EXPECT_EQ(next_piece(begun).then, http::Piece::Then::kBroken);
}

TEST_F(MetricHandlersTest, RefusesAWholeBatchBeforeItsFirstRow) {
  metrics.failure = Error{ErrorCode::kConflict, 1000};
  const auto answer = ask("POST", "/anomaly", large_batch("web"), {{"Host", "localhost"}}, true);
  EXPECT_EQ(answer.status, 422U);
  EXPECT_FALSE(answer.rest);
}

TEST_F(MetricHandlersTest, AnAnswerThatIsRememberedIsWhole) {
  const auto answer = ask("POST",
                          "/anomaly",
                          large_batch("web"),
                          {{"Host", "localhost"}, {"Idempotency-Key", "a"}},
                          true);
  EXPECT_FALSE(answer.rest);
  EXPECT_TRUE(json::parse(answer.body));
}

TEST_F(MetricHandlersTest, ANullIsAMissingPoint) {
  EXPECT_EQ(ask("POST", "/anomaly", R"({"metrics":[{"a":1,"b":null},{"a":null,"b":2}]})").status,
            200U);
}

TEST_F(MetricHandlersTest, TakesTheRowOfAScrapeThatFailed) {
  const auto answer = ask("POST", "/anomaly", R"({"metrics":[{"a":null,"b":null,"name":"x"}]})");
  EXPECT_EQ(answer.status, 200U);
  EXPECT_THAT(answer.body, HasSubstr(R"("ignored":["name"])"));
}

TEST_F(MetricHandlersTest, SaysWhatTheOtherSideRefused) {
  const std::string body = R"({"metrics":[{"a":1}]})";
  for (const auto& [code, status] : {std::pair{ErrorCode::kTooLarge, 422U},
                                     std::pair{ErrorCode::kConflict, 422U},
                                     std::pair{ErrorCode::kUnavailable, 503U}}) {
    metrics.failure = Error{code, 0};
    EXPECT_EQ(ask("POST", "/anomaly", body).status, status);
  }
}

TEST_F(MetricHandlersTest, DeclaresASeries) {
  const std::string path = "/anomaly/series/web-1/cpu%2Fuser";
  const auto made = ask("PUT", path, R"({"min":0,"max":1,"alarms_per_week":2})");
  EXPECT_EQ(made.status, 201U);
  EXPECT_EQ(made.body,
            R"({"source":"web-1","metric":"cpu/user","min":0,"max":1,"alarms_per_week":2,)"
            R"("kind":"gauge","suppress_until":null,"lower_limit":null,"upper_limit":null})");
  EXPECT_EQ(ask("PUT", path, R"({"kind":"counter"})").status, 200U);
  EXPECT_EQ((metrics.declared.at({"web-1", "cpu/user"}).counter), true);
  for (const char* bad : {R"({"min":0})",
                          R"({"min":1,"max":1})",
                          R"({"alarms_per_week":-1})",
                          R"({"kind":"x"})",
                          R"({"colour":1})",
                          R"({"min":"a","max":1})"})
    EXPECT_EQ(ask("PUT", path, bad).status, 422U) << bad;
  EXPECT_EQ(ask("PUT", "/anomaly/series/a/" + std::string(2000, 'b'), "{}").status, 422U);
  EXPECT_EQ(ask("PUT", "/anomaly/series/" + std::string(200, 'a') + "/b", "{}").status, 422U);
}

TEST_F(MetricHandlersTest, WhatIsNotNamedStaysAsItIs) {
  const std::string path = "/anomaly/series/web-1/requests_total";
  EXPECT_EQ(ask("PUT", path, R"({"kind":"counter","upper_limit":900})").status, 201U);
  const auto ranged = ask("PUT", path, R"({"min":0,"max":1,"alarms_per_week":2})");
  EXPECT_EQ(ranged.status, 200U);
  EXPECT_EQ(ranged.body,
            R"({"source":"web-1","metric":"requests_total","min":0,"max":1,"alarms_per_week":2,)"
            R"("kind":"counter","suppress_until":null,"lower_limit":null,"upper_limit":900})");
  EXPECT_THAT(ask("PUT", path, R"({"suppress_until":1800000000})").body,
              HasSubstr(R"("min":0,"max":1,"alarms_per_week":2,"kind":"counter")"));
  EXPECT_THAT(ask("PUT", path, R"({"lower_limit":null,"min":null})").body,
              HasSubstr(R"("min":null,"max":null,"alarms_per_week":2,"kind":"counter",)"
                        R"("suppress_until":"2027-01-15T08:00:00.000Z",)"
                        R"("lower_limit":null,"upper_limit":900)"));
  EXPECT_THAT(ask("PUT", path, R"({"upper_limit":null})").body,
              HasSubstr(R"("lower_limit":null,"upper_limit":null)"));
}

TEST_F(MetricHandlersTest, NullTakesBackWhatItNamesAndNothingElse) {
  const std::string path = "/anomaly/series/web-1/requests_total";
  const auto told = [&] { return metrics.declared.at({"web-1", "requests_total"}); };
  ASSERT_EQ(ask("PUT", path, R"({"kind":"gauge","min":0,"max":1,"alarms_per_week":2})").status,
            201U);
  EXPECT_EQ(ask("PUT", path, R"({"kind":null})").status, 200U);
  EXPECT_EQ(told().counter, std::nullopt);
  EXPECT_EQ(told().alarms_per_week, 2);
  EXPECT_TRUE(told().range.has_value()) << "its sender says gauge, too";
  EXPECT_EQ(ask("PUT", path, R"({"alarms_per_week":null})").status, 200U);
  EXPECT_EQ(told().alarms_per_week, 0);
  EXPECT_TRUE(told().range.has_value());
  EXPECT_EQ(ask("PUT", path, R"({"kind":"counter","suppress_until":1800000000})").status, 200U);
  EXPECT_THAT(ask("PUT", path, R"({"kind":null,"min":2,"max":3})").body,
              HasSubstr(R"("min":2,"max":3,"alarms_per_week":0,"kind":"gauge")"));
  EXPECT_TRUE(told().suppress_until.has_value());
}

TEST_F(MetricHandlersTest, ARangeIsNotThatOfAnotherKind) {
  const std::string path = "/anomaly/series/web-1/requests_total";
  ASSERT_EQ(ask("PUT", path, R"({"min":0,"max":1})").status, 201U);
  EXPECT_THAT(ask("PUT", path, R"({"kind":"gauge"})").body, HasSubstr(R"("min":0,"max":1)"));
  EXPECT_THAT(ask("PUT", path, R"({"kind":"counter"})").body,
              HasSubstr(R"("min":null,"max":null)"));
  EXPECT_THAT(ask("PUT", path, R"({"kind":"gauge","min":2,"max":3})").body,
              HasSubstr(R"("min":2,"max":3)"));
}

TEST_F(MetricHandlersTest, SuppressesASeriesUntilATime) {
  const std::string path = "/anomaly/series/web-1/cpu";
  const auto until = [&] { return metrics.declared.at({"web-1", "cpu"}).suppress_until; };
  EXPECT_THAT(ask("PUT", path, R"({"suppress_until":1800000000})").body,
              HasSubstr(R"("suppress_until":"2027-01-15T08:00:00.000Z")"));
  EXPECT_EQ(until(), EventTime{std::chrono::seconds{1'800'000'000}});
  EXPECT_THAT(ask("GET", path, "").body,
              HasSubstr(R"("suppress_until":"2027-01-15T08:00:00.000Z")"));
  EXPECT_EQ(ask("PUT", path, R"({"suppress_until":"2027-01-15T09:00:00+01:00"})").status, 200U);
  EXPECT_EQ(until(), EventTime{std::chrono::seconds{1'800'000'000}});
  EXPECT_EQ(ask("PUT", path, R"({"suppress_until":"soon"})").status, 422U);
  EXPECT_EQ(ask("PUT", path, R"({"suppress_until":null})").status, 200U);
  EXPECT_FALSE((metrics.declared.contains({"web-1", "cpu"}))) << "nothing is told of it";
}

TEST_F(MetricHandlersTest, WhatTellsNothingErasesWhatWasTold) {
  const std::string path = "/anomaly/series/web-1/cpu";
  EXPECT_EQ(ask("PUT", path, "{}").status, 200U) << "nothing was made";
  EXPECT_EQ(ask("GET", path, "").status, 404U);
  EXPECT_EQ(ask("PUT", path, R"({"kind":"gauge"})").status, 201U) << "it may be told of a counter";
  EXPECT_EQ(ask("PUT", path, "{}").status, 200U);
  EXPECT_EQ(ask("GET", path, "").status, 404U);
}

TEST_F(MetricHandlersTest, SaysThatTooManySeriesWereToldOf) {
  metrics.failure = Error{ErrorCode::kTooLarge, 0};
  const auto full = ask("PUT", "/anomaly/series/web-1/cpu", R"({"min":0,"max":1})");
  EXPECT_EQ(full.status, 422U);
  EXPECT_THAT(full.body, HasSubstr("too many series"));
}

TEST_F(MetricHandlersTest, ForgetsASeriesOrASource) {
  const std::string source = "/anomaly/series/web-1";
  EXPECT_EQ(ask("DELETE", source, "").status, 404U);
  ASSERT_EQ(ask("PUT", source + "/cpu", R"({"min":0,"max":1})").status, 201U);
  ASSERT_EQ(ask("PUT", source + "/disk", R"({"upper_limit":1})").status, 201U);
  EXPECT_EQ(ask("DELETE", source + "/memory", "").status, 404U);
  EXPECT_EQ(ask("DELETE", source + "/cpu", "").status, 204U);
  EXPECT_EQ(ask("GET", source + "/cpu", "").status, 404U);
  EXPECT_EQ(ask("GET", source + "/disk", "").status, 200U);
  EXPECT_EQ(ask("DELETE", source, "").status, 204U);
  EXPECT_EQ(ask("GET", source + "/disk", "").status, 404U);
  EXPECT_EQ(ask("DELETE", "/anomaly/series/" + std::string(200, 'a'), "").status, 422U);
}

TEST_F(MetricHandlersTest, SaysWhenADeclaredLimitIsReached) {
  const std::string path = "/anomaly/series/db-1/disk_free";
  EXPECT_EQ(ask("GET", path, "").status, 404U);
  EXPECT_EQ(ask("PUT", path, R"({"lower_limit":0})").status, 201U);
  EXPECT_EQ((metrics.limits.at({"db-1", "disk_free"})),
            (stats::Limit{0, stats::Trend::Side::kBelow}));
  EXPECT_EQ(ask("GET", path, "").body,
            R"({"source":"db-1","metric":"disk_free","min":null,"max":null,"alarms_per_week":0,)"
            R"("kind":"gauge","suppress_until":null,"lower_limit":0,"upper_limit":null,)"
            R"("points":100,"line":1,"alarms_observed":{"weeks":2,"per_week":1.5},)"
            R"("source_alarms_per_week":0,"source_line":1,)"
            R"("expected":[0.2,0.4],)"
            R"("reached":{"expected_s":3600,"within_s":604800,"probability":0.75}})");
  EXPECT_EQ(ask("PUT", path, R"({"upper_limit":0.9})").status, 200U);
  EXPECT_THAT(ask("GET", path, "").body, HasSubstr(R"("lower_limit":null,"upper_limit":0.9)"));
  EXPECT_EQ(ask("PUT", path, R"({"upper_limit":1,"lower_limit":0})").status, 422U);
  EXPECT_EQ(ask("PUT", path, R"({"kind":"gauge","upper_limit":null})").status, 200U);
  EXPECT_THAT(ask("GET", path, "").body, HasSubstr(R"("reached":null)"));
}

}  // namespace
}  // namespace liminal::api
