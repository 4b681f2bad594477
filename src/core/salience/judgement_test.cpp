#include "core/salience/judgement.hpp"

#include <gtest/gtest.h>

namespace liminal::salience {
namespace {

TEST(Judgement, WithoutHistoryIsThePrior) {
  Fields fields;
  fields[Field::kSeverity] = 1;
  EXPECT_EQ(judge(fields).log_odds(), prior(fields).log_odds);
  Item item;
  item.terms.neighbourhood = 30;
  EXPECT_EQ(judge(fields, item, 0).log_odds(), prior(fields).log_odds);
}

TEST(Judgement, IsTheSumOfPriorAndHistory) {
  Fields fields;
  fields[Field::kSeverity] = 2;
  Item item;
  item.terms.rarity = 2;
  item.terms.neighbourhood = 17;
  const Judgement whole = judge(fields, item, 1);
  EXPECT_DOUBLE_EQ(whole.history, 2);
  EXPECT_DOUBLE_EQ(whole.log_odds(), 3);
  EXPECT_DOUBLE_EQ(judge(fields, item, .5).log_odds(), 2);
  EXPECT_GT(whole.salience(), .95);
}

TEST(Judgement, AWordNeedsNoHistory) {
  Item item;
  item.terms.feedback = -.6;
  EXPECT_DOUBLE_EQ(judge({}, item, 0).history, -.2);
  EXPECT_DOUBLE_EQ(judge({}, item, 1).history, (-.6 - kNeutral) / kScale);
}

TEST(Judgement, OfWhatIsNothingIsBelowThatOfAnyOther) {
  Fields grave;
  grave[Field::kSeverity] = 2;
  Judgement dismissed = judge(grave);
  dismissed.word = -kDismissed;
  Fields slight;
  slight[Field::kSeverity] = -1.5;
  EXPECT_LT(dismissed.log_odds(), judge(slight).log_odds());
}

TEST(Judgement, TakesHistoryBothWays) {
  Item common;
  common.terms.rarity = .5;
  EXPECT_LT(judge({}, common, 1).log_odds(), judge(Fields{}).log_odds());
}

}  // namespace
}  // namespace liminal::salience
