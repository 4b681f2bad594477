#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/remote_write/testing.hpp"
#include "server/api/fake_anomalies.hpp"
#include "server/api/testing.hpp"

namespace liminal::api {
namespace {

namespace written = remote_write::testing;
using prometheus::Family;
using testing::answer_of;
using ::testing::HasSubstr;
using testing::request;

class WriteHandlersTest : public ::testing::Test {
 protected:
  WriteHandlersTest() { service.attach(metrics); }

  http::Response post(std::string_view body,
                      const std::string& type = "application/x-protobuf",
                      const std::string& encoding = "snappy") {
    http::Request asked = request("POST", "/api/v1/write", body);
    if (!type.empty()) asked.headers.push_back({"Content-Type", type});
    if (!encoding.empty()) asked.headers.push_back({"Content-Encoding", encoding});
    return answer_of(service, std::move(asked));
  }
  double count(std::string_view result) {
    return service.own_metrics().value(Family::kRemoteWrite, {result});
  }

  const std::string good = written::compressed(written::series(
      {{"__name__", "up"}, {"instance", "a:1"}}, written::sample(1, 5) + written::sample(1, 6)));
  Options options{.access = {.requests_per_second = 0}};
  FakeBackend backend;
  FakeAnomalies metrics;
  Service service{options, backend};
};

TEST_F(WriteHandlersTest, LearnsAndAnswersNothing) {
  const http::Response answer = post(good);
  EXPECT_EQ(answer.status, 204U);
  EXPECT_EQ(answer.body, "");
  ASSERT_EQ(metrics.learnt.size(), 1U);
  EXPECT_EQ(metrics.learnt[0].source, "a:1");
  EXPECT_EQ(metrics.learnt[0].rows.size(), 2U);
  EXPECT_EQ(count("learnt"), 2);
  EXPECT_EQ(count("histogram"), 0);
  EXPECT_EQ(post(written::compressed("")).status, 204U);
}

TEST_F(WriteHandlersTest, TakesVersionOneOnly) {
  EXPECT_EQ(post(good, "application/x-protobuf;proto=prometheus.WriteRequest").status, 204U);
  EXPECT_EQ(post(good, "", "").status, 204U);
  EXPECT_EQ(post(good, "application/x-protobuf;proto=io.prometheus.write.v2.Request").status, 415U);
  EXPECT_EQ(post(good, "application/json").status, 415U);
  EXPECT_EQ(post(good, "application/x-protobuf", "gzip").status, 415U);
  EXPECT_EQ(metrics.learnt.size(), 2U);
}

TEST_F(WriteHandlersTest, SaysWhyABodyIsWrong) {
  const auto wrong = [&](std::string_view body, unsigned status, const char* why) {
    const http::Response answer = post(body);
    EXPECT_EQ(answer.status, status) << answer.body;
    EXPECT_THAT(answer.body, HasSubstr(why));
    EXPECT_EQ(answer.header("Content-Type"), "application/problem+json");
  };
  wrong("nothing", 400, "no Snappy block");
  wrong("", 400, "no Snappy block");
  wrong("\xff\xff\xff\x7f", 413, "larger");
  wrong(written::compressed("x"), 400, "no prometheus.WriteRequest, at byte");
  wrong(written::compressed(written::series({{"a", "b"}}, "")),
        400,
        "series 0 has no label __name__");
  wrong(
      written::compressed(written::series({{"__name__", "x"}, {"b", ""}}, "")), 400, "empty label");
  std::string many;
  for (int i = 0; i < 20'001; ++i) many += written::series({{"__name__", "x"}}, "");
  wrong(written::compressed(many), 413, "more series");
  EXPECT_TRUE(metrics.learnt.empty());
}

TEST_F(WriteHandlersTest, LearnsGoodSeriesBesideBadOnes) {
  const std::string message =
      written::series({{"instance", "a:1"}}, written::sample(1, 5) + written::sample(1, 6)) +
      written::series({{"__name__", "up"}, {"instance", "a:1"}}, written::sample(1, 5)) +
      written::series({{"__name__", "x"}, {"b", "1"}, {"b", "2"}}, written::sample(1, 5));
  EXPECT_EQ(post(written::compressed(message)).status, 204U);
  ASSERT_EQ(metrics.learnt.size(), 1U);
  EXPECT_EQ(metrics.learnt[0].metrics, std::vector<std::string>{"up"});
  EXPECT_EQ(count("learnt"), 1);
  EXPECT_EQ(count("invalid"), 3);
}

TEST_F(WriteHandlersTest, ALargeBodyDoesNotHoldUpTheThreadAndIsSentAgainWhenThereIsTooMuch) {
  std::string many;
  for (int i = 0; i < 2000; ++i)
    many += written::series({{"__name__", "x" + std::to_string(i * 7919)}}, written::sample(i, 1));
  const std::string body = written::compressed(many);
  ASSERT_GT(body.size(), 4096U);
  EXPECT_EQ(post(body).status, 204U);
  EXPECT_EQ(metrics.runs, 1U);
  EXPECT_EQ(count("learnt"), 2000);
  metrics.busy = true;
  const http::Response answer = post(body);
  EXPECT_EQ(answer.status, 503U);
  EXPECT_EQ(answer.header("Retry-After"), "1");
}

TEST(WaitingWork, IsBoundedByItsBytesAndLeftUndoneWhenItWaitedTooLong) {
  std::string many;
  for (int i = 0; i < 2000; ++i)
    many += written::series({{"__name__", "x" + std::to_string(i * 7919)}}, written::sample(i, 1));
  const std::string body = written::compressed(many);
  Options options{.access = {.requests_per_second = 0}};
  options.waiting_bytes_max = 2 * body.size();
  std::chrono::steady_clock::time_point now{};
  FakeBackend backend;
  FakeAnomalies metrics;
  Service service(options, backend, [&now] { return now; });
  service.attach(metrics);
  std::vector<unsigned> answers;
  const auto post = [&] {
    service.handle(request("POST", "/api/v1/write", body),
                   [&](const http::Response& given) { answers.push_back(given.status); });
  };
  metrics.waits = true;
  for (int i = 0; i < 3; ++i) post();
  EXPECT_EQ(answers, (std::vector<unsigned>{503})) << "two wait";
  metrics.waiting.front()();
  metrics.waiting.erase(metrics.waiting.begin());
  post();
  EXPECT_EQ(answers, (std::vector<unsigned>{503, 204})) << "there is room again";
  EXPECT_EQ(metrics.learnt.size(), 1U);
  now += options.http.handler_timeout;
  for (const auto& task : std::exchange(metrics.waiting, {})) task();
  EXPECT_EQ(answers, (std::vector<unsigned>{503, 204, 503, 503})) << "told by the server before";
  EXPECT_EQ(metrics.learnt.size(), 1U);
}

TEST_F(WriteHandlersTest, CountsWhatIsNotLearnt) {
  const std::string message =
      written::series(
          {{"__name__", "h"}},
          written::delimited(4, "") + written::delimited(4, "") + written::delimited(3, "")) +
      written::series({{"__name__", "x"}, {"instance", "liminal"}}, written::sample(1, 1)) +
      written::series({{"__name__", "x"}}, written::sample(1, -1));
  EXPECT_EQ(post(written::compressed(message)).status, 204U);
  EXPECT_EQ(count("histogram"), 2);
  EXPECT_EQ(count("exemplar"), 1);
  EXPECT_EQ(count("reserved"), 1);
  EXPECT_EQ(count("out_of_range"), 1);
  EXPECT_EQ(count("learnt"), 0);
}

}  // namespace
}  // namespace liminal::api
