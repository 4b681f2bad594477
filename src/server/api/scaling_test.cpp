#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/json/fields.hpp"
#include "io/json/value.hpp"
#include "server/api/fake_scaling.hpp"
#include "server/api/scaling_answers.hpp"
#include "server/api/testing.hpp"

namespace liminal::api {
namespace {

using testing::answer_of;
using ::testing::HasSubstr;
using testing::request;

class ScalingApi : public ::testing::Test {
 protected:
  ScalingApi() { service.attach(scaling); }

  http::Response ask(std::string_view method, std::string_view target, std::string_view body = {}) {
    return answer_of(service, request(method, target, body));
  }

  FakeBackend backend;
  FakeScaling scaling;
  Service service{Options{}, backend};
};

constexpr std::string_view kExample =
    R"({"usage_patterns": {"cpu_avg": 0.7, "memory_avg": 0.6, "request_rate": 100,)"
    R"( "response_time": 0.2}})";

TEST_F(ScalingApi, AFreshServiceIsMonitoredAndWhatIsNotKnownIsNull) {
  const auto response = ask("POST", "/scaling", kExample);
  ASSERT_EQ(response.status, 200u) << response.body;
  EXPECT_THAT(response.body,
              HasSubstr(R"({"predictions":{"action":"monitor","recommended_replicas":null,)"
                        R"("confidence":null,"forecast":{"horizon_s":600,"quantiles":{"p10":null,)"
                        R"("p50":null,"p90":null,"p99":null}},"reactive_replicas":null,)"
                        R"("bottleneck":null,"reasons":["0 minutes of history are known)"));
  EXPECT_THAT(response.body, HasSubstr(R"("model":"peak-quantile/1"})"));
}

TEST_F(ScalingApi, AHistoryGivesAnAdviceAtOnce) {
  std::string body =
      R"({"service":"web","current_replicas":2,"usage_patterns":{"request_rate":150,)"
      R"("cpu_avg":0.9},"history":[)";
  for (int t = 300; t > 0; --t) {
    const std::int64_t at = FakeBackend::kNow.count() - 60 * t;
    const double load = 100 + t % 50;
    body += (t < 300 ? "," : "") + (R"({"timestamp":)" + std::to_string(at)) +
            R"(,"request_rate":)" + std::to_string(load) + R"(,"cpu_avg":)" +
            std::to_string(load / 200) + R"(,"replicas":2})";
  }
  const auto response = ask("POST", "/scaling", body + "]}");
  ASSERT_EQ(response.status, 200u) << response.body;
  EXPECT_THAT(response.body, HasSubstr(R"("bottleneck":"cpu")"));
  EXPECT_THAT(response.body, ::testing::Not(HasSubstr(R"("recommended_replicas":null)")));
  EXPECT_THAT(response.body, HasSubstr(R"("reactive_replicas":3)"));
  for (const char* target : {"/scaling", "/scaling/web", "/scaling/web/metric"})
    EXPECT_EQ(ask("GET", target).status, 200u) << target;
  EXPECT_EQ(ask("GET", "/scaling/web/backtest").status, 409u);
  EXPECT_THAT(ask("GET", "/scaling/web?load=160").body,
              ::testing::ContainsRegex(
                  R"("performance":\[\{"load":80,"response_time_s":null,"saturated":false,)"
                  R"("cpu_ratio":0\.(8|79999))"))
      << "two instances, of which one uses .01 for a unit of load";
  EXPECT_EQ(ask("GET", "/scaling/web?load=-1").status, 422u);
}

/// Rows of a history a minute apart, with what `more` says of each.
template <class More>
std::string with_history(std::string_view request, int minutes, const More& more) {
  std::string body = std::string(request) + R"(,"history":[)";
  for (int t = minutes; t > 0; --t)
    body += (t < minutes ? "," : "") +
            (R"({"timestamp":)" + std::to_string(FakeBackend::kNow.count() - 60 * t)) + "," +
            more(t) + "}";
  return body + "]}";
}

TEST_F(ScalingApi, AHistoryMayCallTheInstancesAsTheRequestDoes) {
  const auto row = [](int) { return R"("request_rate":10,"cpu_avg":0.1,"current_replicas":2)"; };
  constexpr std::string_view kWeb =
      R"({"service":"web","usage_patterns":{"request_rate":10,"cpu_avg":0.1})";
  ASSERT_EQ(ask("POST", "/scaling", with_history(kWeb, 90, row)).status, 200u);
  EXPECT_THAT(ask("GET", "/scaling/web").body, HasSubstr(R"("replicas":2)"));
  const auto both = [](int) { return R"("request_rate":10,"replicas":2,"current_replicas":2)"; };
  const auto refused = ask("POST", "/scaling", with_history(kWeb, 1, both));
  EXPECT_EQ(refused.status, 422u);
  EXPECT_THAT(refused.body, HasSubstr("under both names"));
}

TEST_F(ScalingApi, NamesTheFirstTenOfAThousandMistakes) {
  const auto row = [](int) { return R"("instances":2)"; };
  const auto refused =
      ask("POST", "/scaling", with_history(R"({"usage_patterns":{"cpu_avg":0.5})", 1000, row));
  EXPECT_EQ(refused.status, 422u);
  EXPECT_THAT(refused.body, HasSubstr("1000 fields are wrong, of which the first 10 are named"));
  EXPECT_THAT(refused.body, HasSubstr("history[9].instances"));
  EXPECT_LT(refused.body.size(), 2000u);
}

TEST_F(ScalingApi, AWrongValueIsOneMistake) {
  const auto refused = ask("POST", "/scaling", R"({"usage_patterns":{"request_rate":-1}})");
  EXPECT_EQ(refused.status, 422u);
  EXPECT_THAT(refused.body, ::testing::Not(HasSubstr("at least one of")));
  EXPECT_THAT(ask("POST", "/scaling", R"({"usage_patterns":{"cpu_avg":null}})").body,
              HasSubstr("at least one of"));
}

TEST_F(ScalingApi, OfNothingKnownNothingIsTold) {
  const auto answer =
      ask("POST", "/scaling", R"({"current_replicas":0,"usage_patterns":{"cpu_avg":0.5}})");
  EXPECT_THAT(answer.body, HasSubstr(R"("reactive_replicas":null,"bottleneck":null)"));
}

TEST_F(ScalingApi, SaysWhyNoResponseTimeIsForetold) {
  const auto row = [](int t) {
    return R"("request_rate":)" + std::to_string(100 + t % 50) +
           R"(,"cpu_avg":0.5,"response_time":)" + (t % 3 == 0 ? "0.2" : "0.1") + R"(,"replicas":2)";
  };
  constexpr std::string_view kWeb =
      R"({"service":"web","current_replicas":2,"usage_patterns":{"request_rate":100})";
  ASSERT_EQ(ask("POST", "/scaling", with_history(kWeb, 120, row)).status, 200u);
  for (const char* target : {"/scaling/web", "/scaling/web?load=100"}) {
    const std::string body = ask("GET", target).body;
    EXPECT_THAT(body, HasSubstr("does not grow with the load")) << target;
    EXPECT_THAT(body, ::testing::Not(HasSubstr(R"("saturated":true)"))) << target;
  }
}

TEST_F(ScalingApi, SaysWhatIsMissingForAResponseTime) {
  const auto learn = [&](const std::string& name, const std::string& more) {
    const auto row = [&](int t) {
      return R"("request_rate":)" + std::to_string(100 + t % 2) + R"(,"cpu_avg":0.5,"replicas":2)" +
             more;
    };
    const std::string whose = R"({"service":")" + name +
                              R"(","current_replicas":2,"usage_patterns":{"request_rate":100})";
    ASSERT_EQ(ask("POST", "/scaling", with_history(whose, 120, row)).status, 200u);
  };
  learn("quiet", "");
  EXPECT_THAT(ask("GET", "/scaling/quiet?load=100").body,
              HasSubstr(R"("performance_lack":"response_time was not told)"));
  learn("steady", R"(,"response_time":0.1)");
  for (const char* target : {"/scaling/steady", "/scaling/steady?load=100"})
    EXPECT_THAT(ask("GET", target).body, HasSubstr("varied too little")) << target;
}

TEST_F(ScalingApi, ForetellsResponseTimesUpToSaturation) {
  // Of two instances, each with a queue that ends at a load of 200.
  std::string body =
      R"({"service":"web","current_replicas":2,"usage_patterns":{"request_rate":120},)"
      R"("history":[)";
  for (int t = 120; t > 0; --t) {
    const double load = 100 + t % 50;
    body += (t < 120 ? "," : "") +
            (R"({"timestamp":)" + std::to_string(FakeBackend::kNow.count() - 60 * t)) +
            R"(,"request_rate":)" + std::to_string(load) + R"(,"memory_avg":)" +
            std::to_string(load / 1000) + R"(,"response_time":)" +
            std::to_string(.1 / (1 - load / 400)) + R"(,"replicas":2})";
  }
  ASSERT_EQ(ask("POST", "/scaling", body + "]}").status, 200u);
  const auto foretold = [this](const char* load, std::string_view member) {
    const auto answer = json::parse(ask("GET", std::string("/scaling/web?load=") + load).body);
    for (const auto& [name, lines] : *answer->as<json::Value::Object>()) {
      if (name != "performance") continue;
      const json::Value& line = lines.as<json::Value::Array>()->front();
      for (const auto& [key, value] : *line.as<json::Value::Object>()) {
        if (key == member) return value;
      }
    }
    ADD_FAILURE() << member;
    return json::Value{};
  };
  EXPECT_NEAR(*json::as_number(foretold("200", "response_time_s")), .2, 1e-4);
  EXPECT_NEAR(*json::as_number(foretold("200", "memory_ratio")), .2, 1e-6);
  EXPECT_FALSE(*foretold("200", "saturated").as<bool>());
  EXPECT_TRUE(*foretold("500", "saturated").as<bool>());
  EXPECT_FALSE(json::as_number(foretold("500", "response_time_s")));
  EXPECT_FALSE(json::as_number(foretold("500", "cpu_ratio"))) << "it was never told";
}

TEST_F(ScalingApi, ListsNoMoreServicesThanAreAskedFor) {
  for (const char* path : {"/scaling/a", "/scaling/b", "/scaling/c"})
    ASSERT_EQ(ask("PUT", path, "{}").status, 201u);
  EXPECT_THAT(ask("GET", "/scaling").body, HasSubstr(R"("count":3)"));
  EXPECT_THAT(ask("GET", "/scaling?limit=2").body, HasSubstr(R"("count":2)"));
  EXPECT_EQ(ask("GET", "/scaling?limit=0").status, 422u);
}

TEST_F(ScalingApi, AHistoryToldAfterTheFirstCallGivesAnAdviceToo) {
  const std::string present = R"({"current_replicas":2,"usage_patterns":{"request_rate":150,)"
                              R"("cpu_avg":0.9})";
  EXPECT_THAT(ask("POST", "/scaling", present + "}").body, HasSubstr("monitor"));
  std::string body = present + R"(,"history":[)";
  for (int t = 300; t > 0; --t) {
    const std::int64_t at = FakeBackend::kNow.count() - 60 * t;
    body += (t < 300 ? "," : "") + (R"({"timestamp":)" + std::to_string(at)) +
            R"(,"request_rate":)" + std::to_string(100 + t % 50) + R"(,"cpu_avg":)" +
            std::to_string((100. + t % 50) / 200) + R"(,"replicas":2})";
  }
  const auto response = ask("POST", "/scaling", body + "]}");
  EXPECT_THAT(response.body, ::testing::Not(HasSubstr("monitor")));
}

TEST_F(ScalingApi, SaysThatNoMoreServicesCanBeKept) {
  scaling.refusal = Error{ErrorCode::kTooLarge, 0};
  for (const auto& [method, target, body] :
       {std::tuple{"POST", "/scaling", R"({"usage_patterns":{"cpu_avg":0.5}})"},
        std::tuple{"PUT", "/scaling/web", R"({"replicas_min":3})"}}) {
    const auto response = ask(method, target, body);
    EXPECT_EQ(response.status, 503u);
    EXPECT_THAT(response.body, HasSubstr("no more services"));
  }
  scaling.refusal = Error{ErrorCode::kIo, 0};
  EXPECT_EQ(ask("PUT", "/scaling/web", R"({"replicas_min":3})").status, 500u);
}

TEST_F(ScalingApi, EveryWrongFieldIsNamed) {
  const auto errors = [this](std::string_view body) { return ask("POST", "/scaling", body); };
  for (const auto& [body, path] : std::initializer_list<std::pair<std::string_view, const char*>>{
           {R"({})", "usage_patterns"},
           {R"({"usage_patterns":null})", "usage_patterns"},
           {R"({"usage_patterns":{}})", "usage_patterns"},
           {R"({"usage_patterns":{"cpu_avg":-0.1}})", "usage_patterns.cpu_avg"},
           {R"({"usage_patterns":{"cpu_avg":70}})", "usage_patterns.cpu_avg"},
           {R"({"usage_patterns":{"cpu_avg":"much"}})", "usage_patterns.cpu_avg"},
           {R"({"usage_patterns":{"cpu_avg":0.5,"disk":1}})", "usage_patterns.disk"},
           {R"({"usage_patterns":{"request_rate":1e300}})", "usage_patterns.request_rate"},
           {R"({"usage_patterns":{"cpu_avg":0.5},"current_replicas":-1})", "current_replicas"},
           {R"({"usage_patterns":{"cpu_avg":0.5},"horizon_s":1e9})", "horizon_s"},
           {R"({"usage_patterns":{"cpu_avg":0.5},"service":""})", "service"},
           {R"({"usage_patterns":{"cpu_avg":0.5},"service":"liminal"})", "service"},
           {R"({"usage_patterns":{"cpu_avg":0.5},"service":"a\u0000b"})", "service"},
           {R"({"usage_patterns":{"cpu_avg":0.5},"service":"upstream:ws://a"})", "service"},
           {R"({"usage_patterns":{"cpu_avg":0.5},"history":{}})", "history"},
           {R"({"usage_patterns":{"cpu_avg":0.5},"history":[7]})", "history[0]"},
           {R"({"usage_patterns":{"cpu_avg":0.5},"history":[{"cpu_avg":0.5}]})",
            "history[0].timestamp"},
           {R"({"usage_patterns":{"cpu_avg":0.5},"history":[{"timestamp":90},{"timestamp":60}]})",
            "history[1].timestamp"},
           {R"({"usage_patterns":{"cpu_avg":0.5},"history":[{"timestamp":7000000000}]})",
            "history[0].timestamp"},
           {R"({"usage_patterns":{"cpu_avg":0.5},"history":[{"timestamp":0},{"timestamp":9e6}]})",
            "history[1].timestamp"}}) {
    const auto response = errors(body);
    EXPECT_EQ(response.status, 422u) << body << response.body;
    EXPECT_THAT(response.body, HasSubstr("\"path\":\"" + std::string(path) + "\"")) << body;
  }
  EXPECT_EQ(errors(R"({"usage_patterns":{"cpu_avg":NaN}})").status, 400u);
}

TEST_F(ScalingApi, NullIsNotTold) {
  EXPECT_EQ(ask("POST",
                "/scaling",
                R"({"service":null,"current_replicas":null,"horizon_s":null,"history":null,)"
                R"("usage_patterns":{"request_rate":1,"cpu_avg":null}})")
                .status,
            200u);
  EXPECT_EQ(scaling.known.count("default"), 1u);
  const auto set = ask("PUT", "/scaling/default", R"({"replicas_min":null,"capacity":null})");
  EXPECT_EQ(set.status, 200u) << set.body;
}

TEST_F(ScalingApi, ARowOfAClockThatIsAheadCountsAsOfNow) {
  const std::int64_t now = FakeBackend::kNow.count();
  const std::string ahead = std::to_string(now + 295);
  ASSERT_EQ(ask("POST",
                "/scaling",
                R"({"service":"web","usage_patterns":{"request_rate":100},)"
                R"("history":[{"timestamp":)" +
                    ahead + R"(,"request_rate":100}]})")
                .status,
            200u);
  EXPECT_EQ(scaling.known.at("web").service.open_minute(), now / 60);
}

TEST_F(ScalingApi, NamesOfServicesAreText) {
  for (const char* path : {"/scaling/%ff", "/scaling/a%0ab", "/scaling/%7f"})
    EXPECT_EQ(ask("PUT", path, "{}").status, 422u) << path;
  EXPECT_EQ(ask("PUT", "/scaling/caf%c3%a9", "{}").status, 201u);
}

TEST_F(ScalingApi, SaysWhyNothingIsKnownOfPerformance) {
  ASSERT_EQ(ask("PUT", "/scaling/web", "{}").status, 201u);
  EXPECT_THAT(ask("GET", "/scaling/web").body,
              HasSubstr(R"("performance":[],"performance_lack":"it needs half an hour)"));
  EXPECT_THAT(ask("GET", "/scaling/web?load=5").body,
              HasSubstr(R"("performance_lack":"current_replicas was never told")"));
}

TEST_F(ScalingApi, WhatCannotBeForgottenIsNoSuccess) {
  scaling.refusal = Error{ErrorCode::kIo, 0};
  EXPECT_EQ(ask("DELETE", "/scaling/web").status, 500u);
}

TEST_F(ScalingApi, SettingsAreCheckedKeptAndShown) {
  EXPECT_EQ(ask("GET", "/scaling/web").status, 404u);
  EXPECT_EQ(
      ask("PUT", "/scaling/web", R"({"replicas_min":3,"capacity":{"cpu_max_ratio":0.5}})").status,
      201u);
  const auto again = ask("PUT", "/scaling/web", R"({"cooldown_s":60})");
  EXPECT_EQ(again.status, 200u);
  EXPECT_THAT(again.body, HasSubstr(R"("replicas_min":3)"));
  EXPECT_THAT(again.body, HasSubstr(R"("cooldown_s":60)"));
  const auto wrong = ask("PUT", "/scaling/web", R"({"replicas_max":1,"shortage_cost":0})");
  EXPECT_EQ(wrong.status, 422u);
  EXPECT_THAT(wrong.body, HasSubstr("shortage_cost"));
  EXPECT_THAT(wrong.body, HasSubstr("replicas_min"));
  EXPECT_EQ(ask("GET", "/scaling/web/metric").status, 409u);
  EXPECT_EQ(ask("DELETE", "/scaling/web").status, 204u);
  EXPECT_EQ(ask("DELETE", "/scaling/web").status, 404u);
}

TEST_F(ScalingApi, WithoutAKeeperTheCallsAreNotThere) {
  Service alone{Options{}, backend};
  EXPECT_EQ(answer_of(alone, request("GET", "/scaling")).status, 503u);
}

}  // namespace
}  // namespace liminal::api
