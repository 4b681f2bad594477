#include "server/uplink/outbound.hpp"

#include <gtest/gtest.h>

#include <algorithm>
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
  o.alerts_max = 3;
  return o;
}

traffic::Alert alert(std::uint64_t number, std::uint64_t count = 1) {
  traffic::Alert made;
  made.shard = ShardId{17};
  made.number = number;
  made.user = "ann";
  made.first_seen = made.last_seen = kNow;
  made.count = count;
  return made;
}

Said said(std::uint64_t last, std::uint64_t waiting) {
  traffic::JudgedAlert word{alert(last), kNow, "spam"};
  word.alert.feedback = traffic::FeedbackVerdict::kTruePositive;
  return {{word}, last, waiting};
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

std::string body(const Parcel& parcel) { return body_of(parcel, "gate"); }

TEST(Outbound, SendsRowsInTheirOrderAndMetricsInBetween) {
  Outbound out(options(), 1);
  EXPECT_FALSE(out.take(kNow));
  out.push(row("ann"));
  out.push(row("bob"));
  out.push(batch(2));
  auto first = out.take(kNow);
  ASSERT_TRUE(first);
  EXPECT_EQ(target_of(first->kind), "/ml/features/recent");
  EXPECT_EQ(first->rows, 2U);
  EXPECT_LT(body(*first).find("ann"), body(*first).find("bob"));
  EXPECT_TRUE(json::parse(body(*first)));
  out.settle(*first, {Kind::kDone, {}}, kNow);
  const auto second = out.take(kNow);
  ASSERT_TRUE(second);
  EXPECT_EQ(target_of(second->kind), "/anomaly");
  EXPECT_NE(body(*second).find(R"("source":"gate/web")"), std::string::npos) << body(*second);
  EXPECT_NE(body(*second).find(R"("cpu":0.5)"), std::string::npos) << body(*second);
  EXPECT_NE(body(*second).find(R"("cpu":null)"), std::string::npos) << body(*second);
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
  EXPECT_EQ(body(*parcel).find(R"("a")"), std::string::npos);
  EXPECT_NE(body(*parcel).find(R"("c")"), std::string::npos);
  for (int i = 0; i < 3; ++i) out.push(batch(2));
  EXPECT_EQ(out.metrics().waiting, 4U);
  EXPECT_EQ(out.metrics().dropped, 2U);
  out.push(batch(5));  // more than can ever wait
  EXPECT_EQ(out.metrics().waiting, 4U);
  EXPECT_EQ(out.metrics().dropped, 7U);
}

TEST(Outbound, LosesOfManyAlertsOnlyTheOneThatCannotBeRead) {
  Options many = options();
  many.alerts_max = 10;
  Outbound out(many, 1);
  for (std::uint64_t number = 1; number <= 5; ++number) out.push(alert(number));
  std::vector<std::uint64_t> taken;
  while (auto parcel = out.take(kNow)) {
    const bool bad = std::any_of(parcel->alerts.begin(), parcel->alerts.end(), [](const auto& one) {
      return one.alert.number == 2;
    });
    if (bad && out.halve(*parcel)) {
      out.push(alert(4, 9));  // meanwhile
      continue;
    }
    for (const auto& one : parcel->alerts) taken.push_back(one.alert.number);
    out.settle(std::move(*parcel), {bad ? Kind::kRejected : Kind::kDone, {}}, kNow);
  }
  EXPECT_EQ(taken, (std::vector<std::uint64_t>{1, 2, 3, 4, 5}));
  EXPECT_EQ(out.alerts().sent, 4U);
  EXPECT_EQ(out.alerts().rejected, 1U);
}

TEST(Outbound, SendsAnAlertAsItIsByThenInThePlaceOfItsFirstState) {
  Outbound out(options(), 1);
  out.push(alert(1));
  out.push(alert(2));
  traffic::Alert later = alert(1, 5);
  later.feedback = traffic::FeedbackVerdict::kExpected;  // goes with the words, which know when
  out.push(later);
  EXPECT_EQ(out.alerts().waiting, 2U);
  const auto parcel = out.take(kNow);
  ASSERT_TRUE(parcel);
  EXPECT_EQ(target_of(parcel->kind), "/ml/anomalies/recent");
  EXPECT_EQ(parcel->rows, 2U);
  const std::string text = body(*parcel);
  EXPECT_EQ(text.find(R"({"gateway":"gate","alerts":[{"id":"17-1",)"), 0U) << text;
  EXPECT_LT(text.find(R"("count":5)"), text.find(R"("id":"17-2")")) << text;
  EXPECT_EQ(text.find("expected\"}"), std::string::npos);
  EXPECT_NE(text.find(R"("feedback":null)"), std::string::npos);
  out.settle(*parcel, {Kind::kDone, {}}, kNow);
  EXPECT_EQ(out.alerts().sent, 2U);
  for (std::uint64_t number = 3; number <= 7; ++number) out.push(alert(number));
  EXPECT_EQ(out.alerts().waiting, 3U);
  EXPECT_EQ(out.alerts().dropped, 2U);
  EXPECT_NE(body(*out.take(kNow)).find(R"("alerts":[{"id":"17-5",)"), std::string::npos);
}

TEST(Outbound, SendsWordsThatWereFetchedAndAsksForMoreOnlyThen) {
  Outbound out(options(), 1);
  EXPECT_GT(out.words_wanted(), 0U);
  out.offer(said(8, 3));
  EXPECT_EQ(out.words_wanted(), 0U);
  EXPECT_EQ(out.feedback().waiting, 3U);
  auto parcel = out.take(kNow);
  ASSERT_TRUE(parcel);
  EXPECT_EQ(parcel->last, 8U);
  EXPECT_NE(body(*parcel).find(R"("feedback":{"verdict":"true_positive","time":)"),
            std::string::npos);
  EXPECT_NE(body(*parcel).find(R"("note":"spam"})"), std::string::npos);
  out.settle(std::move(*parcel), {Kind::kRetry, {}}, kNow);
  EXPECT_EQ(out.words_wanted(), 0U) << "these are tried again";
  out.offer({{}, 0, 4});
  EXPECT_EQ(out.feedback().waiting, 4U) << "as their keeper counts them";
  parcel = out.take(out.not_before());
  ASSERT_TRUE(parcel);
  EXPECT_EQ(parcel->last, 8U);
  out.settle(std::move(*parcel), {Kind::kDone, {}}, kNow);
  EXPECT_GT(out.words_wanted(), 0U);
  EXPECT_EQ(out.feedback().sent, 1U);
}

TEST(Outbound, LetsKindsTakeTurns) {
  Outbound out(options(), 1);
  out.push(row("ann"));
  out.push(batch(1));
  out.push(alert(1));
  out.offer(said(1, 1));
  std::vector<Parcel::Kind> kinds;
  for (int i = 0; i < 4; ++i) {
    out.push(row("bob"));
    auto parcel = out.take(kNow);
    ASSERT_TRUE(parcel);
    kinds.push_back(parcel->kind);
    out.settle(std::move(*parcel), {Kind::kDone, {}}, kNow);
  }
  using Of = Parcel::Kind;
  EXPECT_EQ(kinds, (std::vector{Of::kRows, Of::kMetrics, Of::kAlerts, Of::kFeedback}));
}

TEST(Outbound, PartsWhatTheApiWouldRefuse) {
  Options o = options();
  o.metric_rows_max = 100;
  Outbound out(o, 1);
  novelty::Batch wide{
      "web", {}, {{EventTime{seconds{1}}, {}}, {EventTime{seconds{2}}, {{0, 2}}}}, {}};
  for (std::uint32_t i = 0; i < 300; ++i) {
    wide.metrics.push_back(i == 5 ? std::string(129, 'x') : "m" + std::to_string(i));
    wide.rows[0].values.push_back({i, static_cast<double>(i)});
  }
  out.push(wide);
  const auto first = out.take(kNow), second = out.take(kNow);
  ASSERT_TRUE(first && second);
  EXPECT_FALSE(out.take(kNow));
  EXPECT_EQ(first->metrics.metrics.size(), 256U);
  EXPECT_EQ(first->rows, 2U);
  EXPECT_EQ(second->metrics.metrics.size(), 43U);
  EXPECT_EQ(second->rows, 1U) << "its second row has nothing of it";
  EXPECT_NE(body(*second).find(R"("m299":299)"), std::string::npos);
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
