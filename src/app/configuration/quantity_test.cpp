#include "app/configuration/quantity.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace liminal::app {
namespace {

using namespace std::chrono_literals;

TEST(Duration, IsReadWithItsUnit) {
  EXPECT_EQ(parse_duration("250 ms"), 250ms);
  EXPECT_EQ(parse_duration("1.5s"), 1500ms);
  EXPECT_EQ(parse_duration("10 min"), 10min);
  EXPECT_EQ(parse_duration("10m"), 10min);
  EXPECT_EQ(parse_duration("7 d"), 168h);
  EXPECT_EQ(parse_duration("0"), 0s);
  for (const char* wrong : {"",
                            "10",
                            "s",
                            "-1 s",
                            "1 s 5 ms",
                            "1 fortnight",
                            "0.5 ns",
                            "nan s",
                            "inf s",
                            "1e30 d",
                            "1 S"})
    EXPECT_FALSE(parse_duration(wrong)) << wrong;
}

TEST(Bytes, AreReadWithTheirUnit) {
  EXPECT_EQ(parse_bytes("64 KiB"), 65'536u);
  EXPECT_EQ(parse_bytes("64KB"), 64'000u);
  EXPECT_EQ(parse_bytes("1.5 MiB"), 1'572'864u);
  EXPECT_EQ(parse_bytes("512 B"), 512u);
  for (const char* wrong : {"", "64", "64 kib", "0.3 B", "-1 B", "1e30 TiB"})
    EXPECT_FALSE(parse_bytes(wrong)) << wrong;
}

TEST(Quantities, AreWrittenInTheLargestUnitThatFits) {
  EXPECT_EQ(format_duration(90s), "90 s");
  EXPECT_EQ(format_duration(120s), "2 min");
  EXPECT_EQ(format_duration(24h), "1 d");
  EXPECT_EQ(format_duration(Duration::zero()), "0 s");
  EXPECT_EQ(format_bytes(65'536), "64 KiB");
  EXPECT_EQ(format_bytes(64'000), "64000 B");
  EXPECT_EQ(format_bytes(0), "0 B");
}

RC_GTEST_PROP(Quantities, WrittenReadBackTheSame, ()) {
  // Up to 2^53: beyond, a number in text is rounded as a double is.
  const auto value = *rc::gen::inRange<std::int64_t>(0, std::int64_t{1} << 53);
  RC_ASSERT(parse_duration(format_duration(Duration{value})) == Duration{value});
  RC_ASSERT(parse_bytes(format_bytes(static_cast<std::uint64_t>(value))) ==
            static_cast<std::uint64_t>(value));
}

TEST(TimeOfDay, IsHoursAndMinutes) {
  EXPECT_EQ(parse_time_of_day("00:00"), Duration::zero());
  EXPECT_EQ(parse_time_of_day("03:30"), std::chrono::minutes{210});
  EXPECT_EQ(parse_time_of_day("23:59"), std::chrono::minutes{24 * 60 - 1});
  for (const char* wrong : {"", "3:30", "24:00", "12:60", "12-30", "12:3x", "012:30", "-1:00"})
    EXPECT_EQ(parse_time_of_day(wrong), std::nullopt) << wrong;
}

}  // namespace
}  // namespace liminal::app
