#include "io/csv/number.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace liminal::csv {
namespace {

TEST(Number, ReadsDecimalsWithSignAndExponent) {
  EXPECT_EQ(number("12"), 12);
  EXPECT_EQ(number("-1.5e3"), -1500);
  EXPECT_EQ(number("+.25"), .25);
}

TEST(Number, GivesNanForWhatIsMissing) {
  for (const char* field : {"", "NaN", "nan", "NA", "n/a", "NULL", "None", "-"}) {
    EXPECT_TRUE(is_missing(field)) << field;
    const auto value = number(field);
    ASSERT_TRUE(value) << field;
    EXPECT_TRUE(std::isnan(*value)) << field;
  }
}

TEST(Number, RefusesTextAndHalfNumbers) {
  for (const char* field : {"x", "1x", "1 2", "1,5", "--1", "+-1", "0x10", "nano", "e5"})
    EXPECT_EQ(number(field).error().code, ErrorCode::kMalformed) << field;
}

TEST(Number, RefusesWhatADoubleCannotHold) {
  for (const char* field : {"1e999", "-1e999", "inf", "-infinity"})
    EXPECT_EQ(number(field).error().code, ErrorCode::kOutOfRange) << field;
  EXPECT_EQ(number("1e-999"), 0);
}

}  // namespace
}  // namespace liminal::csv
