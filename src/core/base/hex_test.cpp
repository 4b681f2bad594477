#include "core/base/hex.hpp"

#include <gtest/gtest.h>

namespace liminal {
namespace {

TEST(Hex, HasSixteenDigitsTheHighestFirst) {
  EXPECT_EQ(hex(0), "0000000000000000");
  EXPECT_EQ(hex(0x0123'4567'89ab'cdefULL), "0123456789abcdef");
  EXPECT_EQ(hex(~std::uint64_t{0}), "ffffffffffffffff");
}

}  // namespace
}  // namespace liminal
