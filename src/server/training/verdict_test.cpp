#include "server/training/verdict.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "server/training/test_rows.hpp"

namespace liminal::training {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr double kChampionTrained = 1000;

/// Ordinary users with a row each, and abusers with `rows` rows each, before or after the champion
/// was trained.
void add_users(Rows& made, std::uint64_t users, int rows, bool positive, bool later) {
  learn::Table& table = made.table;
  for (std::uint64_t user = 0; user < users; ++user) {
    const std::uint64_t id = table.groups.empty() ? 1 : table.groups.back() + 1;
    for (int i = 0; i < rows; ++i) {
      for (std::size_t k = 0; k < table.features.size(); ++k) table.values.push_back(0);
      table.labels.push_back(positive ? 1.F : 0.F);
      table.times_s.push_back(later ? kChampionTrained + 1 : 0);
      table.groups.push_back(id);
    }
  }
}

std::vector<std::string> reasons_with_champion(const Rows& rows) {
  HeldOut held_out;
  held_out.test.resize(rows.table.rows());
  std::iota(held_out.test.begin(), held_out.test.end(), 0U);
  models::Model champion;
  champion.metadata.name = definition().name;
  champion.metadata.task = models::Task::kClassification;
  for (const std::string& feature : definition().features)
    champion.metadata.features.push_back({feature, ""});
  champion.predictor = models::Linear{{}, {1, 0, 0}, -1, models::Link::kLogistic};
  BuiltinOptions how = options();
  how.champion = *models::Scorer::own(champion);
  how.champion_trained_s = kChampionTrained;
  const std::vector<float>& said = rows.table.labels;
  const RunReport report =
      verdict_on(said, {}, how, learn::Loss{}, rows, held_out, rows.table, [] { return false; });
  return report.gate.reasons;
}

Rows no_rows() {
  Rows rows;
  for (const std::string& feature : definition().features)
    rows.table.features.push_back({feature, "", {}});
  return rows;
}

// With a champion only rows judge that are later than it, and those are of fewer users.
TEST(Verdict, CountsUsersWhereTheGateCountsThem) {
  Rows rows = no_rows();
  add_users(rows, 10, 10, true, false);
  add_users(rows, 100, 1, false, false);
  add_users(rows, 2, 30, true, true);
  add_users(rows, 100, 1, false, true);
  const auto reasons = reasons_with_champion(rows);
  EXPECT_THAT(reasons, Contains(HasSubstr("held-out rows that are later than the champion")));
  EXPECT_THAT(reasons, Contains(HasSubstr("12 users have anomalous rows, and 2 of them judge")));
}

TEST(Verdict, AsksForNoMoreUsersWhereEnoughAreLaterThanTheChampion) {
  Rows rows = no_rows();
  add_users(rows, 8, 10, true, true);
  add_users(rows, 100, 1, false, true);
  EXPECT_THAT(reasons_with_champion(rows), Not(Contains(HasSubstr("more such users"))));
}

// All of these rows may be known to the champion, and still they are those that judge.
TEST(Verdict, CountsUsersOfAllRowsWhereTooFewAreLater) {
  Rows rows = no_rows();
  add_users(rows, 2, 60, true, false);
  add_users(rows, 100, 1, false, false);
  add_users(rows, 1, 5, true, true);
  const auto reasons = reasons_with_champion(rows);
  EXPECT_THAT(reasons, Contains(HasSubstr("may have learnt rows that judge here")));
  EXPECT_THAT(reasons, Contains(HasSubstr("3 users have anomalous rows, and 3 of them judge")));
}

}  // namespace
}  // namespace liminal::training
