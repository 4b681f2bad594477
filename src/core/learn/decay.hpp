#pragma once

#include <cstdint>
#include <span>

#include "core/base/codec.hpp"
#include "core/base/problem.hpp"
#include "core/learn/drift.hpp"
#include "core/learn/experiment.hpp"
#include "core/stats/moments.hpp"

namespace liminal::learn {

/// The errors that a model made on rows that it had not learnt from. Fresh: not known.
struct ErrorReference {
  double mean = 0;
  double variance = 0;  ///< of one row
  double rows = 0;
  double dependence = 1;  ///< `dependence_of`

  [[nodiscard]] static ErrorReference learn(std::span<const double> errors, const Order& order);
  void save(Writer& out) const;
  void load(Reader& in);
};

/// Whether a model became worse: its errors where the truth came to be known against those of when
/// it was made, or, where these are not known, against the first of `learn_rows`.
///
/// What is looked at are two rolling means: of at most `window_rows` of the newest errors, and of
/// between that and twice as many; what is shown is the one that says more of decay. It decayed
/// when an interval that holds at every look lies above the reference by more than
/// `tolerance_ratio` of it.
///
/// Guarantee: if the errors stay as they were, the chance that this is ever said is at most `alpha`
/// (asymptotically in the rows; the windows share alpha as alpha/(j·(j + 1))). Memory: 150 bytes.
/// Cost: some 50 ns an error.
///
/// Source: `anytime_interval`.
class Decay {
 public:
  struct Options {
    double tolerance_ratio = .1;
    double alpha = .01;
    double window_rows = 200;
    double rows_min = 20;    ///< in a window, before anything is said
    double learn_rows = 50;  ///< that make a reference where there is none

    [[nodiscard]] Problems validate() const;
  };

  /// `options` must be valid.
  explicit Decay(const ErrorReference& reference) : Decay(reference, Options{}) {}
  Decay(const ErrorReference& reference, Options options);

  /// Lower is better; infinite ones and NaN are left out.
  void observe(double error);

  /// Stays until `calm`.
  [[nodiscard]] bool decayed() const { return decayed_; }
  [[nodiscard]] double error() const { return window().mean(); }  ///< rolling; 0 without rows
  [[nodiscard]] double rows() const { return static_cast<double>(window().count()); }
  [[nodiscard]] const ErrorReference& reference() const { return reference_; }
  /// Of the rolling error minus the reference's mean; the whole line while too little is known.
  [[nodiscard]] Interval excess() const;
  /// Forgets the errors seen, not the reference.
  void calm();

  /// The reference is part of it, the options are not.
  void save(Writer& out) const;
  void load(Reader& in);

 private:
  [[nodiscard]] bool older_says_more() const;
  [[nodiscard]] const stats::Moments& window() const {
    return older_says_more() ? older_ : younger_;
  }
  [[nodiscard]] Interval excess_of(const stats::Moments& window, std::uint64_t number) const;
  void judge(const stats::Moments& window, std::uint64_t number);

  ErrorReference reference_;
  Options options_;
  stats::Moments learning_;  ///< of the reference, while it is not known
  stats::Moments older_, younger_;
  std::uint64_t windows_ = 1;  ///< begun so far
  bool decayed_ = false;
};

}  // namespace liminal::learn
