#include "server/api/remote_rows.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace liminal::api {
namespace {

using remote_write::Request;
using remote_write::Series;
using ::testing::ElementsAre;

constexpr EventTime kNow{std::chrono::seconds{1'800'000'000}};
constexpr std::int64_t kNowMs = 1'800'000'000'000;

TEST(RemoteRows, PutsTheSamplesOfASourceAtOneTimeIntoOneRow) {
  Request request;
  request.series = {
      {{{"__name__", "up"}, {"instance", "a"}, {"job", "web"}}, {{2000, 1}, {1000, 2}}},
      {{{"__name__", "cpu"}, {"instance", "a"}}, {{2000, .5}}},
      {{{"__name__", "up"}, {"instance", "b"}}, {{1000, 3}}},
  };
  const RemoteRows rows = rows_of(request, kNow);
  ASSERT_EQ(rows.batches.size(), 2U);
  const novelty::Batch& a = rows.batches[0];
  EXPECT_EQ(a.source, "a");
  EXPECT_THAT(a.metrics, ElementsAre("up{job=\"web\"}", "cpu"));
  ASSERT_EQ(a.rows.size(), 2U) << "in the order of time";
  EXPECT_EQ(a.rows[0].at, EventTime{std::chrono::seconds{1}});
  ASSERT_EQ(a.rows[1].values.size(), 2U);
  EXPECT_EQ(a.rows[1].values[0].value, 1);
  EXPECT_EQ(a.rows[1].values[1].value, .5);
  EXPECT_EQ(rows.batches[1].source, "b");
}

TEST(RemoteRows, NamesSourcesByInstanceThenJob) {
  Request request;
  for (const char* label : {"instance", "job", "other"})
    request.series.push_back({{{"__name__", "x"}, {label, "v"}}, {{1, 1}}});
  const RemoteRows rows = rows_of(request, kNow);
  ASSERT_EQ(rows.batches.size(), 2U);
  EXPECT_EQ(rows.batches[0].source, "prometheus");
  EXPECT_THAT(rows.batches[0].metrics, ElementsAre("x{other=\"v\"}"));
  EXPECT_EQ(rows.batches[1].source, "v");
  EXPECT_THAT(rows.batches[1].metrics, ElementsAre("x")) << "of both";
}

TEST(RemoteRows, EscapesLabelsAsPrometheusDoes) {
  Request request;
  request.series = {{{{"__name__", "x"}, {"a", "q\"b\\n\nz"}, {"c", "d"}}, {{1, 1}}}};
  EXPECT_THAT(rows_of(request, kNow).batches.at(0).metrics,
              ElementsAre("x{a=\"q\\\"b\\\\n\\nz\",c=\"d\"}"));
}

TEST(RemoteRows, TakesCountersByTheirNames) {
  Request request;
  for (const char* name : {"a_total", "a_count", "a_sum", "a_bucket", "a_bytes", "total"})
    request.series.push_back({{{"__name__", name}}, {{1, 1}}});
  EXPECT_THAT(rows_of(request, kNow).batches.at(0).counters,
              ElementsAre(true, true, true, true, false, false));
}

TEST(RemoteRows, CountsWhatItLeavesOut) {
  const std::string longest(kRemoteSeriesBytesMax, 'x'), longer = longest + "y";
  const std::string source(kRemoteSourceBytesMax + 1, 's');
  Request request;
  request.series = {
      {{{"__name__", "up"}, {"instance", "liminal"}}, {{1, 1}}},
      {{{"__name__", "up"}, {"instance", "upstream:ws://a"}}, {{2, 1}}},
      {{{"__name__", "liminal_metric_score"}, {"instance", "a"}}, {{1, 1}}},
      {{{"__name__", "liminal_metric_of_a_later_version"}, {"instance", "a"}}, {{1, 1}}},
      {{{"__name__", "x"}, {"instance", "a"}},
       {{5, 1}, {5, 2}, {-1, 1}, {kNowMs + 301'000, 1}, {7, 1e200}, {6, INFINITY}, {8, NAN}}},
      {{{"__name__", longest}, {"instance", "a"}}, {{1, 1}}},
      {{{"__name__", longer}, {"instance", "a"}}, {{1, 1}}},
      {{{"__name__", "x"}, {"instance", source}}, {{1, 1}, {2, 1}}},
  };
  const RemoteRows rows = rows_of(request, kNow);
  EXPECT_EQ(rows.reserved, 4U);
  EXPECT_EQ(rows.duplicate, 1U);
  EXPECT_EQ(rows.out_of_range, 3U);
  EXPECT_EQ(rows.beyond, 3U);
  ASSERT_EQ(rows.batches.size(), 1U);
  EXPECT_EQ(rows.batches[0].rows.size(), 4U) << "1, 5, 6 and 8; what is not finite is missing";
  EXPECT_EQ(rows.batches[0].rows[1].values.at(0).value, 1) << "the first of two";
}

TEST(RemoteRows, OfNothingIsNothing) {
  EXPECT_TRUE(rows_of({}, kNow).batches.empty());
  Request request;
  request.series = {{{{"__name__", "x"}}, {}}};
  EXPECT_TRUE(rows_of(request, kNow).batches.empty());
}

}  // namespace
}  // namespace liminal::api
