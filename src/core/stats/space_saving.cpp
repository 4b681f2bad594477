#include "core/stats/space_saving.hpp"

#include <algorithm>
#include <bit>

#include "core/base/check.hpp"
#include "core/base/hash.hpp"

namespace liminal::stats {
namespace {

bool more_frequent(const SpaceSaving::Counter& a, const SpaceSaving::Counter& b) {
  return a.count != b.count ? a.count > b.count : a.hash < b.hash;
}

bool less_frequent(const SpaceSaving::Counter& a, const SpaceSaving::Counter& b) {
  return more_frequent(b, a);
}

}  // namespace

SpaceSaving::SpaceSaving(std::size_t capacity)
    : capacity_(capacity), cells_(std::bit_ceil(2 * capacity), kFree) {
  LIMINAL_CHECK(capacity >= 1 && capacity <= kCapacityMax);
}

void SpaceSaving::add(std::uint64_t hash, std::string_view text, std::uint64_t amount) {
  if (const std::uint16_t known = cells_[cell_of(hash)]; known != kFree) {
    counters_[known].count += amount;
    return;
  }
  if (counters_.size() < capacity_) {
    counters_.push_back({hash, std::string(text), amount, 0});
    return insert_cell(counters_.size() - 1);
  }
  const auto least = std::min_element(counters_.begin(), counters_.end(), less_frequent);
  erase_cell(least->hash);
  *least = {hash, std::string(text), least->count + amount, least->count};
  insert_cell(static_cast<std::size_t>(least - counters_.begin()));
}

void SpaceSaving::merge(const SpaceSaving& other) {
  const std::uint64_t my_least = least();
  const std::uint64_t their_least = other.least();
  std::vector<Counter> merged;
  for (const Counter& mine : counters_) {
    const std::uint16_t theirs = other.cells_[other.cell_of(mine.hash)];
    merged.push_back(mine);
    merged.back().count += theirs == kFree ? their_least : other.counters_[theirs].count;
    merged.back().error += theirs == kFree ? their_least : other.counters_[theirs].error;
  }
  for (const Counter& theirs : other.counters_) {
    if (cells_[cell_of(theirs.hash)] != kFree) continue;
    merged.push_back(theirs);
    merged.back().count += my_least;
    merged.back().error += my_least;
  }
  std::sort(merged.begin(), merged.end(), more_frequent);
  if (merged.size() > capacity_) merged.resize(capacity_);
  counters_ = std::move(merged);
  rebuild();
}

void SpaceSaving::halve() {
  for (Counter& counter : counters_) {
    const std::uint64_t at_least = (counter.count - counter.error) / 2;
    counter.count = (counter.count + 1) / 2;
    counter.error = counter.count - at_least;
  }
  // Only while there is room: otherwise `least` would no longer bound what was replaced before.
  const std::size_t before = counters_.size();
  if (before < capacity_) std::erase_if(counters_, [](const Counter& c) { return c.count <= 1; });
  if (counters_.size() != before) rebuild();
}

std::vector<SpaceSaving::Counter> SpaceSaving::top(std::size_t limit) const {
  std::vector<Counter> sorted = counters_;
  std::sort(sorted.begin(), sorted.end(), more_frequent);
  if (sorted.size() > limit) sorted.resize(limit);
  return sorted;
}

std::uint64_t SpaceSaving::least() const {
  if (counters_.size() < capacity_) return 0;
  return std::min_element(counters_.begin(), counters_.end(), less_frequent)->count;
}

std::size_t SpaceSaving::memory_bytes() const {
  std::size_t bytes = counters_.capacity() * sizeof(Counter) + cells_.size() * sizeof(cells_[0]);
  for (const Counter& counter : counters_) bytes += counter.text.capacity();
  return bytes;
}

std::size_t SpaceSaving::cell_of(std::uint64_t hash) const {
  const std::size_t mask = cells_.size() - 1;
  std::size_t i = mix64(hash) & mask;
  while (cells_[i] != kFree && counters_[cells_[i]].hash != hash) i = (i + 1) & mask;
  return i;
}

void SpaceSaving::insert_cell(std::size_t counter) {
  cells_[cell_of(counters_[counter].hash)] = static_cast<std::uint16_t>(counter);
}

void SpaceSaving::erase_cell(std::uint64_t hash) {
  const std::size_t mask = cells_.size() - 1;
  std::size_t hole = cell_of(hash);
  for (std::size_t i = (hole + 1) & mask; cells_[i] != kFree; i = (i + 1) & mask) {
    const std::size_t run = (i - (mix64(counters_[cells_[i]].hash) & mask)) & mask;
    if (run < ((i - hole) & mask)) continue;
    cells_[hole] = cells_[i];
    hole = i;
  }
  cells_[hole] = kFree;
}

void SpaceSaving::rebuild() {
  std::fill(cells_.begin(), cells_.end(), kFree);
  for (std::size_t i = 0; i < counters_.size(); ++i) insert_cell(i);
}

void SpaceSaving::save(Writer& out) const {
  out.put_varint(counters_.size());
  for (const Counter& counter : counters_) {
    out.put(counter.hash);
    out.put_text(counter.text);
    out.put_varint(counter.count);
    out.put_varint(counter.error);
  }
}

void SpaceSaving::load(Reader& in) {
  const std::uint64_t size = in.get_varint();
  if (size > kCapacityMax) in.fail();
  SpaceSaving read(std::clamp<std::uint64_t>(size, capacity_, kCapacityMax));
  for (std::uint64_t i = 0; i < size && in.ok(); ++i) {
    Counter counter;
    in.get(counter.hash);
    counter.text = in.get_text();
    counter.count = in.get_varint();
    counter.error = in.get_varint();
    const bool twice = read.cells_[read.cell_of(counter.hash)] != kFree;
    if (counter.error > counter.count || twice) in.fail();
    if (!in.ok()) break;
    read.counters_.push_back(std::move(counter));
    read.insert_cell(read.counters_.size() - 1);
  }
  counters_.clear();
  if (in.ok()) counters_ = size > capacity_ ? read.top(capacity_) : std::move(read.counters_);
  rebuild();
}

}  // namespace liminal::stats
