#include "core/salience/judgement.hpp"

namespace liminal::salience {
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
  result.history = confidence * (result.terms.x() - kNeutral) / kScale;
  return result;
}

}  // namespace liminal::salience
