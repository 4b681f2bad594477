#include "core/novelty/occupancy.hpp"

#include <algorithm>
#include <bit>

namespace liminal::novelty {
namespace {

constexpr int kNone = 1 << 20;

/// Cells from `cell` up to the nearest occupied one, itself included.
int distance_up(const std::array<std::uint64_t, 3>& row, int cell) {
  auto at = static_cast<std::size_t>(cell) >> 6;
  std::uint64_t rest = row[at] & (~std::uint64_t{0} << (static_cast<unsigned>(cell) & 63U));
  while (rest == 0) {
    if (++at == row.size()) return kNone;
    rest = row[at];
  }
  return static_cast<int>(at * 64) + std::countr_zero(rest) - cell;
}

int distance_down(const std::array<std::uint64_t, 3>& row, int cell) {
  auto at = static_cast<std::size_t>(cell) >> 6;
  std::uint64_t rest = row[at] & (~std::uint64_t{0} >> (63U - (static_cast<unsigned>(cell) & 63U)));
  while (rest == 0) {
    if (at == 0) return kNone;
    rest = row[--at];
  }
  return cell - (static_cast<int>(at * 64) + 63 - std::countl_zero(rest));
}

int distance(const std::array<std::uint64_t, 3>& row, int cell) {
  const int up = distance_up(row, cell);
  return up == 0 ? 0 : std::min(up, distance_down(row, cell));
}

}  // namespace

Occupancy::Row Occupancy::seen(std::size_t first_word) const {
  Row row;
  for (std::size_t i = 0; i < 3; ++i) row[i] = words_[first_word + i] | words_[first_word + 3 + i];
  return row;
}

void Occupancy::swap(std::size_t first_word) {
  for (std::size_t i = 0; i < 3; ++i) {
    words_[first_word + 3 + i] = words_[first_word + i];
    words_[first_word + i] = 0;
  }
}

Occupancy::Gaps Occupancy::gaps(int cell, float resolution) const {
  const int inside = clamp(cell);
  const int beyond = cell < inside ? inside - cell : cell - inside;
  const auto gap = [&](std::size_t first_word) {
    const int cells = distance(seen(first_word), inside) + beyond;
    return std::min(kGapMax, static_cast<float>(cells) / resolution);
  };
  return {.short_term = gap(0), .long_term = gap(6)};
}

int Occupancy::levels() const {
  int count = 0;
  for (const std::uint64_t cells : seen(6)) count += std::popcount(cells);
  return count;
}

void Occupancy::mark(int cell) {
  const int inside = clamp(cell);
  words_[word(inside)] |= bit(inside);
  words_[6 + word(inside)] |= bit(inside);
}

Occupancy::Run Occupancy::nearest_run(int cell, int hole_max) const {
  const Row row = seen(6);
  const int inside = clamp(cell);
  const int up = distance_up(row, inside);
  const int down = distance_down(row, inside);
  if (up == kNone && down == kNone) return {};
  Run run;
  run.low = run.high = up < down ? inside + up : inside - down;
  for (;;) {
    if (run.high + 1 >= kCells) break;
    const int hole = distance_up(row, run.high + 1);
    if (hole > hole_max) break;
    run.high += hole + 1;
  }
  for (;;) {
    if (run.low == 0) break;
    const int hole = distance_down(row, run.low - 1);
    if (hole > hole_max) break;
    run.low -= hole + 1;
  }
  return run;
}

}  // namespace liminal::novelty
