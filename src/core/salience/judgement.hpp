#pragma once

#include "core/salience/learnt.hpp"
#include "core/salience/prior.hpp"
#include "core/salience/ranker.hpp"

namespace liminal::salience {

/// What a term of x adds to the log-odds, and their sum less `kNeutral`: κ·term/3.
[[nodiscard]] double history_log_odds(double term, double history_weight);

/// What an alert loses of its log-odds when an operator judged it to be nothing: more than any
/// history and severity make up for.
inline constexpr double kDismissed = 12;

/// How salient an event is: what it says of itself, and what its history says. Additive in
/// log-odds, so that every term is a line of the explanation.
struct Judgement {
  Prior prior;
  Terms terms;                ///< of its item, as they count; nothing without history
  double history_weight = 0;  ///< κ: 0 without history, 1 after a day of it
  /// κ·(x − feedback − 13)/3 + feedback/3: what an operator said needs no day of history.
  double history = 0;
  double word = 0;  ///< of an operator about this very alert: 0, or −kDismissed

  [[nodiscard]] double log_odds() const { return prior.log_odds + history + word; }
  [[nodiscard]] double salience() const { return logistic(log_odds()); }
};

/// Judges by the fields alone.
[[nodiscard]] Judgement judge(const Fields& fields);

/// The same with the event's item, as `Ranker` gave it, weighted by how far the history reaches;
/// `weights`: what its terms count for.
[[nodiscard]] Judgement judge(const Fields& fields,
                              const Item& item,
                              double confidence,
                              const TermWeights& weights = {});

}  // namespace liminal::salience
