#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/base/check.hpp"
#include "core/base/codec.hpp"
#include "core/base/result.hpp"
#include "core/features/short_text.hpp"
#include "core/traffic/event.hpp"

namespace liminal::features {

/// What is kept of each user (or address), by name, with a cap: the least recently added or touched
/// one makes room for a new one.
///
/// Guarantee: a name is found by its whole text, not only by its hash. A state stays where it is in
/// memory until it is erased or evicted. Everything depends on the order of calls alone, so a table
/// that is saved and loaded goes on as if it had not been.
///
/// Layout: linear probing over cells of 8 bytes (at most three quarters full, deleted without
/// tombstones), states in slabs of 64, and the order of use in an array of its own, because moving
/// one user there touches two others.
///
/// Memory: a user costs sizeof(State) + 32 bytes (ids up to 23 bytes included) + 8 of order + 11 to
/// 21 of cells; longer ids are on the heap. Slabs, once taken, are kept for reuse. Cost: `find` one
/// cell, one state; doubling moves only cells. Not thread-safe: owned by a shard.
template <class State>
class UserTable {
 public:
  /// `users_max` ≥ 1, below 2^30.
  explicit UserTable(std::size_t users_max) : users_max_(users_max) {
    LIMINAL_CHECK(users_max >= 1 && users_max <= kUsersLimit);
  }
  UserTable(UserTable&& other) noexcept : UserTable(other.users_max_) { swap(other); }
  UserTable& operator=(UserTable&& other) noexcept {
    swap(other);
    return *this;
  }
  ~UserTable() { clear(); }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t users_max() const { return users_max_; }
  /// Users that had to make room since the table was made (or loaded).
  [[nodiscard]] std::uint64_t evictions() const { return evictions_; }

  /// Null when there is none. Does not change the order of use.
  [[nodiscard]] State* find(const traffic::Name& name) {
    const std::uint32_t place = find_place(name);
    return place == kNone ? nullptr : &node(place).state;
  }
  [[nodiscard]] const State* find(const traffic::Name& name) const {
    return const_cast<UserTable*>(this)->find(name);
  }

  /// The name that has this hash, for who was told no more; of several an arbitrary one, empty when
  /// there is none. Borrowed until the user is erased.
  [[nodiscard]] traffic::Name name_of(std::uint64_t hash) const {
    if (cells_.empty()) return {};
    for (std::size_t i = home(tag(hash)); cells_[i].place != kNone; i = after(i)) {
      if (cells_[i].tag == tag(hash) && node(cells_[i].place).hash == hash)
        return name(cells_[i].place);
    }
    return {};
  }

  /// As most recently used; made by default when there was none. `added` is set accordingly.
  State& find_or_add(const traffic::Name& name, bool* added = nullptr) {
    std::uint32_t place = find_place(name);
    if (added != nullptr) *added = place == kNone;
    if (place == kNone) {
      place = add(name);
    } else if (place != newest_) {
      prefetch_state(place);
      unlink(place);
      link_newest(place);
    }
    return node(place).state;
  }

  bool erase(const traffic::Name& name) {
    const std::uint32_t place = find_place(name);
    if (place == kNone) return false;
    erase_place(place);
    return true;
  }

  /// Calls `visit(Name, State&)` for all, least recently used first. `visit` must not change the
  /// table.
  template <class Visit>
  void for_each(Visit&& visit) {
    for (std::uint32_t place = oldest_; place != kNone; place = order_[place].newer)
      visit(name(place), node(place).state);
  }
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (std::uint32_t place = oldest_; place != kNone; place = order_[place].newer)
      visit(name(place), std::as_const(node(place).state));
  }

  /// Erases those for whom `condemned(Name, State&)`, least recently used first. Returns how many.
  template <class Condemned>
  std::size_t erase_if(Condemned&& condemned) {
    const std::size_t before = size_;
    for (std::uint32_t place = oldest_; place != kNone;) {
      const std::uint32_t next = order_[place].newer;
      if (condemned(name(place), node(place).state)) erase_place(place);
      place = next;
    }
    return before - size_;
  }

