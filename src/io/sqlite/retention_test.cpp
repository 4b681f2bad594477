#include "io/sqlite/retention.hpp"

#include <gtest/gtest.h>

#include "io/sqlite/queries.hpp"
#include "io/sqlite/schema.hpp"
#include "io/sqlite/test_records.hpp"
#include "io/sqlite/writes.hpp"

namespace liminal::sqlite {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

class RetentionTest : public ::testing::Test {
 protected:
  RetentionTest() : database_(*Database::open(":memory:", {})) {
    EXPECT_TRUE(migrate(database_, migrations()));
    schema_ = *register_schema(database_);
  }
  void write(const Write& write) { ASSERT_TRUE(apply(database_, write, schema_)); }
  void write_rows(int count, SteadyTime first) {
    std::vector<traffic::FeatureRow> rows;
    for (int i = 0; i < count; ++i)
      rows.push_back(a_row("user" + std::to_string(i), first + std::chrono::milliseconds{i}));
    ASSERT_EQ(add_rows(database_, rows, schema_), count);
  }
  Removed retain_at(SteadyTime now) { return *retain(database_, retention_, now); }
  [[nodiscard]] std::int64_t count(Sql sql) { return **database_.integer(sql); }

  Database database_;
  std::int64_t schema_ = 0;
  Retention retention_;
};

TEST_F(RetentionTest, RemovesRowsThatAreTooOldStepByStep) {
  write_rows(3'000, at_s(0));
  write_rows(10, at_s(7'200));
  retention_.rows_age = hours{1};
  EXPECT_EQ(retain_at(at_s(3'600)).rows, 0);
  const Removed first = retain_at(at_s(7'300));
  EXPECT_EQ(first.rows, kRetentionStep);
  EXPECT_TRUE(first.more);
  const Removed second = retain_at(at_s(7'300));
  EXPECT_EQ(second.rows, 3'000 - kRetentionStep);
  EXPECT_FALSE(second.more);
  EXPECT_EQ(counts(database_)->feature_rows, 10u);
  EXPECT_EQ(count("SELECT count(*) FROM feature_rows"), 10);
}

TEST_F(RetentionTest, RemovesTheOldestRowsWhenThereAreTooManyBytes) {
  write_rows(6'000, at_s(0));
  retention_.bytes = *used_bytes(database_) - 4'096;
  Removed removed;
  do removed = retain_at(at_s(60));
  while (removed.more);
  EXPECT_LE(*used_bytes(database_), retention_.bytes);
  const auto left = *feature_rows(database_, {.limit = 10'000});
  ASSERT_FALSE(left.empty());
  EXPECT_EQ(left.front().user, "user5999");
  EXPECT_EQ(left.size(), counts(database_)->feature_rows);
}

TEST_F(RetentionTest, KeepsAlertsUntilTheyWereNotSeenForLongAndTheirFeedbackForever) {
  write(an_alert(1, 1));
  write(Feedback{ShardId{1}, 1, traffic::FeedbackVerdict::kExpected, "", "api", at_s(2)});
  EXPECT_EQ(retain_at(at_s(1) + retention_.alerts_age).others, 0);
  EXPECT_EQ(retain_at(at_s(1) + retention_.alerts_age + Duration{1}).others, 1);
  EXPECT_EQ(counts(database_)->alerts, 0u);
  EXPECT_EQ(counts(database_)->feedback[3], 1u);
}

TEST_F(RetentionTest, LetsGoOfAuditEntriesOnlyWhenTheyAreTooOld) {
  write(traffic::AuditEntry{at_s(0), "api", "reload", "", ""});
  write(traffic::AuditEntry{at_s(10), "api", "reload", "", ""});
  EXPECT_FALSE(database_.run("DELETE FROM audit"));
  EXPECT_EQ(retain_at(at_s(5) + retention_.audit_age).others, 1);
  EXPECT_EQ(count("SELECT count(*) FROM audit"), 1);
  EXPECT_FALSE(database_.run("DELETE FROM audit"));
}

TEST_F(RetentionTest, RemovesWhatExpired) {
  write(a_rate("ann", at_s(10)));
  write(a_rate("bob"));
  write(Answer{"key", 1, 200, "", "", at_s(10)});
  EXPECT_EQ(retain_at(at_s(9)).others, 0);
  EXPECT_EQ(retain_at(at_s(10)).others, 2);
  EXPECT_EQ(counts(database_)->overrides, 1u);
}

TEST(Retention, NamesAllItsProblems) {
  EXPECT_TRUE(validate(Retention{}).empty());
  EXPECT_EQ(
      validate(Retention{.rows_age = {}, .bytes = 1, .alerts_age = {}, .audit_age = {}}).size(),
      4u);
}

}  // namespace
}  // namespace liminal::sqlite
