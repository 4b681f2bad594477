#include "core/salience/judgement.hpp"

namespace liminal::salience {
namespace {

/// Where an item's history speaks neither for nor against it.
constexpr double kNeutral = 13, kScale = 3;

}  // namespace

Judgement judge(const Fields& fields) {
  Judgement result;
  result.prior = prior(fields);
  return result;
}

Judgement judge(const Fields& fields, const Item& item, double confidence) {
  Judgement result = judge(fields);
  result.terms = item.terms;
  result.history_weight = confidence;
  result.history = confidence * (item.terms.x() - kNeutral) / kScale;
  return result;
}

}  // namespace liminal::salience