  void clear() {
    erase_if([](const traffic::Name&, const State&) { return true; });
  }

  /// Asks for the cell of a hash that will be looked up soon (some 100 ns later).
  void prefetch(std::uint64_t hash) const {
    if (!cells_.empty()) __builtin_prefetch(&cells_[home(tag(hash))]);
  }

  /// Everything that the table owns, ids and free places included; not what states own.
  [[nodiscard]] std::size_t memory_bytes() const {
    return sizeof *this + slabs_.capacity() * sizeof(slabs_[0]) + slabs_.size() * sizeof(Slab) +
           cells_.capacity() * sizeof(Cell) + order_.capacity() * sizeof(Order) + long_id_bytes_;
  }

  /// Format: number of users, then for each, least recently used first, its id and what
  /// `save_state(State, Writer&)` puts.
  template <class SaveState>
  void save(Writer& out, SaveState&& save_state) const {
    out.put_varint(size_);
    for_each([&](const traffic::Name& name, const State& state) {
      out.put_text(name.text);
      save_state(state, out);
    });
  }

  /// Replaces everything by what `save` wrote; `load_state(Reader&, State&)` reads a state or fails
  /// the reader. Ids that are empty, too long or come twice are refused; what exceeds the cap is
  /// evicted. After a failure the table is empty.
  template <class LoadState>
  [[nodiscard]] Result<void> load(Reader& in, LoadState&& load_state) {
    clear();
    evictions_ = 0;
    for (std::uint64_t left = in.get_varint(); left > 0 && in.ok(); --left) {
      const traffic::Name name{in.get_text()};
      bool added = false;
      if (name.empty() || name.text.size() > traffic::kUserBytesMax) in.fail();
      if (!in.ok()) break;
      State& state = find_or_add(name, &added);
      if (!added) in.fail();
      load_state(in, state);
    }
    if (in.ok()) return {};
    clear();
    return failure(ErrorCode::kMalformed, in.position());
  }

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  static constexpr std::size_t kUsersLimit = std::size_t{1} << 30;
  static constexpr std::size_t kSlab = 64;
  static constexpr std::size_t kCellsMin = 16;

  struct Node {
    std::uint64_t hash;
    ShortText id;
    State state{};
  };
  /// Where a user is: `tag` holds the hash's low half, enough to find the place after doubling
  /// without touching the state.
  struct Cell {
    std::uint32_t tag = 0;
    std::uint32_t place = kNone;
  };
  struct Order {
    std::uint32_t older = kNone, newer = kNone;
  };
  struct Slab {
    alignas(Node) std::byte bytes[sizeof(Node) * kSlab];
  };

  static std::uint32_t tag(std::uint64_t hash) { return static_cast<std::uint32_t>(hash); }
  [[nodiscard]] std::size_t home(std::uint32_t tag) const { return tag & (cells_.size() - 1); }
  [[nodiscard]] std::size_t after(std::size_t i) const { return (i + 1) & (cells_.size() - 1); }

  [[nodiscard]] std::byte* memory(std::uint32_t place) const {
    return slabs_[place / kSlab]->bytes + place % kSlab * sizeof(Node);
  }
  [[nodiscard]] Node& node(std::uint32_t place) const {
    return *std::launder(reinterpret_cast<Node*>(memory(place)));
  }
  /// Asks for all of a state at once: what follows would else wait for it line by line.
  void prefetch_state(std::uint32_t place) const {
    constexpr std::size_t kLine = 64;
    const std::byte* begin = memory(place);
    for (std::size_t at = kLine; at < sizeof(Node); at += kLine)
      __builtin_prefetch(begin + at, 1 /* to write */);
  }
  [[nodiscard]] traffic::Name name(std::uint32_t place) const {
    const Node& user = node(place);
    return {user.id.view(), user.hash};
  }

