#include "io/json/time_text.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace liminal::json {
namespace {

using namespace std::chrono_literals;

TEST(TimeText, ReadsEveryFormOfRfc3339) {
  const EventTime expected{1'795'534'772s + 125ms};
  for (const char* text : {"2026-11-24T15:39:32.125Z",
                           "2026-11-24t15:39:32.125z",
                           "2026-11-24 15:39:32.125Z",
                           "2026-11-24T16:39:32.125+01:00",
                           "2026-11-24T10:09:32.125000000999-05:30"})
    EXPECT_EQ(parse_time(text), expected) << text;
}

TEST(TimeText, CountsALeapSecondAsTheNextSecond) {
  EXPECT_EQ(parse_time("2016-12-31T23:59:60Z"), parse_time("2017-01-01T00:00:00Z"));
}

TEST(TimeText, RefusesWhatIsNoTimeOrOutsideItsRange) {
  for (const char* text : {"",
                           "2026-11-24",
                           "2026-11-24T15:39:32",
                           "2026-11-24T15:39Z",
                           "2026-02-30T00:00:00Z",
                           "2026-13-01T00:00:00Z",
                           "2026-11-24T24:00:00Z",
                           "2026-11-24T15:39:32.Z",
                           "2026-11-24T15:39:32Zx",
                           "2026-11-24T15:39:32+24:00",
                           "2026-11--4T15:39:32Z",
                           "-026-11-24T15:39:32Z",
                           "1969-12-31T23:59:59Z",
                           "2201-01-01T00:00:00Z"})
    EXPECT_FALSE(parse_time(text)) << text;
}

TEST(TimeText, RoundsDownToMilliseconds) {
  EXPECT_EQ(format_time(SteadyTime{1'795'534'772s + 125'999'999ns}), "2026-11-24T15:39:32.125Z");
  EXPECT_EQ(format_time(SteadyTime{}), "1970-01-01T00:00:00.000Z");
}

RC_GTEST_PROP(TimeText, ReadsWhatItWrote, ()) {
  const auto ms = *rc::gen::inRange<std::int64_t>(0, kSecondsMax * 1000);
  const std::string text = format_time(SteadyTime{std::chrono::milliseconds{ms}});
  RC_ASSERT(parse_time(text) == EventTime{std::chrono::milliseconds{ms}});
}

}  // namespace
}  // namespace liminal::json
