#include "io/sqlite/write_queue.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "io/sqlite/test_records.hpp"

namespace liminal::sqlite {
namespace {

using std::chrono::milliseconds;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr milliseconds kForever{60'000};

Group group_of(std::vector<Write> writes) { return {.writes = std::move(writes), .waiting = {}}; }
Group group_of(Write write) {
  std::vector<Write> writes;
  writes.push_back(std::move(write));
  return group_of(std::move(writes));
}

traffic::Alert counted(std::uint64_t count) {
  traffic::Alert alert = an_alert(1, 1);
  alert.count = count;
  return alert;
}
std::uint64_t count_of(const Group& group) {
  return std::get<traffic::Alert>(group.writes.front()).count;
}

TEST(WriteQueue, GivesGroupsInTheirOrderAtMostABatchAtOnce) {
  WriteQueue queue({.batch_max = 3});
  for (const char* user : {"a", "b", "c", "d"}) ASSERT_TRUE(queue.push(group_of(a_rate(user))));
  const auto first = queue.take(kForever, true, true);  // a full batch is due at once
  ASSERT_THAT(first.groups, SizeIs(3));
  EXPECT_EQ(std::get<traffic::Override>(first.groups[2].writes[0]).user, "c");
  EXPECT_FALSE(first.drained);
  EXPECT_THAT(queue.take(kForever, true, true).groups, SizeIs(1));  // after its patience
}

TEST(WriteQueue, WhatSomebodyWaitsForIsDueAtOnce) {
  WriteQueue queue({.patience = kForever});
  std::thread writer([&] {
    std::size_t taken = 0;
    while (taken < 2) taken += queue.take(kForever, true, true).groups.size();
  });
  ASSERT_TRUE(queue.push(group_of(a_rate("a"))));
  Group awaited = group_of(a_rate("b"));
  awaited.waiting.push_back([](Result<void>) {});
  ASSERT_TRUE(queue.push(std::move(awaited)));
  writer.join();  // only after a minute, if it were not due
}

TEST(WriteQueue, ANewerStateOfAWaitingAlertTakesItsPlace) {
  WriteQueue queue({});
  int told = 0;
  for (std::uint64_t count = 1; count <= 3; ++count) {
    Group group = group_of(counted(count));
    group.waiting.push_back([&](Result<void>) { ++told; });
    ASSERT_TRUE(queue.push(std::move(group)));
  }
  const auto batch = queue.take(kForever, true, true);
  ASSERT_THAT(batch.groups, SizeIs(1));
  EXPECT_EQ(count_of(batch.groups[0]), 3u);
  for (const Acknowledge& tell : batch.groups[0].waiting) tell({});
  EXPECT_EQ(told, 3);
  EXPECT_EQ(queue.counters().alerts_replaced, 2u);
  ASSERT_TRUE(queue.push(group_of(counted(4))));
  EXPECT_EQ(count_of(queue.take(kForever, true, true).groups.at(0)), 4u);
}

TEST(WriteQueue, ANewerStateDoesNotOvertakeAGroupThatHasTheAlertToo) {
  WriteQueue queue({});
  ASSERT_TRUE(queue.push(group_of(counted(1))));
  ASSERT_TRUE(queue.push(group_of({counted(2), a_rate("a")})));
  ASSERT_TRUE(queue.push(group_of(counted(3))));
  const auto batch = queue.take(kForever, true, true);
  ASSERT_THAT(batch.groups, SizeIs(3));
  EXPECT_EQ(count_of(batch.groups[2]), 3u);
}

TEST(WriteQueue, RefusesWhatExceedsItsBytes) {
  WriteQueue queue({.bytes_max = 4'096});
  ASSERT_TRUE(queue.push(group_of(Meta{"a", std::string(2'000, 'x')})));
  EXPECT_FALSE(queue.push(group_of(Meta{"b", std::string(2'000, 'x')})));
  EXPECT_EQ(queue.counters().groups_refused, 1u);
  (void)queue.take(kForever, true, true);
  EXPECT_TRUE(queue.push(group_of(Meta{"b", std::string(2'000, 'x')})));
}

TEST(WriteQueue, LeavesWhatIsNotWanted) {
  WriteQueue queue({});
  ASSERT_TRUE(queue.push(group_of(a_rate("a"))));
  ASSERT_TRUE(queue.push(a_row("ann", at_s(0))));
  const auto rows = queue.take(kForever, false, true);
  EXPECT_THAT(rows.groups, IsEmpty());
  EXPECT_THAT(rows.rows, SizeIs(1));
  EXPECT_THAT(queue.take(kForever, true, true).groups, SizeIs(1));
}

TEST(WriteQueue, AClosedQueueGivesWhatItHasAndTakesNoMore) {
  WriteQueue queue({.patience = kForever});
  ASSERT_TRUE(queue.push(group_of(a_rate("a"))));
  queue.close();
  EXPECT_FALSE(queue.push(group_of(a_rate("b"))));
  EXPECT_FALSE(queue.push(a_row("ann", at_s(0))));
  EXPECT_FALSE(queue.push(Forget{at_s(0), {}}));
  const auto batch = queue.take(kForever, true, true);
  EXPECT_THAT(batch.groups, SizeIs(1));
  EXPECT_TRUE(batch.closed);
  EXPECT_TRUE(batch.drained);
}

}  // namespace
}  // namespace liminal::sqlite
