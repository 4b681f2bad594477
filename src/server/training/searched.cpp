#include "server/training/searched.hpp"

#include <algorithm>
#include <utility>

#include "core/learn/parts.hpp"

namespace liminal::training {
namespace {

constexpr std::size_t kUsersMin = 10;

bool enough_users(const learn::Table& table) {
  std::vector<std::uint64_t> users;
  for (std::size_t i = 0; i < table.groups.size(); ++i)
    if (learn::is_positive(table.labels[i])) users.push_back(table.groups[i]);
  std::sort(users.begin(), users.end());
  users.erase(std::unique(users.begin(), users.end()), users.end());
  return users.size() >= kUsersMin;
}

bool tells(const learn::Table& table,
           const learn::Loss& loss,
           const learn::SearchOptions& options) {
  return learn::problems_of(learn::parts_of(table, loss, options), table, loss).empty();
}

}  // namespace

learn::Table searched(const learn::Table& all,
                      std::span<const std::uint32_t> rows,
                      const learn::Loss& loss,
                      const learn::SearchOptions& options) {
  learn::Table table = all.chosen(rows);
  if (loss.classes()) {
    table.times_s.clear();
    if (!enough_users(table)) table.groups.clear();
    return table;
  }
  if (table.times_s.empty() && table.groups.empty()) return table;
  if (tells(table, loss, options)) return table;
  auto times = std::exchange(table.times_s, {});
  if (!table.groups.empty() && tells(table, loss, options)) return table;
  table.groups.clear();
  table.times_s = std::move(times);
  if (!table.times_s.empty() && !tells(table, loss, options)) table.times_s.clear();
  return table;
}

std::size_t only_taught(const learn::Table& table,
                        std::size_t made_up,
                        const learn::Loss& loss,
                        learn::SearchOptions options) {
  options.rows_only_taught = made_up;
  const learn::Parts parts = learn::parts_of(table, loss, options);
  if (!learn::problems_of(parts, table, loss).empty()) return 0;
  std::size_t positive = 0;
  for (const learn::TrainValid& split : parts.splits)
    for (const std::uint32_t row : split.valid)
      positive += learn::is_positive(table.labels[row]) ? 1U : 0U;
  return positive >= kJudgingMin ? made_up : 0;
}

learn::Table without(const learn::Table& table, const std::vector<std::string>& names) {
  learn::Table left = table;
  left.features.clear();
  left.values.clear();
  std::vector<std::size_t> kept;
  for (std::size_t f = 0; f < table.features.size(); ++f) {
    if (std::find(names.begin(), names.end(), table.features[f].name) != names.end()) continue;
    kept.push_back(f);
    left.features.push_back(table.features[f]);
  }
  for (std::size_t i = 0; i < table.rows(); ++i)
    for (const std::size_t f : kept) left.values.push_back(table.row(i)[f]);
  return left;
}

}  // namespace liminal::training
