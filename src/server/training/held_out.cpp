#include "server/training/held_out.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <functional>
#include <limits>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

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

/// The latest time of what is learnt from.
std::optional<double> latest(const learn::Table& table, const std::vector<std::uint32_t>& rows) {
  std::optional<double> found;
  if (table.times_s.empty()) return found;
  for (const std::uint32_t row : rows)
    found = std::max(found.value_or(table.times_s[row]), table.times_s[row]);
  return found;
}

using Cut = Parting::Cut;

bool before(const Cut& cut, double time_s) { return time_s + cut.gap_s < cut.begin_s; }

/// Rows by user, by time, or both. What judges is of other users, or later, or both; what is learnt
/// from is neither.
HeldOut parted(const learn::Table& table,
               bool users,
               std::optional<Cut> cut,
               std::string_view how) {
  HeldOut parts;
  parts.how = how;
  parts.users = users;
  parts.parting = Parting{users, cut, false};
  for (std::uint32_t i = 0; i < table.rows(); ++i) {
    const bool other = users && user_judges(table.groups[i]);
    const bool later = cut && table.times_s[i] >= cut->begin_s;
    if (!other && (!cut || before(*cut, table.times_s[i]))) parts.train.push_back(i);
    if (other == users && later == cut.has_value()) parts.test.push_back(i);
    if (users && !other && later) parts.between.push_back(i);
  }
  return parts;
}

HeldOut by_values(const learn::Table& table, std::string_view how) {
  HeldOut parts;
  parts.how = how;
  parts.values = true;
  parts.parting = Parting{false, {}, true};
  for (std::uint32_t i = 0; i < table.rows(); ++i)
    (row_judges(table, i) ? parts.test : parts.train).push_back(i);
  return parts;
}

/// What parts the rows, the most honest first.
enum class By : std::uint8_t { kUsersAndTime, kUsers, kTime, kChance };

/// How rows of one kind of label are parted.
struct Way {
  bool users = false;  ///< whether these can part them
  std::optional<Cut> cut{};
  std::string_view both, time, chance;  ///< in words
  std::function<bool(const HeldOut&, By)> enough;
  std::function<learn::Folds()> folds;  ///< when nothing else leaves enough
};

/// The most honest parts in which enough is left.
HeldOut hold_out(const learn::Table& table, const Way& way) {
  const double gap_s = way.cut ? way.cut->gap_s : 0;
  const auto take = [&](HeldOut parts, By by) -> std::optional<HeldOut> {
    if (!way.enough(parts, by)) return std::nullopt;
    if (const auto last = latest(table, parts.train)) parts.until_s = *last + gap_s;
    return parts;
  };
  if (way.users && way.cut)
    if (auto parts = take(parted(table, true, way.cut, way.both), By::kUsersAndTime))
      return std::move(*parts);
  if (way.users) {
    const auto how = way.cut ? "other users, not later: too few rows for both" : "other users";
    if (auto parts = take(parted(table, true, {}, how), By::kUsers)) return std::move(*parts);
  }
  if (way.cut)
    if (auto parts = take(parted(table, false, way.cut, way.time), By::kTime))
      return std::move(*parts);
  HeldOut parts = by_values(table, way.chance);
  if (way.enough(parts, By::kChance)) return parts;
  const learn::Folds folds = way.folds();
  return {folds.outside(0), folds.inside(0), std::string(way.chance)};
}

bool enough_users(const learn::Table& table) {
  const std::set<std::uint64_t> users(table.groups.begin(), table.groups.end());
  return users.size() >= kUsersMin;
}

}  // namespace

HeldOut hold_out_classes(const learn::Table& table, std::uint64_t seed) {
  Way way;
  way.users = !table.groups.empty();
  if (!table.times_s.empty()) way.cut = Cut{middle(table), 0};
  way.both = "later rows of other users";
  way.time = "later rows, partly of the same users: too few users to part them";
  way.chance = "by chance: neither users nor times part the rows, so the figures are too good";
  way.enough = [&](const HeldOut& parts, By by) {
    const std::size_t least = by == By::kUsersAndTime ? kStrictTestMin
                              : by == By::kChance     ? kChanceTestMin
                                                      : kTestMin;
    return has(table, parts.train, learn::Search::kRowsMin) && has(table, parts.test, least);
  };
  way.folds = [&] { return learn::stratified_folds(table.labels, 4, seed); };
  return hold_out(table, way);
}

HeldOut hold_out_values(const learn::Table& table, double gap_s, std::uint64_t seed) {
  Way way;
  way.users = enough_users(table);
  if (!table.times_s.empty()) {
    Cut cut{std::numeric_limits<double>::infinity(), gap_s};
    for (const std::uint32_t row : learn::last_quarter(table.times_s).inside(0))
      cut.begin_s = std::min(cut.begin_s, table.times_s[row]);
    way.cut = cut;
  }
  way.both = "the last quarter of the time, of other users";
  way.time = "the last quarter of the time";
  way.chance = "by chance: no times are known, so the figures are too good";
  way.enough = [](const HeldOut& parts, By by) {
    const std::size_t train = parts.train.size(), test = parts.test.size();
    if (by == By::kUsersAndTime) return std::min(train, test) >= kValuesMin;
    return by == By::kTime || (train >= test && test >= kTestMin);
  };
  way.folds = [&] { return learn::blocked_folds(table.labels, 4, seed); };
  return hold_out(table, way);
}

void HeldOut::learn_all_before() {
  until_s.reset();
  if (parting && parting->cut) until_s = parting->cut->begin_s;
}

std::vector<std::uint8_t> learnt_from(const Parting& parting, const learn::Table& table) {
  std::vector<std::uint8_t> learnt(table.rows());
  for (std::uint32_t i = 0; i < learnt.size(); ++i) {
    const bool judges = (parting.users && user_judges(table.groups[i])) ||
                        (parting.cut && !before(*parting.cut, table.times_s[i])) ||
                        (parting.values && row_judges(table, i));
    learnt[i] = judges ? 0 : 1;
  }
  return learnt;
}

void remember(const HeldOut& held_out, models::Metadata& judged) {
  if (held_out.users) judged.facts.emplace_back(kUsersFact, "1");
  if (held_out.values) judged.facts.emplace_back(kValuesFact, "1");
  if (held_out.until_s) judged.facts.emplace_back(kUntilFact, fmt::format("{}", *held_out.until_s));
}

std::vector<std::uint32_t> unseen_by(const models::Metadata& judged, const learn::Table& table) {
  const bool users = !fact(judged, kUsersFact).empty() && !table.groups.empty();
  const bool values = !fact(judged, kValuesFact).empty();
  const double until =
      number_fact(judged, kUntilFact).value_or(std::numeric_limits<double>::infinity());
  std::vector<std::uint32_t> places;
  for (std::uint32_t i = 0; i < table.rows(); ++i) {
    if ((users && user_judges(table.groups[i])) || (values && row_judges(table, i)) ||
        (!table.times_s.empty() && table.times_s[i] > until))
      places.push_back(i);
  }
  return places;
}

}  // namespace liminal::training
