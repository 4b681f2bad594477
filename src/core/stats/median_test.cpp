#include "core/stats/median.hpp"

#include <gtest/gtest.h>

namespace liminal::stats {
namespace {

TEST(Median, IsTheMiddleOrBetweenTheTwo) {
  EXPECT_EQ(median({7}), 7);
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 3, 2}), 2.5);
  EXPECT_EQ(median({5, 5, 1, 5}), 5);
}

}  // namespace
}  // namespace liminal::stats
