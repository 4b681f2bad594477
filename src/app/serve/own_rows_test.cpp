#include "app/serve/own_rows.hpp"

#include <gmock/gmock.h>

#include <map>

namespace liminal::app {
namespace {

using prometheus::Family;
using prometheus::Snapshot;
using testing::DoubleEq;
using testing::ElementsAre;
using testing::IsSupersetOf;
using testing::Pair;
using testing::SizeIs;
using namespace std::chrono_literals;

constexpr OwnRows::SteadyPoint kBegin{1h};
constexpr EventTime kNow{std::chrono::hours{500'000}};

prometheus::Histogram durations(int count, Duration each) {
  prometheus::Histogram all;
  for (int i = 0; i < count; ++i) all.observe(each);
  return all;
}

Snapshot totals(double messages, double of_upstream, int timed) {
  Snapshot out;
  out.add(Family::kMessages, messages, {"text", "in"});
  out.add(Family::kMessages, messages, {"text", "out"});
  out.add(Family::kConnections, 7);
  out.add(Family::kMessageSeconds, durations(timed, 1ms));
  out.add(Family::kUpstreamConnections, 5, {"ws://a"});
  out.add(Family::kUpstreamMessages, of_upstream, {"ws://a", "in"});
  out.add(Family::kUpstreamMessages, 3 * of_upstream, {"ws://a", "out"});
  out.add(Family::kUpstreamBytes, 100 * of_upstream, {"ws://a", "in"});
  out.add(Family::kUpstreamErrors, of_upstream / 10, {"ws://a"});
  out.add(Family::kUpstreamAnswerSeconds, durations(timed, 20ms), {"ws://a"});
  return out;
}

std::map<std::string, double> values_of(const novelty::Batch& batch) {
  std::map<std::string, double> values;
  EXPECT_THAT(batch.rows, SizeIs(1));
  EXPECT_EQ(batch.rows[0].at, kNow);
  for (const auto& value : batch.rows[0].values) values[batch.metrics[value.metric]] = value.value;
  return values;
}

TEST(OwnRows, TellRatesOfTheProgramAndOfEachUpstream) {
  OwnRows rows;
  EXPECT_TRUE(rows.rows(totals(100, 10, 2), kBegin, kNow).empty()) << "of what, nobody knows yet";
  const auto told = rows.rows(totals(200, 60, 6), kBegin + 5s, kNow);
  ASSERT_THAT(told, SizeIs(2));
  EXPECT_EQ(told[0].source, "liminal");
  EXPECT_THAT(values_of(told[0]),
              IsSupersetOf({Pair("connections", DoubleEq(7)),
                            Pair("messages_per_second", DoubleEq(40)),
                            Pair("message_seconds", DoubleEq(.001))}));
  EXPECT_EQ(told[1].source, "upstream:ws://a");
  EXPECT_THAT(values_of(told[1]),
              ElementsAre(Pair("answer_seconds", DoubleEq(.02)),
                          Pair("bytes_in_per_second", DoubleEq(1000)),
                          Pair("bytes_out_per_second", 0),
                          Pair("connections", 5),
                          Pair("error_answers_per_second", 0),
                          Pair("failures_per_second", DoubleEq(1)),
                          Pair("messages_in_per_second", DoubleEq(10)),
                          Pair("messages_out_per_second", DoubleEq(30))));
}

TEST(OwnRows, HaveNoDurationWhereNothingWasTimedAndNoNegativeRate) {
  OwnRows rows;
  (void)rows.rows(totals(100, 50, 2), kBegin, kNow);
  const auto told = rows.rows(totals(100, 20, 1), kBegin + 5s, kNow);
  ASSERT_THAT(told, SizeIs(2));
  EXPECT_EQ(values_of(told[0]).count("message_seconds"), 0U);
  EXPECT_EQ(values_of(told[1]).count("answer_seconds"), 0U) << "the upstream is another one";
  EXPECT_EQ(values_of(told[1]).at("messages_in_per_second"), 0);
  EXPECT_TRUE(rows.rows(totals(100, 20, 1), kBegin + 5s, kNow).empty()) << "no time has passed";
}

TEST(OwnRows, AreOfSixteenUpstreamsAtMostAndOfNoneThatHasJustCome) {
  OwnRows rows;
  Snapshot many = totals(1, 1, 1);
  (void)rows.rows(many, kBegin, kNow);
  for (int i = 0; i < 30; ++i)
    many.add(Family::kUpstreamConnections, 1, {"ws://b" + std::to_string(i)});
  EXPECT_THAT(rows.rows(many, kBegin + 5s, kNow), SizeIs(2));
  EXPECT_THAT(rows.rows(many, kBegin + 10s, kNow), SizeIs(1 + OwnRows::kUpstreamsMax));
}

}  // namespace
}  // namespace liminal::app
