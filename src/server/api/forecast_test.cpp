#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "io/json/fields.hpp"
#include "server/api/fake_anomalies.hpp"
#include "server/api/forecast_answers.hpp"
#include "server/api/testing.hpp"

namespace liminal::api {
namespace {

using testing::answer_of;
using ::testing::HasSubstr;
using testing::request;

class ForecastTest : public ::testing::Test {
 protected:
  ForecastTest() { service.attach(metrics); }

  http::Response ask(std::string_view body) { return send("POST", "/forecast", body); }
  http::Response send(std::string_view method,
                      std::string_view target,
                      std::string_view body = {}) {
    return answer_of(service, request(method, target, body));
  }

  /// The answer's member of this name; it must be there.
  json::Value good(std::string_view body, std::string_view member) {
    const http::Response answer = ask(body);
    EXPECT_EQ(answer.status, 200U) << answer.body;
    const auto value = json::parse(answer.body);
    if (const auto* object = value ? value->as<json::Value::Object>() : nullptr) {
      for (const auto& [name, held] : *object) {
        if (name == member) return held;
      }
    }
    ADD_FAILURE() << answer.body << " has no " << member;
    return {};
  }
  std::vector<double> mean(std::string_view body) {
    std::vector<double> numbers;
    const json::Value held = good(body, "mean");
    for (const json::Value& one : *held.as<json::Value::Array>())
      numbers.push_back(*json::as_number(one));
    return numbers;
  }
  void wrong(std::string_view body, const std::string& path, const std::string& detail) {
    const http::Response answer = ask(body);
    EXPECT_EQ(answer.status, 422U) << answer.body;
    EXPECT_THAT(answer.body, HasSubstr("\"path\":\"" + path + "\",\"detail\":\"" + detail));
  }

