#include "core/learn/split.hpp"

#include <algorithm>
#include <numeric>

#include "core/base/check.hpp"
#include "core/base/shuffle.hpp"
#include "core/learn/metrics.hpp"

namespace liminal::learn {
namespace {

std::vector<std::uint32_t> shuffled(std::size_t rows, Random& random) {
  std::vector<std::uint32_t> order(rows);
  std::iota(order.begin(), order.end(), 0U);
  shuffle(order, random);
  return order;
}

Folds empty_folds(std::size_t rows, std::uint32_t count) {
  LIMINAL_CHECK(count >= 2 && count <= 255);
  return {std::vector<std::uint8_t>(rows), count};
}

struct Group {
  std::uint64_t name = 0;
  std::size_t rows = 0;
  std::uint64_t order = 0;
};

/// The largest first; of equal ones in an order that the seed decides.
std::vector<Group> groups_by_size(std::span<const std::uint64_t> groups, std::uint64_t seed) {
  std::vector<std::uint64_t> names(groups.begin(), groups.end());
  std::sort(names.begin(), names.end());
  std::vector<Group> found;
  for (const std::uint64_t name : names) {
    if (found.empty() || found.back().name != name) found.push_back({name, 0, mix64(name ^ seed)});
    ++found.back().rows;
  }
  std::sort(found.begin(), found.end(), [](const Group& a, const Group& b) {
    return a.rows != b.rows ? a.rows > b.rows : a.order < b.order;
  });
  return found;
}

}  // namespace

std::vector<std::uint32_t> Folds::inside(std::uint32_t which) const {
  std::vector<std::uint32_t> rows;
  for (std::uint32_t i = 0; i < part.size(); ++i)
    if (part[i] == which) rows.push_back(i);
  return rows;
}

std::vector<std::uint32_t> Folds::outside(std::uint32_t which) const {
  std::vector<std::uint32_t> rows;
  for (std::uint32_t i = 0; i < part.size(); ++i)
    if (part[i] != which) rows.push_back(i);
  return rows;
}

Folds stratified_folds(std::span<const float> labels, std::uint32_t count, std::uint64_t seed) {
  Folds folds = empty_folds(labels.size(), count);
  Random random(seed);
  std::size_t seen[2]{};
  for (const std::uint32_t row : shuffled(labels.size(), random)) {
    std::size_t& turn = seen[is_positive(labels[row]) ? 1 : 0];
    folds.part[row] = static_cast<std::uint8_t>(turn++ % count);
  }
  return folds;
}

Folds blocked_folds(std::span<const float> labels, std::uint32_t count, std::uint64_t seed) {
  Folds folds = empty_folds(labels.size(), count);
  Random random(seed);
  std::vector<std::uint32_t> order(labels.size());
  std::iota(order.begin(), order.end(), 0U);
  std::stable_sort(
      order.begin(), order.end(), [&](auto a, auto b) { return labels[a] < labels[b]; });
  std::vector<std::uint32_t> parts;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i % count == 0) parts = shuffled(count, random);
    folds.part[order[i]] = static_cast<std::uint8_t>(parts[i % count]);
  }
  return folds;
}

Folds group_folds(std::span<const std::uint64_t> groups, std::uint32_t count, std::uint64_t seed) {
  Folds folds = empty_folds(groups.size(), count);
  struct Place {
    std::uint64_t name;
    std::uint8_t part;
  };
  std::vector<Place> places;
  std::vector<std::size_t> rows(count);
  for (const Group& group : groups_by_size(groups, seed)) {
    const auto least = std::min_element(rows.begin(), rows.end());
    places.push_back({group.name, static_cast<std::uint8_t>(least - rows.begin())});
    *least += group.rows;
  }
  const auto by_name = [](const Place& a, const Place& b) { return a.name < b.name; };
  std::sort(places.begin(), places.end(), by_name);
  for (std::size_t i = 0; i < groups.size(); ++i) {
    folds.part[i] =
        std::lower_bound(places.begin(), places.end(), Place{groups[i], 0}, by_name)->part;
  }
  return folds;
}

Folds last_quarter(std::span<const double> times_s) { return last_part(times_s, .25); }

Folds last_part(std::span<const double> times_s, double share) {
  Folds folds = empty_folds(times_s.size(), 2);
  if (times_s.empty()) return folds;
  std::vector<double> sorted(times_s.begin(), times_s.end());
  const double before = static_cast<double>(sorted.size() - 1) * (1 - share);
  const auto border = sorted.begin() + static_cast<std::ptrdiff_t>(before);
  std::nth_element(sorted.begin(), border, sorted.end());
  for (std::size_t i = 0; i < times_s.size(); ++i) folds.part[i] = times_s[i] > *border ? 0 : 1;
  return folds;
}

}  // namespace liminal::learn
