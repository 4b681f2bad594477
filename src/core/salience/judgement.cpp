#include "core/salience/judgement.hpp"

namespace liminal::salience {

double history_log_odds(double term, double history_weight) {
  return history_weight * term / kScale;
}

Judgement judge(const Fields& fields) {
  Judgement result;
  result.prior = prior(fields);
  return result;
}

Judgement judge(const Fields& fields,
                const Item& item,
                double confidence,
                const TermWeights& weights) {
  Judgement result = judge(fields);
  result.terms = weights.weighted(item.terms);
  result.history_weight = confidence;
  const double feedback = result.terms.feedback;
  result.history = history_log_odds(result.terms.x() - feedback - kNeutral, confidence) +
                   history_log_odds(feedback, 1);
  return result;
}

}  // namespace liminal::salience
