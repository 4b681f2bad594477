#pragma once

#include <cstdint>

#include "core/base/codec.hpp"
#include "core/novelty/alarm_line.hpp"

namespace liminal::novelty {

/// What one row of an entity's metrics says as a whole.
struct EntityScore {
  float rarity = 0;  ///< on the scale of `score`, whether or not there is something new to say
  float score = 0;   ///< what is emitted; 1 = the alarm line
  friend bool operator==(const EntityScore&, const EntityScore&) = default;
};

/// What one row of an entity's metrics says, put together.
struct EntityRow {
  double evidence = 0;        ///< the sum of MetricScore::evidence (≥ 0, finite)
  double doubtful = 0;        ///< and of MetricScore::doubtful
  double deviation = 0;       ///< the largest of its metrics
  std::uint32_t metrics = 0;  ///< how many there are in the row (≥ 1)
};

/// Puts the evidence of one entity's metrics together: a host whose metrics are each a little odd
/// at the same time is odder than any of them. The evidences add up; an alarm line of the entity's
/// own turns the sum into a score whose alarm line is 1.
///
/// The line's prior grows with the number of metrics, M^.56: more metrics are odd by chance more
/// often, but not M times as often, because they move together. While there are few rows the prior
/// is worth little: what is usual for this entity is soon known better.
///
/// What its metrics have too few points to tell is no evidence, but the line learns that it is
/// usual. A score is bounded by what so few rows can tell (alarm_line.hpp, score_max).
///
/// Memory: 184 bytes. Cost: about 40 ns a row.
///
/// Source: our own study of servers of 19 and of 38 metrics; other numbers were checked on made-up
/// data only (docs/benchmarks.md).
class Entity {
 public:
  struct Constants {
    double enough_rows = 1500;       ///< tell what is rare; as many as Constants::enough_entity
    double prior_novelty = .007565;  ///< of one metric
    double prior_exponent = .5616;   ///< how it grows with their number
    double prior_points = 20'900;
    double prior_rows = 4;  ///< a row seen allows for so many points of the prior
    double tail_exponent = 7.546;
    double decay_points = 1080;
    double budget = 536.6;
    double hold_rows = 17.6;  ///< how long a peak is held
  };

  /// Scores a row, then learns it.
  EntityScore step(const EntityRow& row);

  [[nodiscard]] std::uint32_t rows() const { return rows_; }
  /// Whether there were rows enough to judge the whole.
  [[nodiscard]] bool is_known() const;

  void save(Writer& out) const;
  /// What makes no sense fails `in`.
  void load(Reader& in);

 private:
  AlarmLine line_;
  Hold hold_;
  std::uint32_t rows_ = 0;
  /// Kept from row to row, because a power costs more than the rest.
  std::uint32_t metrics_ = 0;
  double prior_ = 0;
};

}  // namespace liminal::novelty
