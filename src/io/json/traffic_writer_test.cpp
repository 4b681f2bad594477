#include "io/json/traffic_writer.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace liminal::json {
namespace {

using namespace std::chrono_literals;
using namespace traffic;

template <class T>
std::string written(const T& what) {
  Writer out;
  write(what, out);
  return out.take();
}

constexpr const char* kFeatures =
    R"("messages_per_minute":120,"bytes_per_minute":0,"avg_message_size":0,)"
    R"("message_size_spread":0,"error_rate":0.25,"rate_limit_violations":0,)"
    R"("connection_duration":0,"open_connections":0,"channels_count":0,)"
    R"("new_channels_per_minute":0,"burstiness":0,"reconnects_per_minute":0,)"
    R"("distinct_addresses":0,"same_content_ratio":0,"unusual_hours_ratio":0,)"
    R"("messages_per_minute_5m":0,"messages_per_minute_1h":0)";

Features some_features() {
  Features features;
  features[FeatureId::kMessagesPerMinute] = 120;
  features[FeatureId::kErrorRate] = .25F;
  return features;
}

Alert some_alert() {
  Alert alert;
  alert.shard = ShardId{17};
  alert.number = 42;
  alert.user = "ann";
  alert.address = "10.0.0.1";
  alert.type = FindingType::kMessageFlood;
  alert.severity = Severity::kHigh;
  alert.first_seen = SteadyTime{1s};
  alert.last_seen = SteadyTime{2s};
  alert.count = 3;
  alert.worst.type = alert.type;
  alert.worst.detector = Detector::kRateSurprise10s;
  alert.worst.action = Action::kLimit;
  alert.worst.score = 1.5F;
  alert.worst.confidence = .75F;
  alert.worst.add({Signal::kMessages10s, 22, 0, std::numeric_limits<float>::infinity(), 1.5F});
  alert.features = some_features();
  return alert;
}

TEST(TrafficWriter, WritesAnAlert) {
  const std::string expected =
      R"({"id":"17-42","user_id":"ann","ip_address":"10.0.0.1","type":"message_flood",)"
      R"("severity":"high","confidence":0.75,"score":1.5,"status":"open","mode":"shadow",)"
      R"("detector":"rate_surprise_10s","feedback":null,"first_seen":"1970-01-01T00:00:01.000Z",)"
      R"("last_seen":"1970-01-01T00:00:02.000Z","count":3,"features":{)" +
      std::string(kFeatures) + R"(},"explanation":")" + explanation(some_alert().worst) +
      R"(","recommended_action":"limit","gateway":null,"gateway_alert":null})";
  EXPECT_EQ(written(some_alert()), expected);
}

TEST(TrafficWriter, SaysWhichGatewayToldOfAnAlert) {
  Alert alert = some_alert();
  alert.shard = kOfGateways;
  alert.number = 7;
  alert.origin = {"north", ShardId{17}, 42};
  const std::string text = written(alert);
  EXPECT_EQ(text.find(R"({"id":"64-7",)"), 0U);
  EXPECT_NE(text.find(R"("gateway":"north","gateway_alert":"17-42"})"), std::string::npos);
}

TEST(TrafficWriter, WritesNullForWhatIsNotKnown) {
  Alert alert = some_alert();
  alert.number = 0;
  alert.address.clear();
  alert.feedback = FeedbackVerdict::kExpected;
  const std::string text = written(alert);
  EXPECT_EQ(text.find(R"({"id":null,"user_id":"ann","ip_address":null,)"), 0U);
  EXPECT_NE(text.find(R"("feedback":"expected")"), std::string::npos);
}

TEST(TrafficWriter, WritesAFeatureRow) {
  EXPECT_EQ(written(FeatureRow{"ann", "", SteadyTime{}, some_features()}),
            R"({"user_id":"ann","ip_address":null,"timestamp":"1970-01-01T00:00:00.000Z",)" +
                std::string(kFeatures) + "}");
}

TEST(TrafficWriter, WritesWhoDecidedAndFromWhat) {
  Finding finding = some_alert().worst;
  EXPECT_EQ(
      written(finding),
      R"({"decided_by":"baseline","detector":"rate_surprise_10s","rule":null,"model_version":null,)"
      R"("severity":"low","score":1.5,"confidence":0.75,"mode":"shadow","explanation":")" +
          explanation(finding) +
          R"(","evidence":[{"signal":"messages_10s","unit":"1","observed":22,)"
          R"("expected_low":0,"expected_high":null,"contribution":1.5}]})");
  finding.detector = Detector::kRule;
  finding.rule = 3;
  EXPECT_EQ(written(finding).find(R"({"decided_by":"rule","detector":"rule","rule":3,)"), 0U);
}

TEST(TrafficWriter, WritesAnOverride) {
  Override decision{"ann", Override::Kind::kRate, 2.5, 5, "too loud", SteadyTime{1s}, {}};
  EXPECT_EQ(written(decision),
            R"({"user_id":"ann","kind":"rate","messages_per_second":2.5,"burst":5,)"
            R"("reason":"too loud","created":"1970-01-01T00:00:01.000Z","expires":null})");
  decision.kind = Override::Kind::kBlock;
  decision.expires = SteadyTime{2s};
  EXPECT_EQ(written(decision),
            R"({"user_id":"ann","kind":"block","messages_per_second":null,"burst":null,)"
            R"("reason":"too loud","created":"1970-01-01T00:00:01.000Z",)"
            R"("expires":"1970-01-01T00:00:02.000Z"})");
}

}  // namespace
}  // namespace liminal::json
