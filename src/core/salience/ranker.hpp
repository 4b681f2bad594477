#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <unordered_map>
#include <vector>

#include "core/base/codec.hpp"
#include "core/base/problem.hpp"
#include "core/base/time.hpp"

namespace liminal::salience {

struct RankerOptions {
  /// Memory of how often a cell is active, and of what else is rare at present.
  Duration rarity_half_life = std::chrono::hours{24};
  Duration neighbourhood_half_life = std::chrono::minutes{30};
  /// Cells that are kept, one for each (type, source) and one for each type; the least recently
  /// active is forgotten beyond it.
  std::uint32_t cells_max = 8192;
  /// Types whose feedback is kept, likewise.
  std::uint32_t types_max = 4096;
};
[[nodiscard]] Problems validate(const RankerOptions& options);

/// Why an item is as salient as it is. The terms add up to x.
struct Terms {
  double rarity = 0;         ///< ¼ · −ln of the share of minutes in which this cell is active
  double type_rarity = 0;    ///< ¼ · the same of the type, whatever the source
  double neighbourhood = 0;  ///< rare things of other types near it in time
  double surprise = 0;       ///< more at once than usual
  double breadth = 0;        ///< ≤ 0: the same on many sources at once is news of none of them
  double feedback = 0;       ///< what operators said of the type
  double offset = 0;         ///< of weights that were learnt (learnt.hpp); 0 without

  [[nodiscard]] double x() const {
    return rarity + type_rarity + neighbourhood + surprise + breadth + feedback + offset;
  }
};

/// Whether one that is read back can be: they are logarithms. False for NaN.
[[nodiscard]] constexpr bool is_term(double value) { return value > -1e3 && value < 1e3; }

/// What one type did on one source within a minute.
struct Item {
  std::uint64_t type = 0, source = 0;  ///< hashes
  std::int64_t minute = 0;             ///< since the epoch
  std::uint32_t count = 0;
  Terms terms;
  double type_excess = 0;  ///< by how much the type's rarity exceeds what is noticed: of incidents
  double salience = 0;     ///< 0–1: σ((x − 16)/3)
};

/// Ranks what happens by how much it deserves a human, from its history alone: a rare thing is
/// interesting when other rare things happen near it.
///
/// An item is a type of event on a source within a minute. It gets a provisional score when it
/// arrives, from what the minute holds so far, and its final one when the minute ends; only then is
/// it learnt. Time that goes back counts in the open minute.
///
/// Guarantee: additive, deterministic, bounded; final scores, and what is learnt, are the same bits
/// whatever the order within the minute. Memory: some 150 bytes a cell. Cost: about a microsecond
/// an item.
///
/// Source: our own study on public intrusion alerts (docs/benchmarks.md). Where it has half the
/// cell's rarity and all neighbours, here the rarity of the type has a half of that half, and what
/// is of the item's own type is no neighbour: a type that breaks out everywhere is one story, and
/// where sources are users every cell is new.
class Ranker {
 public:
  explicit Ranker(const RankerOptions& options = {}) : options_(options) {}
  Ranker(Ranker&&) = default;
  Ranker& operator=(Ranker&&) = default;

  /// Counts one event and gives its item's provisional score. Minutes that ended before it are
  /// closed first, their items appended to `finals`.
  Item observe(std::uint64_t type, std::uint64_t source, SteadyTime now, std::vector<Item>& finals);

  /// Closes the open minute when it has ended at `now`.
  void tick(SteadyTime now, std::vector<Item>& finals);

  /// What an event of this type and source would score now, counting and learning nothing.
  [[nodiscard]] Item score(std::uint64_t type, std::uint64_t source, SteadyTime now) const;

  /// An operator's word: it moves the type's term, on all sources.
  void feedback(std::uint64_t type, bool relevant);
  /// Takes a word back, as if it had not been said.
  void take_back(std::uint64_t type, bool relevant);

  /// What operators said of a type so far, as a term of x.
  [[nodiscard]] double feedback_term(std::uint64_t type) const;

  /// How far the history reaches, 0–1 of a day: what it is worth beside a prior.
  [[nodiscard]] double confidence(SteadyTime now) const;
  /// Whether the history has anything of the type, the open minute included.
  [[nodiscard]] bool knows(std::uint64_t type) const;
  [[nodiscard]] std::size_t cells() const { return index_.size(); }
  [[nodiscard]] std::size_t memory_bytes() const;

  void save(Writer& out) const;
  [[nodiscard]] Result<void> load(Reader& in);
  [[nodiscard]] std::uint64_t state_hash() const;

 private:
  struct Cell {
    std::uint64_t key = 0;
    double active = 0;  ///< decayed number of minutes in which it was active
    double excess = 0;  ///< its decayed part of the neighbourhood
    double mean_count = 0;
    std::uint32_t minutes = 0;  ///< behind the mean, at most 200
    std::int64_t active_at = 0, excess_at = 0;
  };
  struct Open {
    std::uint64_t type = 0, source = 0, key = 0;
    std::uint32_t count = 0;
    double rarity = 0, excess = 0;
  };
  /// What the open minute has of one type.
  struct OpenType {
    std::uint64_t type = 0;
    std::uint32_t sources = 0;
    double rarity = 0, excess = 0;
  };
  struct Votes {
    std::uint32_t relevant = 0, irrelevant = 0;
    std::uint64_t used = 0;
  };

  [[nodiscard]] static std::uint64_t key_of(std::uint64_t type, std::uint64_t source);
  [[nodiscard]] static std::uint64_t key_of(std::uint64_t type);
  [[nodiscard]] const Cell* find(std::uint64_t key) const;
  [[nodiscard]] double decayed(double value,
                               std::int64_t from,
                               std::int64_t to,
                               Duration half_life) const;
  [[nodiscard]] double rarity(const Cell* cell, std::int64_t minute) const;
  [[nodiscard]] Item judge(const Open& item, const OpenType& of_type, std::int64_t minute) const;
  void learn(Cell& cell, double excess, std::uint32_t count);
  Cell& touch(std::uint64_t key);
  void close(std::vector<Item>& finals);
  Open& open(std::uint64_t type, std::uint64_t source);
  OpenType& open_type(std::uint64_t type);

  RankerOptions options_;
  std::list<Cell> cells_;  ///< most recently active first
  std::unordered_map<std::uint64_t, std::list<Cell>::iterator> index_;  ///< never walked
  std::vector<Open> open_;  ///< items of the open minute, in order of arrival
  std::unordered_map<std::uint64_t, std::size_t> open_index_;       ///< never walked
  std::vector<OpenType> open_types_;                                ///< likewise
  std::unordered_map<std::uint64_t, std::size_t> open_type_index_;  ///< never walked
  double open_excess_ = 0;
  double neighbourhood_ = 0;
  std::int64_t neighbourhood_at_ = 0;
  std::int64_t first_minute_ = -1, minute_ = -1;  ///< −1: nothing yet
  std::map<std::uint64_t, Votes> votes_;
  std::uint64_t votes_given_ = 0;
};

}  // namespace liminal::salience
