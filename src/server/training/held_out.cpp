#include "server/training/held_out.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "core/base/hash.hpp"
#include "core/learn/metrics.hpp"
#include "core/learn/search.hpp"
#include "core/learn/split.hpp"

namespace liminal::training {
namespace {

/// Of each class, so that a figure of the held-out rows means something.
constexpr std::size_t kTestMin = 15;
/// The same where time and user both part the rows, which costs most of them.
constexpr std::size_t kStrictTestMin = 50;
constexpr std::uint64_t kOneIn = 3;  ///< of the users is held out

bool has(const learn::Table& table, const std::vector<std::uint32_t>& rows, std::size_t least) {
  std::size_t positive = 0;
  for (const std::uint32_t row : rows) positive += learn::is_positive(table.labels[row]) ? 1U : 0U;
  return positive >= least && rows.size() - positive >= least;
}

/// Every third user, of those with a positive row and of the others alike.
std::set<std::uint64_t> tested_users(const learn::Table& table, std::uint64_t seed) {
  std::map<std::uint64_t, bool> positive;
  for (std::size_t i = 0; i < table.groups.size(); ++i)
    positive[table.groups[i]] |= learn::is_positive(table.labels[i]);
  std::vector<std::uint64_t> users[2];
  for (const auto& [user, any] : positive) users[any ? 1 : 0].push_back(user);
  std::set<std::uint64_t> tested;
  for (auto& list : users) {
    std::sort(list.begin(), list.end(), [&](std::uint64_t a, std::uint64_t b) {
      return mix64(a ^ seed) < mix64(b ^ seed);
    });
    for (std::size_t i = kOneIn - 1; i < list.size(); i += kOneIn) tested.insert(list[i]);
  }
  return tested;
}

/// The middle of the positive rows' times: half of what matters is on either side.
double middle(const learn::Table& table) {
  std::vector<double> times;
  for (std::size_t i = 0; i < table.times_s.size(); ++i)
    if (learn::is_positive(table.labels[i])) times.push_back(table.times_s[i]);
  const auto at = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), at, times.end());
  return *at;
}

template <class Train, class Test>
std::optional<HeldOut> parted(
    const learn::Table& table, std::size_t least, std::string how, Train train, Test test) {
  HeldOut parts;
  parts.how = std::move(how);
  for (std::uint32_t i = 0; i < table.rows(); ++i) {
    if (train(i)) parts.train.push_back(i);
    if (test(i)) parts.test.push_back(i);
  }
  if (!has(table, parts.train, learn::Search::kRowsMin) || !has(table, parts.test, least))
    return std::nullopt;
  return parts;
}

HeldOut of(const learn::Folds& folds, std::string how) {
  return {folds.outside(0), folds.inside(0), std::move(how)};
}

}  // namespace

HeldOut hold_out_classes(const learn::Table& table, std::uint64_t seed) {
  const bool timed = !table.times_s.empty(), grouped = !table.groups.empty();
  const auto tested = grouped ? tested_users(table, seed) : std::set<std::uint64_t>{};
  const double cut = timed ? middle(table) : 0;
  const auto other = [&](std::uint32_t i) { return tested.contains(table.groups[i]); };
  const auto later = [&](std::uint32_t i) { return table.times_s[i] >= cut; };
  if (timed && grouped) {
    if (auto parts = parted(
            table,
            kStrictTestMin,
            "later rows of other users",
            [&](std::uint32_t i) { return !other(i) && !later(i); },
            [&](std::uint32_t i) { return other(i) && later(i); }))
      return *parts;
  }
  if (grouped) {
    if (auto parts = parted(
            table,
            kTestMin,
            "other users, not later: too few rows for both",
            [&](std::uint32_t i) { return !other(i); },
            other))
      return *parts;
  }
  if (timed) {
    if (auto parts = parted(
            table,
            kTestMin,
            "later rows, partly of the same users: too few users to part them",
            [&](std::uint32_t i) { return !later(i); },
            later))
      return *parts;
  }
  return of(learn::stratified_folds(table.labels, 4, seed),
            "by chance: neither users nor times part the rows, so the figures are too good");
}

HeldOut hold_out_values(const learn::Table& table, double gap_s, std::uint64_t seed) {
  if (table.times_s.empty())
    return of(learn::blocked_folds(table.labels, 4, seed),
              "by chance: no times are known, so the figures are too good");
  HeldOut parts = of(learn::last_quarter(table.times_s), "the last quarter of the time");
  double begin = table.times_s[parts.test.front()];
  for (const std::uint32_t row : parts.test) begin = std::min(begin, table.times_s[row]);
  std::erase_if(parts.train,
                [&](std::uint32_t row) { return table.times_s[row] + gap_s >= begin; });
  return parts;
}

}  // namespace liminal::training
