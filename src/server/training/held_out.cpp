#include "server/training/held_out.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <limits>
#include <optional>
#include <string_view>

#include "core/base/hash.hpp"
#include "core/learn/metrics.hpp"
#include "core/learn/search.hpp"
#include "core/learn/split.hpp"
#include "server/training/model_facts.hpp"

namespace liminal::training {
namespace {

/// Of each class, so that a figure of the held-out rows means something.
constexpr std::size_t kTestMin = 15;
/// The same where time and user both part the rows, which costs most of them.
constexpr std::size_t kStrictTestMin = 50;
constexpr std::size_t kChanceTestMin = 5;
constexpr std::uint64_t kOneIn = 3;  ///< of the users is held out

/// What is held out must be the same in every training.
constexpr std::uint64_t kSalt = 0x6865'6c64'206f'7574;
constexpr std::uint64_t kRowsOneIn = 4;
constexpr std::size_t kUsersMin = 10;
constexpr std::size_t kValuesMin = 60;  ///< on either side

constexpr std::string_view kUsersFact = "held_out.users", kValuesFact = "held_out.values",
                           kUntilFact = "held_out.after_s";

bool user_judges(std::uint64_t user) { return mix64(user ^ kSalt) % kOneIn == 0; }

bool row_judges(const learn::Table& table, std::uint32_t row) {
  std::uint64_t hash = kSalt;
  for (const float value : table.row(row)) hash = mix64(hash ^ std::bit_cast<std::uint32_t>(value));
  return hash % kRowsOneIn == 0;
}

bool has(const learn::Table& table, const std::vector<std::uint32_t>& rows, std::size_t least) {
  std::size_t positive = 0;
  for (const std::uint32_t row : rows) positive += learn::is_positive(table.labels[row]) ? 1U : 0U;
  return positive >= least && rows.size() - positive >= least;
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
HeldOut parted(const learn::Table& table, std::string how, Train train, Test test) {
  HeldOut parts;
  parts.how = std::move(how);
  for (std::uint32_t i = 0; i < table.rows(); ++i) {
    if (train(i)) parts.train.push_back(i);
    if (test(i)) parts.test.push_back(i);
  }
  return parts;
}

/// The latest time of what is learnt from.
std::optional<double> latest(const learn::Table& table, const std::vector<std::uint32_t>& rows) {
  std::optional<double> found;
  if (table.times_s.empty()) return found;
  for (const std::uint32_t row : rows)
    found = std::max(found.value_or(table.times_s[row]), table.times_s[row]);
  return found;
}

HeldOut of(const learn::Folds& folds, std::string how) {
  return {folds.outside(0), folds.inside(0), std::move(how)};
}

HeldOut by_values(const learn::Table& table, std::string how) {
  HeldOut parts = parted(
      table,
      std::move(how),
      [&](std::uint32_t i) { return !row_judges(table, i); },
      [&](std::uint32_t i) { return row_judges(table, i); });
  parts.values = true;
  return parts;
}

bool enough_users(const learn::Table& table) {
  std::vector<std::uint64_t> users = table.groups;
  std::sort(users.begin(), users.end());
  return std::unique(users.begin(), users.end()) - users.begin() >=
         static_cast<std::ptrdiff_t>(kUsersMin);
}

}  // namespace

HeldOut hold_out_classes(const learn::Table& table, std::uint64_t seed) {
  const bool timed = !table.times_s.empty(), grouped = !table.groups.empty();
  const double cut = timed ? middle(table) : 0;
  const auto other = [&](std::uint32_t i) { return user_judges(table.groups[i]); };
  const auto later = [&](std::uint32_t i) { return table.times_s[i] >= cut; };
  const auto enough = [&](const HeldOut& parts, std::size_t least) {
    return has(table, parts.train, learn::Search::kRowsMin) && has(table, parts.test, least);
  };
  if (timed && grouped) {
    HeldOut parts = parted(
        table,
        "later rows of other users",
        [&](std::uint32_t i) { return !other(i) && !later(i); },
        [&](std::uint32_t i) { return other(i) && later(i); });
    for (std::uint32_t i = 0; i < table.rows(); ++i)
      if (!other(i) && later(i)) parts.between.push_back(i);
    parts.users = true;
    parts.until_s = latest(table, parts.train);
    if (enough(parts, kStrictTestMin)) return parts;
  }
  if (grouped) {
    HeldOut parts = parted(
        table,
        timed ? "other users, not later: too few rows for both" : "other users",
        [&](std::uint32_t i) { return !other(i); },
        other);
    parts.users = true;
    parts.until_s = latest(table, parts.train);
    if (enough(parts, kTestMin)) return parts;
  }
  if (timed) {
    HeldOut parts = parted(
        table,
        "later rows, partly of the same users: too few users to part them",
        [&](std::uint32_t i) { return !later(i); },
        later);
    parts.until_s = latest(table, parts.train);
    if (enough(parts, kTestMin)) return parts;
  }
  const std::string how =
      "by chance: neither users nor times part the rows, so the figures are too good";
  HeldOut parts = by_values(table, how);
  if (enough(parts, kChanceTestMin)) return parts;
  return of(learn::stratified_folds(table.labels, 4, seed), how);
}

HeldOut hold_out_values(const learn::Table& table, double gap_s, std::uint64_t seed) {
  const bool timed = !table.times_s.empty(), grouped = enough_users(table);
  double begin = std::numeric_limits<double>::infinity();
  std::vector<std::uint8_t> late(table.rows());
  if (timed) {
    for (const std::uint32_t row : learn::last_quarter(table.times_s).inside(0)) {
      late[row] = 1;
      begin = std::min(begin, table.times_s[row]);
    }
  }
  const auto later = [&](std::uint32_t i) { return late[i] != 0; };
  const auto before = [&](std::uint32_t i) { return table.times_s[i] + gap_s < begin; };
  const auto other = [&](std::uint32_t i) { return user_judges(table.groups[i]); };
  const auto known = [&](HeldOut parts) {
    if (const auto last = latest(table, parts.train)) parts.until_s = *last + gap_s;
    return parts;
  };
  const auto enough = [](const HeldOut& parts) {
    return parts.train.size() >= kValuesMin && parts.test.size() >= kValuesMin;
  };
  if (timed && grouped) {
    HeldOut parts = parted(
        table,
        "the last quarter of the time, of other users",
        [&](std::uint32_t i) { return !other(i) && before(i); },
        [&](std::uint32_t i) { return other(i) && later(i); });
    parts.users = true;
    if (enough(parts)) return known(std::move(parts));
  }
  if (grouped) {
    HeldOut parts = parted(
        table,
        timed ? "other users, not later: too few rows for both" : "other users",
        [&](std::uint32_t i) { return !other(i); },
        other);
    parts.users = true;
    if (parts.train.size() >= parts.test.size() && parts.test.size() >= kTestMin)
      return known(std::move(parts));
  }
  if (timed) return known(parted(table, "the last quarter of the time", before, later));
  const std::string how = "by chance: no times are known, so the figures are too good";
  HeldOut parts = by_values(table, how);
  if (parts.test.size() >= kTestMin && parts.train.size() >= parts.test.size()) return parts;
  return of(learn::blocked_folds(table.labels, 4, seed), how);
}

void remember(const HeldOut& held_out, models::Metadata& judged) {
  if (held_out.users) judged.facts.emplace_back(kUsersFact, "1");
  if (held_out.values) judged.facts.emplace_back(kValuesFact, "1");
  if (held_out.until_s) judged.facts.emplace_back(kUntilFact, fmt::format("{}", *held_out.until_s));
}

std::vector<std::uint32_t> unseen_by(const models::Metadata& judged, const learn::Table& table) {
  const bool users = !fact(judged, kUsersFact).empty() && !table.groups.empty();
  const bool values = !fact(judged, kValuesFact).empty();
  const std::string text = fact(judged, kUntilFact);
  double until = std::numeric_limits<double>::infinity();
  if (!text.empty() && !table.times_s.empty())
    std::from_chars(text.data(), text.data() + text.size(), until);
  std::vector<std::uint32_t> places;
  for (std::uint32_t i = 0; i < table.rows(); ++i) {
    if ((users && user_judges(table.groups[i])) || (values && row_judges(table, i)) ||
        (!table.times_s.empty() && table.times_s[i] > until))
      places.push_back(i);
  }
  return places;
}

}  // namespace liminal::training
