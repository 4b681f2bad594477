#pragma once

#include <array>
#include <cstdint>

#include "core/base/codec.hpp"

namespace liminal::novelty {

/// Turns a novelty into a score whose alarm line is 1 for every series, by how rarely a novelty at
/// least this large was seen in it: score = 1 / (Q · rate). No threshold to choose.
///
/// The rate comes from decayed counts of past novelties in 40 bins of a third of an octave, with
/// a power-law tail beyond what was seen and a prior that stands for series never seen.
///
/// Memory: 172 bytes. Cost: about 40 ns.
///
/// Source: our own measurements (docs/benchmarks.md), constants from the half tuned on.
class AlarmLine {
 public:
  struct Shape {
    double tail_exponent;  ///< k: the rate of novelties above e falls as e^-k
    double prior_novelty;  ///< e0: the novelty that the prior expects once in a point
    double prior_points;   ///< how many points the prior is worth
    double decay_points;   ///< the counts' memory
    double budget;         ///< Q: larger alarms less often
  };

  /// The score of a novelty > 0 before it is counted; 0 for none.
  [[nodiscard]] double score(double novelty, const Shape& shape) const;
  void learn(double novelty, const Shape& shape);

  void save(Writer& out) const;
  void load(Reader& in);

 private:
  static constexpr int kBins = 40;
  [[nodiscard]] static int bin(double novelty);

  std::array<float, kBins> counts_{};  ///< in units of `weight_`
  float points_ = 0;                   ///< decayed number of points learnt
  float weight_ = 1;  ///< what a new point counts: growing, instead of decaying all
};

}  // namespace liminal::novelty
