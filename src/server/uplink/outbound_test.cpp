#include "server/uplink/outbound.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "io/json/value.hpp"

namespace liminal::uplink {
namespace {

using std::chrono::seconds;
using Kind = http::Outcome::Kind;

constexpr SteadyTime kNow{std::chrono::hours{500'000}};

Options options() {
  Options o;
  o.url = "http://127.0.0.1:8000";
  o.name = "gate";
  o.rows_max = 3;
  o.metric_rows_max = 4;
  return o;
}

traffic::FeatureRow row(const std::string& user) { return {user, "", kNow, {}}; }

novelty::Batch batch(std::size_t rows) {
  novelty::Batch made;
  made.source = "web";
  made.metrics = {"cpu"};
  for (std::size_t i = 0; i < rows; ++i) {
    const double value = i == 0 ? .5 : std::numeric_limits<double>::quiet_NaN();
    made.rows.push_back({EventTime{seconds{1'800'000'000 + static_cast<int>(i)}}, {{0, value}}});
  }
  return made;
}

TEST(Outbound, SendsRowsInTheirOrderAndMetricsInBetween) {
  Outbound out(options(), 1);
  EXPECT_FALSE(out.take(kNow));
  out.push(row("ann"));
  out.push(row("bob"));
  out.push(batch(2));
  auto first = out.take(kNow);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->target, "/ml/features/recent");
  EXPECT_EQ(first->rows, 2U);
  EXPECT_LT(first->body.find("ann"), first->body.find("bob"));
  EXPECT_TRUE(json::parse(first->body));
  out.settle(*first, {Kind::kDone, {}}, kNow);
  const auto second = out.take(kNow);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->target, "/anomaly");
  EXPECT_NE(second->body.find(R"("source":"gate/web")"), std::string::npos) << second->body;
  EXPECT_NE(second->body.find(R"("cpu":0.5)"), std::string::npos) << second->body;
  EXPECT_NE(second->body.find(R"("cpu":null)"), std::string::npos) << second->body;
  EXPECT_NE(second->key, first->key);
  out.settle(*second, {Kind::kRejected, {}}, kNow);
  EXPECT_EQ(out.rows().sent, 2U);
  EXPECT_EQ(out.metrics().rejected, 2U);
  EXPECT_EQ(out.rows().waiting + out.metrics().waiting, 0U);
}

TEST(Outbound, PushesTheOldestOutAndCountsThem) {
  Outbound out(options(), 1);
  for (const char* user : {"a", "b", "c", "d", "e"}) out.push(row(user));
  EXPECT_EQ(out.rows().waiting, 3U);
  EXPECT_EQ(out.rows().dropped, 2U);
  const auto parcel = out.take(kNow);
  EXPECT_EQ(parcel->body.find(R"("a")"), std::string::npos);
  EXPECT_NE(parcel->body.find(R"("c")"), std::string::npos);
  for (int i = 0; i < 3; ++i) out.push(batch(2));
  EXPECT_EQ(out.metrics().waiting, 4U);
  EXPECT_EQ(out.metrics().dropped, 2U);
  out.push(batch(5));  // more than can ever wait
  EXPECT_EQ(out.metrics().waiting, 4U);
  EXPECT_EQ(out.metrics().dropped, 7U);
}

TEST(Outbound, TriesTheSameAgainLaterAndLater) {
  Options o = options();
  o.retry_first = seconds{1};
  o.retry_max = seconds{8};
  Outbound out(o, 1);
  out.push(row("ann"));
  SteadyTime now = kNow;
  auto parcel = out.take(now);
  const std::string key = parcel->key;
  for (const int pause : {1, 2, 4, 8, 8}) {
    out.settle(*parcel, {Kind::kRetry, {}}, now);
    EXPECT_EQ(out.rows().waiting, 1U);
    EXPECT_FALSE(out.take(now + seconds{pause} / 2 - Duration{1}));
    EXPECT_GE(out.not_before(), now + seconds{pause} / 2);
    EXPECT_LE(out.not_before(), now + seconds{pause});
    now = out.not_before();
    parcel = out.take(now);
    ASSERT_TRUE(parcel);
    EXPECT_EQ(parcel->key, key);
  }
  out.settle(*parcel, {Kind::kRetry, seconds{100}}, now);
  EXPECT_EQ(out.not_before(), now + seconds{8});
}

}  // namespace
}  // namespace liminal::uplink
