#include "core/learn/grouped_arms.hpp"

#include <algorithm>
#include <cmath>

#include "core/base/hash.hpp"
#include "core/base/math.hpp"

namespace liminal::learn {

void GroupedArms::add(Arm arm, std::uint64_t user_hash, double value) {
  Group& group = groups_[index(arm)][mix64(user_hash) % kGroups];
  group.rows += 1;
  group.sum += value;
  Sums& total = totals_[index(arm)];
  total.rows += 1;
  total.sum += value;
  total.squares += value * value;
}

double GroupedArms::apart(std::size_t arm, std::size_t group) const {
  const Group& one = groups_[arm][group];
  const Sums& total = totals_[arm];
  return (one.sum - total.sum / total.rows * one.rows) / total.rows;
}

GroupedArms::Growth GroupedArms::growth(bool paired) const {
  Growth found;
  found.mean = totals_[1].sum / totals_[1].rows - totals_[0].sum / totals_[0].rows;
  double together = 0, size = 0, usual = 0;
  std::array<double, 2> by_arm{}, count{}, rows_squared{};
  for (std::size_t g = 0; g < kGroups; ++g) {
    for (const std::size_t arm : {0U, 1U}) {
      const double rows = groups_[arm][g].rows, by = apart(arm, g);
      by_arm[arm] += by * by;
      count[arm] += rows > 0 ? 1 : 0;
      rows_squared[arm] += rows * rows;
    }
    const double between = apart(1, g) - apart(0, g);
    together += between * between;
  }
  for (const std::size_t arm : {0U, 1U}) {
    const Sums& total = totals_[arm];
    size = std::max(size, total.squares / total.rows);
    const double share = rows_squared[arm] / (total.rows * total.rows);  // of the usual group
    usual += share * share;
    if (count[arm] > 1) by_arm[arm] *= count[arm] / (count[arm] - 1);
  }
  found.groups = std::min(count[0], count[1]);
  if (found.groups > 1) together *= found.groups / (found.groups - 1);
  const double sampled = paired ? together : by_arm[0] + by_arm[1];
  found.variance = std::max(sampled, size * usual);
  return found;
}

void GroupedArms::save(Writer& out) const {
  for (const std::size_t arm : {0U, 1U}) {
    const auto& groups = groups_[arm];
    out.put(totals_[arm].squares);
    out.put_varint(static_cast<std::uint64_t>(
        std::count_if(groups.begin(), groups.end(), [](const Group& g) { return g.rows > 0; })));
    for (std::size_t g = 0; g < kGroups; ++g) {
      if (!(groups[g].rows > 0)) continue;
      out.put(static_cast<std::uint16_t>(g));
      out.put(groups[g].rows);
      out.put(groups[g].sum);
    }
  }
}

void GroupedArms::load(Reader& in) {
  GroupedArms read;
  for (const std::size_t arm : {0U, 1U}) {
    Sums& total = read.totals_[arm];
    in.get(total.squares);
    const std::uint64_t count = in.get_varint();
    if (count > kGroups) in.fail();
    for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
      const auto g = in.get<std::uint16_t>();
      if (g >= kGroups) in.fail();
      if (!in.ok()) break;
      Group& group = read.groups_[arm][g];
      in.get(group.rows);
      in.get(group.sum);
      if (!(group.rows > 0 && std::isfinite(group.rows) && std::isfinite(group.sum))) in.fail();
      total.rows += group.rows;
      total.sum += group.sum;
    }
    if (!(total.squares >= 0 && std::isfinite(total.squares))) in.fail();
  }
  if (in.ok()) *this = std::move(read);
}

}  // namespace liminal::learn