  [[nodiscard]] std::uint32_t find_place(const traffic::Name& name) const {
    if (cells_.empty()) return kNone;
    const std::uint32_t wanted = tag(name.hash);
    for (std::size_t i = home(wanted); cells_[i].place != kNone; i = after(i)) {
      if (cells_[i].tag != wanted) continue;
      const Node& user = node(cells_[i].place);
      if (user.hash == name.hash && user.id.view() == name.text) return cells_[i].place;
    }
    return kNone;
  }

  std::uint32_t add(const traffic::Name& name) {
    if (size_ == users_max_) {
      erase_place(oldest_);
      ++evictions_;
    }
    if ((size_ + 1) * 4 > cells_.size() * 3) double_cells();
    const std::uint32_t place = take_place();
    ::new (memory(place)) Node{name.hash, ShortText(name.text)};
    long_id_bytes_ += node(place).id.heap_bytes();
    insert_cell({tag(name.hash), place});
    link_newest(place);
    ++size_;
    return place;
  }

  std::uint32_t take_place() {
    if (free_ != kNone) {
      const std::uint32_t place = free_;
      free_ = order_[place].newer;
      return place;
    }
    const auto place = static_cast<std::uint32_t>(order_.size());
    if (place % kSlab == 0) slabs_.push_back(std::make_unique_for_overwrite<Slab>());
    order_.emplace_back();
    return place;
  }

  void erase_place(std::uint32_t place) {
    erase_cell(place);
    unlink(place);
    long_id_bytes_ -= node(place).id.heap_bytes();
    node(place).~Node();
    order_[place].newer = free_;
    free_ = place;
    --size_;
  }

  void double_cells() {
    std::vector<Cell> old(cells_.empty() ? kCellsMin : cells_.size() * 2);
    old.swap(cells_);
    for (const Cell& cell : old) {
      if (cell.place != kNone) insert_cell(cell);
    }
  }

  void insert_cell(Cell cell) {
    std::size_t i = home(cell.tag);
    while (cells_[i].place != kNone) i = after(i);
    cells_[i] = cell;
  }

  /// Moves later cells of the run back, so that no search stops early (Knuth, 6.4, algorithm R).
  void erase_cell(std::uint32_t place) {
    std::size_t hole = home(tag(node(place).hash));
    while (cells_[hole].place != place) hole = after(hole);
    for (std::size_t i = after(hole); cells_[i].place != kNone; i = after(i)) {
      const std::size_t mask = cells_.size() - 1;
      const std::size_t run = (i - home(cells_[i].tag)) & mask;
      if (run < ((i - hole) & mask)) continue;  // it would move before its home
      cells_[hole] = cells_[i];
      hole = i;
    }
    cells_[hole] = {};
  }

  void unlink(std::uint32_t place) {
    const Order gone = order_[place];
    (gone.older == kNone ? oldest_ : order_[gone.older].newer) = gone.newer;
    (gone.newer == kNone ? newest_ : order_[gone.newer].older) = gone.older;
  }

  void link_newest(std::uint32_t place) {
    order_[place] = {newest_, kNone};
    (newest_ == kNone ? oldest_ : order_[newest_].newer) = place;
    newest_ = place;
  }

  void swap(UserTable& other) noexcept {
    std::swap(users_max_, other.users_max_);
    std::swap(slabs_, other.slabs_);
    std::swap(cells_, other.cells_);
    std::swap(order_, other.order_);
    std::swap(oldest_, other.oldest_);
    std::swap(newest_, other.newest_);
    std::swap(free_, other.free_);
    std::swap(size_, other.size_);
    std::swap(evictions_, other.evictions_);
    std::swap(long_id_bytes_, other.long_id_bytes_);
  }

  std::size_t users_max_;
  std::vector<std::unique_ptr<Slab>> slabs_;
  std::vector<Cell> cells_;   ///< a power of two
  std::vector<Order> order_;  ///< by place; of free places `newer` is the next free one
  std::uint32_t oldest_ = kNone, newest_ = kNone, free_ = kNone;
  std::size_t size_ = 0;
  std::uint64_t evictions_ = 0;
  std::size_t long_id_bytes_ = 0;
};

}  // namespace liminal::features