  Options options{.access = {.requests_per_second = 0}};
  FakeBackend backend;
  FakeAnomalies metrics;
  Service service{options, backend};
};

/// `"values":[…]` of days of four points.
std::string days(int count) {
  std::string text = "\"values\":[";
  for (int i = 0; i < count; ++i) text += std::string(i > 0 ? "," : "") + "10,20,40,20";
  return text + "]";
}

std::string row(int at, const std::string& value) {
  return R"({"timestamp":)" + std::to_string(at) + R"(,"value":)" + value + "}";
}

TEST_F(ForecastTest, AnswersWhatComesOffTheApisThread) {
  const auto numbers = mean("{" + days(20) + R"(,"horizon":4})");
  ASSERT_EQ(numbers.size(), 4U);
  const double expected[] = {10, 20, 40, 20};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(numbers[i], expected[i], .5);
  EXPECT_EQ(metrics.computed, 1U);
  EXPECT_EQ(metrics.runs, 0U) << "what is judged waits for no forecast";
  EXPECT_EQ(mean("{" + days(20) + "}").size(), 48U);
}

TEST_F(ForecastTest, SaysWhichMemberSpokeAndHowItDid) {
  const http::Response answer =
      ask("{" + days(20) + R"(,"horizon":4,"quantiles":[0.25],"seasons":[4]})");
  EXPECT_THAT(answer.body, HasSubstr(R"("quantiles":[{"level":0.25,"values":[)"));
  EXPECT_THAT(answer.body, HasSubstr(R"("seasons":[4])"));
  const json::Value held = good("{" + days(20) + R"(,"horizon":4})", "members");
  double before = 2, sum = 0;
  for (const json::Value& one : *held.as<json::Value::Array>()) {
    double weight = 0;
    for (const auto& [half, standing] : *one.as<json::Value::Object>()) {
      if (half == "member") continue;
      const auto& parts = *standing.as<json::Value::Object>();
      EXPECT_EQ(parts[0].first, "weight");
      EXPECT_EQ(parts[1].first, "error");
      EXPECT_TRUE(json::as_number(parts[1].second));
      weight += *json::as_number(parts[0].second);
    }
    EXPECT_LE(weight, before);
    before = weight;
    sum += weight;
  }
  EXPECT_NEAR(sum, 2, 1e-9);
}

TEST_F(ForecastTest, SaysThatErrorsAreNotKnownWhereNothingCouldBeTested) {
  std::string values = R"({"values":[1,2,3,4,5,6,7,8)";
  for (int i = 0; i < 100; ++i) values += ",null";
  const http::Response answer = ask(values + R"(],"horizon":8})");
  EXPECT_EQ(answer.status, 200U) << answer.body;
  EXPECT_THAT(answer.body, HasSubstr(R"("backtest":{"origins":0,)"));
  EXPECT_THAT(answer.body, HasSubstr(R"("error":null)"));
}

TEST_F(ForecastTest, FillsGapsBetweenRowsAndTellsWhenItBegins) {
  std::string rows;
  for (int minute = 0; minute < 60; ++minute) {
    if (minute % 9 == 4) continue;
    rows += (minute > 0 ? "," : "") + row(1'000'000'000 + 60 * minute, minute == 7 ? "null" : "7");
  }
  const http::Response answer = ask(R"({"horizon":2,"quantiles":[],"rows":[)" + rows + "]}");
  EXPECT_EQ(answer.status, 200U) << answer.body;
  EXPECT_THAT(answer.body,
              HasSubstr(R"({"points":60,"missing":8,"begins":"2001-09-09T02:46:40.000Z",)"
                        R"("step_s":60,"mean":[7,7],"quantiles":[],)"));
  const json::Value points = good(R"({"step_s":120,"rows":[)" + rows + "]}", "points");
  EXPECT_EQ(json::as_whole(points), 31U);  // as long as the rows
}

TEST_F(ForecastTest, KeepsTimeByAStepThatIsNotTheRowsOwn) {
  struct Case {
    int distance;
    const char* begin;
  };
  const Case cases[] = {
      {84, R"({"points":672,"missing":192,"begins":"2001-09-09T12:58:40.000Z","step_s":60,)"},
      {90, R"({"points":720,"missing":240,"begins":"2001-09-09T13:46:40.000Z","step_s":60,)"},
      {20, R"({"points":161,"missing":0,"begins":"2001-09-09T04:27:40.000Z","step_s":60,)"}};
  for (const Case& one : cases) {
    std::string rows;
    for (int i = 0; i < 480; ++i)
      rows += (i > 0 ? "," : "") + row(1'000'000'000 + one.distance * i, "7");
    EXPECT_THAT(ask(R"({"horizon":1,"quantiles":[],"step_s":60,"rows":[)" + rows + "]}").body,
                HasSubstr(one.begin))
        << one.distance;
  }
}

TEST_F(ForecastTest, TakesTheMeanOfTheRowsOfALongerStep) {
  std::string rows;
  for (int hour = 0; hour < 240; ++hour)
    rows += (hour > 0 ? "," : "") + row(3600 * hour, std::to_string(hour % 24 < 12 ? 10 : 30));
  const auto seasons = good(R"({"step_s":7200,"horizon":24,"rows":[)" + rows + "]}", "seasons");
  const auto& found = *seasons.as<json::Value::Array>();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(json::as_whole(found[0]), 12U) << "the day has twelve steps of two hours";
}

TEST_F(ForecastTest, SaysWhetherALevelThatMovedIsCertain) {
  for (const int age : {12, 30}) {
    std::string values = R"({"horizon":4,"seasons":[24],"values":[)";
    constexpr int kHours = 24 * 15;
    for (int t = 0; t < kHours; ++t)
      values += (t > 0 ? "," : "") + std::to_string((10 + t % 24) * (t < kHours - age ? 1 : 2));
    const std::string body = ask(values + "]}").body;
    EXPECT_THAT(body, HasSubstr(R"("level_shift":{"point":)" + std::to_string(kHours - age)));
    EXPECT_THAT(body, HasSubstr(age < 24 ? R"("certain":false})" : R"("certain":true})"));
  }
}

TEST_F(ForecastTest, TakesNullForWhatIsNotTold) {
  EXPECT_EQ(ask("{" + days(20) +
                R"(,"rows":null,"step_s":null,"horizon":null,"seasons":null,)"
                R"("quantiles":null,"weigh_by":null})")
                .status,
            200U);
}

TEST_F(ForecastTest, SaysWhatIsWrong) {
  EXPECT_EQ(ask("{").status, 400U);
  EXPECT_EQ(ask(R"({"values":[NaN]})").status, 400U);
  wrong("{}", "values", "is missing");
  wrong("{" + days(20) + R"(,"rows":[]})", "values", "is told beside rows");
  wrong("{" + days(20) + R"(,"step_s":60})", "step_s", "is of rows");
  wrong("{" + days(20) + R"(,"horizon":0})", "horizon", "must be a whole number from 1 to 1000");
  wrong("{" + days(20) + R"(,"seasons":[24,24]})", "seasons", "must be the shorter one first");
  wrong("{" + days(20) + R"(,"seasons":[4,1]})", "seasons[1]", "must be a whole number of 2");
  wrong("{" + days(20) + R"(,"quantiles":[0.5,1]})", "quantiles[1]", "must be a number between");
  wrong("{" + days(20) + R"(,"weigh_by":"x"})", "weigh_by", "must be relative or geometric");
  wrong("{" + days(20) + R"(,"more":1})", "more", "unknown field");
  wrong(R"({"values":[1,"x"]})", "values[1]", "must be a number from -1e100 to 1e100, or null");
  wrong(R"({"values":[1,1e101]})", "values[1]", "must be a number from -1e100 to 1e100, or null");
  wrong(R"({"values":[1,2,null]})", "values", "hold 2 numbers, 8 are needed");
  wrong(R"({"rows":[)" + row(1, "1") + "]}", "rows", "must be a list of 2 to 20000");
  wrong(R"({"rows":[)" + row(2, "1") + "," + row(2, "1") + "]}",
        "rows[1].timestamp",
        "must be after the row before it");
  wrong(R"({"step_s":1,"rows":[)" + row(0, "1") + "," + row(20'000, "1") + "]}",
        "rows[1].timestamp",
        "makes more than 20000 steps");
  wrong(R"({"rows":[{"timestamp":"2026-01-01T00:00:00Z","value":1},)"
        R"({"timestamp":"2026-01-01T00:00:00.000000001Z","value":1}]})",
        "step_s",
        "must be told");
  std::string rows = R"({"rows":[{"timestamp":0,"value":1,"more":1})";
  for (int i = 1; i < 100; ++i)
    rows += R"(,{"timestamp":)" + std::to_string(i) + R"(,"value":1,"more":1})";
  EXPECT_THAT(ask(rows + "]}").body, HasSubstr("20 fields are wrong"));
  std::string many = "{\"values\":[\"x\"";
  for (int i = 0; i < 100; ++i) many += ",\"x\"";
  EXPECT_THAT(ask(many + "]}").body, HasSubstr("20 fields are wrong"));
  metrics.busy = true;
  EXPECT_EQ(ask("{" + days(20) + "}").status, 503U);
}

TEST_F(ForecastTest, RefusesMoreThanAFewAtOnce) {
  metrics.waits = true;
  std::vector<unsigned> answers;
  const auto post = [&] {
    service.handle(request("POST",
                           "/forecast",
                           "{" + days(20) + "}",
                           {{"Host", "localhost"}, {"Content-Type", "application/json"}}),
                   [&](const http::Response& given) { answers.push_back(given.status); });
  };
  for (int i = 0; i < 6; ++i) post();
  EXPECT_EQ(answers, (std::vector<unsigned>{503, 503}));
  for (const auto& task : std::exchange(metrics.waiting, {})) task();
  EXPECT_EQ(answers, (std::vector<unsigned>{503, 503, 200, 200, 200, 200}));
  post();
  EXPECT_EQ(answers.size(), 6U) << "there is room again";
  metrics.waiting.clear();
}

TEST_F(ForecastTest, ListsWhatIsForecastWithoutBeingAsked) {
  const http::Response answer = send("GET", "/forecast");
  EXPECT_EQ(answer.status, 200U) << answer.body;
  EXPECT_THAT(answer.body,
              HasSubstr(R"({"source":"liminal","metric":"bytes_per_second","unit":"B/s",)"
                        R"("state":"ready","minutes_missing":0,"points":80,"step_s":300,)"
                        R"("seasons":[4],"backtest":{"origins":)"));
  EXPECT_THAT(answer.body,
              HasSubstr(R"({"source":"shop","metric":"load","unit":null,"state":"learning",)"
                        R"("minutes_missing":2,"points":7,"step_s":300,"seasons":[],)"
                        R"("backtest":null}],"count":2})"));
  EXPECT_EQ(metrics.computed, 0U) << "it was made before";
}

TEST_F(ForecastTest, SaysWhatOneOfThemDoesNext) {
  const http::Response answer = send("GET", "/forecast/liminal/bytes_per_second?horizon=2");
  EXPECT_EQ(answer.status, 200U) << answer.body;
  EXPECT_THAT(answer.body, HasSubstr(R"("forecast":{"begins":"2027-01-15T14:40:00.000Z",)"));
  EXPECT_THAT(answer.body, HasSubstr(R"("refitted_at":"2027-01-15T14:40:00.000Z","missing":0,)"));
  EXPECT_THAT(answer.body, HasSubstr(R"({"level":0.95,"values":[)"));
  EXPECT_THAT(answer.body, HasSubstr(R"("members":[{"member":")"));
  EXPECT_THAT(answer.body, HasSubstr(R"("seasons":[4],"level_shift":null},"model":"forecast"})"));
  const std::size_t mean = answer.body.find(R"("mean":[)");
  const std::size_t end = answer.body.find(']', mean);
  ASSERT_NE(end, std::string::npos);
  EXPECT_EQ(std::count(answer.body.begin() + static_cast<std::ptrdiff_t>(mean),
                       answer.body.begin() + static_cast<std::ptrdiff_t>(end),
                       ','),
            1)
      << "two steps";
  EXPECT_THAT(send("GET", "/forecast/shop/load").body, HasSubstr(R"("forecast":null)"));
  EXPECT_EQ(send("GET", "/forecast/shop/bytes").status, 404U);
  EXPECT_EQ(send("GET", "/forecast/shop").status, 404U);
  for (const char* horizon : {"0", "49", "x"})
    EXPECT_EQ(send("GET", std::string("/forecast/shop/load?horizon=") + horizon).status, 422U);
}

TEST_F(ForecastTest, SaysByWhichMethodsItCanBeAsked) {
  const http::Response wrong_method = send("PUT", "/forecast");
  EXPECT_EQ(wrong_method.status, 405U);
  EXPECT_EQ(wrong_method.header("Allow"), "POST, GET, HEAD");
  EXPECT_EQ(send("POST", "/forecast/shop/load").header("Allow"), "GET, HEAD");
  EXPECT_EQ(send("HEAD", "/forecast").status, 200U);
}

TEST_F(ForecastTest, HasNoneWhereNothingIsForecast) {
  metrics.forecast_series.clear();
  EXPECT_EQ(send("GET", "/forecast").body, R"({"series":[],"count":0})");
  EXPECT_EQ(send("GET", "/forecast/liminal/bytes_per_second").status, 404U);
}

TEST_F(ForecastTest, RefusesASeriesThatIsTooLong) {
  std::string body = "{\"values\":[1";
  for (std::size_t i = 0; i < kForecastPointsMax; ++i) body += ",1";
  wrong(body + "]}", "values", "must be a list of 1 to 20000 elements");
}

}  // namespace
}  // namespace liminal::api
