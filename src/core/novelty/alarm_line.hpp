#pragma once

#include <array>
#include <cstdint>
#include <limits>

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

/// No score is larger than so many times the line. What lies farther out has a tail's law for its
/// only witness, which is no literal rate: of white noise one point in 100,000 scores as much.
inline constexpr double kScoreMax = 1e4;

/// The largest score that so few points can tell: before there were `enough` of them a level is not
/// known to be rare, unless it lies far out.
///
/// `deviation` is its distance from the mean of all points in their standard deviations. With
/// s = points / enough < 1 the bound is max(s⁴, s · max(0, deviation − 3)²), and always
/// `kScoreMax`. Of a Gaussian no point in 10,000 lies so far out as to be told before; a steady
/// climb stays within √3 of its own deviations.
[[nodiscard]] double score_max(double points, double deviation, double enough);

/// Lets a score through when there is something new to say: when it is above what was said lately,
/// or when nothing was said for a while. So one incident is one alarm, and a worse one another.
class Hold {
 public:
  /// What is emitted of a score: itself, or 0. `points` is how long a peak is held.
  float emit(double score, double points) {
    float emitted = 0;
    if (score > 0 && (score > static_cast<double>(peak_) || since_ > points)) {
      emitted = peak_ = static_cast<float>(score);
      since_ = 0;
    } else if (since_ < kLongAgo) {
      ++since_;
    }
    if (since_ > points) peak_ = 0;
    return emitted;
  }
  /// Whatever was said lately is over.
  void release() {
    peak_ = 0;
    since_ = kLongAgo;
  }

  void save(Writer& out) const {
    out.put(peak_);
    out.put(since_);
  }
  void load(Reader& in) {
    in.get(peak_);
    in.get(since_);
    if (!(peak_ >= 0 && peak_ <= std::numeric_limits<float>::max())) in.fail();
  }

 private:
  static constexpr std::uint32_t kLongAgo = 1U << 30;
  float peak_ = 0;
  std::uint32_t since_ = kLongAgo;
};

}  // namespace liminal::novelty
