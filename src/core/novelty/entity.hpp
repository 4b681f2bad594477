#pragma once

#include <cstdint>

#include "core/base/codec.hpp"
#include "core/novelty/alarm_budget.hpp"
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
  double weeks = 0;           ///< for how much time it stands (≥ 0)
  /// Which part of `evidence` says that something is odd, but not how odd: it is learnt and holds
  /// back what is like it, and makes no score.
  double coarse = 0;
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
/// The line means that one row in `budget` is above it. Of many metrics that are odd independently
/// of each other the prior, which is worth more than all that is remembered, knows nothing: there
/// far more rows are. So what is emitted is counted (alarm_budget.hpp), and where it is more than
/// one row in `budget` the line moves up to where it is not; never down, so that a source that
/// keeps to it is judged as if nothing were counted. Who wants at most about a certain number of
/// alarms a week gets the line that gave no more, above or below.
///
/// Memory: 424 bytes. Cost: about 50 ns a row.
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
    /// What is emitted is remembered for eight times as many, and believed after as many.
    double budget_rows = 5000;
  };

  /// The most that metrics which know few levels, as long as so many points, may add to what a row
  /// of so many metrics scores: as much as makes points/537 by itself, as MetricDetector has it.
  [[nodiscard]] static double coarse_max(std::uint32_t points, std::uint32_t metrics);

  /// Scores a row, then learns it. `alarms_per_week`: how many are wanted; 0: none were told.
  EntityScore step(const EntityRow& row, double alarms_per_week = 0);

  [[nodiscard]] std::uint32_t rows() const { return rows_; }
  /// Whether there were rows enough to judge the whole.
  [[nodiscard]] bool is_known() const;
  /// By what the latest score was divided to keep to the budget.
  [[nodiscard]] float line() const { return raised_; }

  void save(Writer& out) const;
  /// What makes no sense fails `in`. `counted`: it was saved with what had been emitted.
  void load(Reader& in, bool counted = true);

 private:
  void count(double emitted, double weeks, double alarms_per_week);

  AlarmLine line_;
  Hold hold_;
  AlarmBudget by_rows_, by_time_;
  float raised_ = 1;
  float wished_ = 0;  ///< alarms a week that `raised_` is for
  std::uint32_t rows_ = 0;
  /// Kept from row to row, because a power costs more than the rest.
  std::uint32_t metrics_ = 0;
  double prior_ = 0;
};

}  // namespace liminal::novelty
