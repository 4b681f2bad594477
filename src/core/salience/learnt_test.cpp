#include "core/salience/learnt.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "core/base/random.hpp"

namespace liminal::salience {
namespace {

/// Items that are relevant by chance, the more so the more their terms count by `truth`.
std::vector<JudgedTerms> judged_by(const TermValues& truth, std::size_t count, std::uint64_t seed) {
  Random random(seed);
  std::vector<JudgedTerms> out(count);
  for (JudgedTerms& one : out) {
    double x = 0;
    for (std::size_t k = 0; k < kTerms; ++k) {
      one.terms[k] = 3 + 2 * random.normal();
      x += truth[k] * (one.terms[k] - 3);
    }
    one.relevant = random.chance(1 / (1 + std::exp(-x / 3)));
  }
  return out;
}

TEST(LearnWeights, GivesOnesWithoutJudgementsOfBothKinds) {
  EXPECT_TRUE(learn_weights({}).is_prior());
  std::vector<JudgedTerms> judged = judged_by({1, 1, 1, 1, 1, 1}, 50, 1);
  for (JudgedTerms& one : judged) one.relevant = true;
  EXPECT_TRUE(learn_weights(judged).is_prior());
}

TEST(LearnWeights, FindsWhatCounts) {
  const TermValues truth{2, 1, .2, 1, 1.5, 0};
  const TermWeights found = learn_weights(judged_by(truth, 4000, 7));
  for (std::size_t k = 0; k < kTerms; ++k) EXPECT_NEAR(found.of[k], truth[k], .25) << kTermNames[k];
}

TEST(LearnWeights, MovesLittleByFewJudgements) {
  const std::vector<JudgedTerms> judged = judged_by({4, 0, 0, 0, 0, 0}, 8, 3);
  const TermWeights found = learn_weights(judged, {.prior_judgements = 100});
  for (const double weight : found.of) EXPECT_NEAR(weight, 1, .25);
}

TEST(LearnWeights, TurnsNoTermAgainstItsMeaning) {
  const TermWeights found = learn_weights(judged_by({1, -3, 1, 1, 1, 1}, 1000, 5));
  EXPECT_EQ(found.of[1], 0);
  EXPECT_TRUE(validate(found).empty());
}

TEST(LearnWeights, KeepsTheLevelOfScores) {
  const std::vector<JudgedTerms> judged = judged_by({3, 1, 0, 1, 2, 0}, 500, 9);
  const TermWeights found = learn_weights(judged);
  double before = 0, after = 0;
  for (const JudgedTerms& one : judged) {
    Terms terms{one.terms[0], one.terms[1], one.terms[2], one.terms[3], one.terms[4], one.terms[5]};
    before += terms.x();
    after += found.weighted(terms).x();
  }
  EXPECT_NEAR(before, after, 1e-6 * 500);
}

RC_GTEST_PROP(TermWeights, StayAdditive, (std::uint64_t seed)) {
  Random random(seed);
  TermWeights weights;
  Terms terms{1, 2, 3, 4, -5, 6};
  for (double& weight : weights.of) weight = 4 * random.uniform();
  weights.offset = random.normal();
  const Terms weighted = weights.weighted(terms);
  const TermValues before = values_of(terms), after = values_of(weighted);
  double sum = weighted.offset;
  for (std::size_t k = 0; k < kTerms; ++k) {
    RC_ASSERT(after[k] == weights.of[k] * before[k]);
    sum += after[k];
  }
  RC_ASSERT(std::abs(sum - weighted.x()) < 1e-9);
  RC_ASSERT(values_of(TermWeights{}.weighted(terms)) == before);
}

}  // namespace
}  // namespace liminal::salience
