#include "io/svg/ticks.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <limits>

namespace liminal::svg {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> labels(AxisKind kind, double low, double high, int count) {
  std::vector<std::string> found;
  for (const Tick& tick : ticks(kind, low, high, count)) found.push_back(tick.label);
  return found;
}

TEST(Ticks, AreRoundNumbers) {
  EXPECT_THAT(labels(AxisKind::kNumber, 0, 100, 5),
              ElementsAre("0", "20", "40", "60", "80", "100"));
  EXPECT_THAT(labels(AxisKind::kNumber, -.13, .26, 4), ElementsAre("-0.1", "0", "0.1", "0.2"));
  EXPECT_THAT(labels(AxisKind::kNumber, 0, 25000, 3),
              ElementsAre("0", "10\u202f000", "20\u202f000"));
}

TEST(Ticks, OfTimesAreWherePeopleCount) {
  EXPECT_THAT(labels(AxisKind::kTime, 1767222000, 1767222000 + 4 * 3600, 4),
              ElementsAre("23:00", "01-01 00:00", "01:00", "02:00", "03:00"));
  EXPECT_THAT(labels(AxisKind::kTime, 0, 5 * 86400, 5).back(), "1970-01-06");
  EXPECT_THAT(labels(AxisKind::kTime, 30, 90, 4),
              ElementsAre("00:00:30", "00:00:45", "00:01:00", "00:01:15", "00:01:30"));
}

TEST(Ticks, OfALogarithmicAxisArePowers) {
  EXPECT_THAT(labels(AxisKind::kLog, 1, 1000, 4), ElementsAre("1", "10", "100", "1000"));
  EXPECT_THAT(labels(AxisKind::kLog, .1, 10, 8),
              ElementsAre("0.1", "0.2", "0.5", "1", "2", "5", "10"));
}

TEST(Ticks, AreNoneWithoutARange) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const AxisKind kind : {AxisKind::kNumber, AxisKind::kTime, AxisKind::kLog}) {
    EXPECT_THAT(ticks(kind, 1, 1, 5), IsEmpty());
    EXPECT_THAT(ticks(kind, 2, 1, 5), IsEmpty());
    EXPECT_THAT(ticks(kind, 1, kInfinity, 5), IsEmpty());
    EXPECT_THAT(ticks(kind, 1e20, 1e20 + 1e5, 5), IsEmpty());
  }
  EXPECT_THAT(ticks(AxisKind::kLog, 0, 1, 5), IsEmpty());
}

RC_GTEST_PROP(Ticks, StandInsideOfTheirRangeInOrderAndInBoundedNumber, ()) {
  const double low = *rc::gen::inRange(-1'000'000, 1'000'000) * .01;
  const double size = *rc::gen::inRange(1, 1'000'000) * .001;
  for (const AxisKind kind : {AxisKind::kNumber, AxisKind::kTime}) {
    const auto found = ticks(kind, low, low + size, 6);
    RC_ASSERT(found.size() <= 7U);
    RC_ASSERT(!found.empty() || kind == AxisKind::kTime);
    for (std::size_t i = 0; i < found.size(); ++i) {
      RC_ASSERT(found[i].at >= low - 1e-6 * size && found[i].at <= low + size * (1 + 1e-6));
      if (i > 0) RC_ASSERT(found[i - 1].at < found[i].at);
    }
  }
}

}  // namespace
}  // namespace liminal::svg
