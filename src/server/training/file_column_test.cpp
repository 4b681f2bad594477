#include "server/training/file_column.hpp"

#include <gmock/gmock.h>

namespace liminal::training {
namespace {

using testing::HasSubstr;

TEST(TwoClasses, AreOrderedAsNumbersOrElseAsTexts) {
  EXPECT_EQ(two_classes("10", "9").positive, "10");
  EXPECT_EQ(two_classes("-1", "1").negative, "-1");
  EXPECT_EQ(two_classes("yes", "no").positive, "yes");
}

TEST(Precision, TellsOfNumbersThatFallTogether) {
  Precision times, rates;
  for (int i = 0; i < 200; ++i) {
    times.add(1.7e9 + i);
    rates.add(.1 * i);
  }
  EXPECT_EQ(rates.note("rate"), std::nullopt);
  EXPECT_THAT(times.note("time").value_or(""),
              HasSubstr("column time: 200 different numbers are 3 as 32-bit numbers, which lie 128 "
                        "apart"));
  EXPECT_EQ(Precision{}.note("nothing"), std::nullopt);
}

}  // namespace
}  // namespace liminal::training
