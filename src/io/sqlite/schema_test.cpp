#include "io/sqlite/schema.hpp"

#include <gtest/gtest.h>

#include <array>

#include "io/sqlite/database.hpp"

namespace liminal::sqlite {
namespace {

constexpr std::array<Migration, 3> kSteps{
    "CREATE TABLE a(x); PRAGMA user_version = 1",
    "INSERT INTO a VALUES (1); PRAGMA user_version = 2",
    "ALTER TABLE a ADD COLUMN y DEFAULT 7; PRAGMA user_version = 3"};

Database a_database() { return *Database::open(":memory:", {}); }

TEST(Migrate, GoesThroughEveryStepOnce) {
  Database database = a_database();
  EXPECT_EQ(migrate(database, std::span(kSteps).first(1)), 0);
  EXPECT_EQ(migrate(database, kSteps), 1);
  EXPECT_EQ(migrate(database, kSteps), 3);
  EXPECT_EQ(*database.integer("SELECT sum(x * y) FROM a"), 7);
}

TEST(Migrate, LeavesTheOlderVersionWholeWhenAStepFails) {
  constexpr std::array<Migration, 2> kBroken{
      kSteps[0],
      "INSERT INTO a VALUES (1); INSERT INTO nothing VALUES (1); PRAGMA user_version = 2"};
  Database database = a_database();
  EXPECT_FALSE(migrate(database, kBroken));
  EXPECT_EQ(*database.integer("PRAGMA user_version"), 1);
  EXPECT_EQ(*database.integer("SELECT count(*) FROM a"), 0);
  EXPECT_TRUE(migrate(database, kSteps));
}

TEST(Migrate, RefusesANewerDatabase) {
  Database database = a_database();
  ASSERT_TRUE(migrate(database, kSteps));
  const auto refused = migrate(database, std::span(kSteps).first(2));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), (Error{ErrorCode::kUnsupported, 3}));
}

TEST(Schema, KeepsTheAlertsOfTheFirstVersion) {
  Database database = a_database();
  ASSERT_EQ(migrate(database, migrations().first(1)), 0);
  ASSERT_TRUE(database.script(
      "INSERT INTO alerts VALUES (7, 'ann', '', 0, 2, 0, 1, 5, 9, 3, 1.5, 0.5, 1, 8,"
      " x'00', x'00', 1, x'00')"));
  ASSERT_EQ(migrate(database, migrations()), 1);
  EXPECT_EQ(*database.integer("SELECT count(*) FROM alerts WHERE id = 7 AND user = 'ann' AND"
                              " gateway = '' AND gateway_alert = 0"),
            1);
}

TEST(Schema, IsWholeAndMarked) {
  Database database = a_database();
  ASSERT_TRUE(migrate(database, migrations()));
  EXPECT_EQ(*database.integer("PRAGMA application_id"), 0x4c494d4e);
  EXPECT_EQ(*database.integer("SELECT count(*) FROM pragma_integrity_check"
                              " WHERE integrity_check = 'ok'"),
            1);
}

}  // namespace
}  // namespace liminal::sqlite
