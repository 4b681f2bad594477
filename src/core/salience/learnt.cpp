#include "core/salience/learnt.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/base/hash.hpp"
#include "core/salience/prior.hpp"

namespace liminal::salience {
namespace {

constexpr int kRounds = 60;
constexpr double kStill = 1e-6;

TermValues difference(const TermValues& a, const TermValues& b) {
  TermValues out;
  for (std::size_t k = 0; k < kTerms; ++k) out[k] = (a[k] - b[k]) / kScale;
  return out;
}

double dot(const TermValues& a, const TermValues& b) {
  double sum = 0;
  for (std::size_t k = 0; k < kTerms; ++k) sum += a[k] * b[k];
  return sum;
}

/// All pairs, or as many as may be: each relevant one as often as any other, with others by chance.
std::vector<TermValues> pairs_of(const std::vector<TermValues>& relevant,
                                 const std::vector<TermValues>& others,
                                 std::uint32_t pairs_max) {
  const std::uint64_t all = std::uint64_t{relevant.size()} * others.size();
  const std::uint64_t count = std::min<std::uint64_t>(all, pairs_max);
  std::vector<TermValues> pairs;
  pairs.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t other = count == all ? i / relevant.size() : mix64(i) % others.size();
    pairs.push_back(difference(relevant[i % relevant.size()], others[other]));
  }
  return pairs;
}

/// One Newton step of one weight; gives how far it moved.
double step(const std::vector<TermValues>& pairs, double pull, std::size_t k, TermValues& weights) {
  double gradient = 0, curvature = 0;
  for (const TermValues& pair : pairs) {
    const double p = logistic(-dot(weights, pair));
    gradient -= p * pair[k];
    curvature += p * (1 - p) * pair[k] * pair[k];
  }
  const auto count = static_cast<double>(pairs.size());
  gradient = gradient / count + pull * (weights[k] - 1);
  curvature = curvature / count + pull;
  const double before = weights[k];
  weights[k] = std::clamp(before - gradient / curvature, 0., kWeightMax);
  return std::abs(weights[k] - before);
}

double mean_of(std::span<const JudgedTerms> judged, const TermValues& weights) {
  double sum = 0;
  for (const JudgedTerms& one : judged) sum += dot(weights, one.terms);
  return sum / static_cast<double>(judged.size());
}

}  // namespace

TermValues values_of(const Terms& terms) {
  return {terms.rarity,
          terms.type_rarity,
          terms.neighbourhood,
          terms.surprise,
          terms.breadth,
          terms.feedback};
}

Terms TermWeights::weighted(const Terms& terms) const {
  Terms out = terms;
  out.rarity *= of[0];
  out.type_rarity *= of[1];
  out.neighbourhood *= of[2];
  out.surprise *= of[3];
  out.breadth *= of[4];
  out.feedback *= of[5];
  out.offset += offset;
  return out;
}

Problems validate(const TermWeights& weights) {
  Problems problems;
  for (std::size_t k = 0; k < kTerms; ++k) {
    if (!(weights.of[k] >= 0 && weights.of[k] <= kWeightMax))
      problems.push_back({std::string(kTermNames[k]), "must be 0 to 4"});
  }
  if (!(std::abs(weights.offset) <= 100)) problems.push_back({"offset", "must be -100 to 100"});
  return problems;
}

TermWeights learn_weights(std::span<const JudgedTerms> judged, const WeightLearning& options) {
  std::vector<TermValues> relevant, others;
  for (const JudgedTerms& one : judged) (one.relevant ? relevant : others).push_back(one.terms);
  TermWeights out;
  if (relevant.empty() || others.empty()) return out;
  const std::vector<TermValues> pairs = pairs_of(relevant, others, options.pairs_max);
  // A judgement is in many pairs: the scarcer kind says how much is known.
  const auto evidence = static_cast<double>(std::min(relevant.size(), others.size()));
  const double pull = options.prior_judgements / evidence;
  for (int round = 0; round < kRounds; ++round) {
    double moved = 0;
    for (std::size_t k = 0; k < kTerms; ++k) moved = std::max(moved, step(pairs, pull, k, out.of));
    if (moved < kStill) break;
  }
  out.offset = mean_of(judged, TermWeights{}.of) - mean_of(judged, out.of);
  return out;
}

}  // namespace liminal::salience
