#include "core/salience/prior.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

namespace liminal::salience {
namespace {

TEST(Prior, ScoresTheInterfacesExample) {
  Fields system;
  system[Field::kSeverity] = *severity_log_odds("high");
  system[Field::kFrequency] = .8;
  EXPECT_NEAR(logistic(prior(system).log_odds), .537, 5e-4);

  Fields interaction;
  interaction[Field::kEngagement] = .6;
  interaction[Field::kDuration] = 120;
  EXPECT_NEAR(logistic(prior(interaction).log_odds), .258, 5e-4);
}

TEST(Prior, OfAnEmptyEventIsTheBase) {
  EXPECT_EQ(prior(Fields{}).log_odds, -1);
  EXPECT_TRUE(prior(Fields{}).lines().empty());
}

TEST(Prior, CountsOnlyTheWorstOfReadingsThatGoTogether) {
  Fields fields;
  fields[Field::kCpuUsage] = .95;
  fields[Field::kMemoryUsage] = .9;
  fields[Field::kSystemLoad] = .1;
  const Prior result = prior(fields);
  ASSERT_EQ(result.count, 1u);
  EXPECT_EQ(result.terms[0].field, Field::kCpuUsage);
}

TEST(Severity, KnowsItsWordsAndNumbers) {
  EXPECT_EQ(severity_log_odds("critical"), 2);
  EXPECT_EQ(severity_log_odds("fatal"), 2);
  EXPECT_EQ(severity_log_odds("HIGH"), 1);
  EXPECT_EQ(severity_log_odds("Critical"), 2);
  EXPECT_FALSE(severity_log_odds("terrible"));
  EXPECT_FALSE(severity_log_odds("hig"));
  EXPECT_EQ(severity_log_odds(0.), -1.5);
  EXPECT_EQ(severity_log_odds(7.), 2);
}

TEST(Field, NamesReadBack) {
  for (std::size_t i = 0; i < kFields; ++i) {
    const Field field{static_cast<std::uint8_t>(i)};
    EXPECT_EQ(field_by_name(name(field)), field);
  }
}

Fields some_fields() {
  Fields fields;
  for (double& value : fields.values) {
    if (*rc::gen::arbitrary<bool>()) value = *rc::gen::inRange(-100, 40'000) / 100.;
  }
  return fields;
}

RC_GTEST_PROP(Prior, IsMonotoneInEveryField, ()) {
  Fields fields = some_fields();
  double& value = fields.values[*rc::gen::inRange<std::size_t>(0, kFields)];
  if (std::isnan(value)) value = *rc::gen::inRange(-100, 40'000) / 100.;
  const double before = prior(fields).log_odds;
  value += *rc::gen::inRange(0, 1000) / 100.;
  RC_ASSERT(prior(fields).log_odds >= before - 1e-12);
}

RC_GTEST_PROP(Prior, IsTheSumOfItsLinesAndFinite, ()) {
  const Prior result = prior(some_fields());
  double sum = -1;
  for (const PriorTerm& term : result.lines()) sum += term.log_odds;
  RC_ASSERT(std::isfinite(sum));
  RC_ASSERT(std::abs(sum - result.log_odds) < 1e-12);
}

TEST(Prior, TakesInfinitiesAsTheirLimits) {
  Fields fields;
  fields[Field::kResponseTime] = INFINITY;
  fields[Field::kValue] = -INFINITY;
  EXPECT_EQ(prior(fields).log_odds, -1 + .5 - .5);
}

}  // namespace
}  // namespace liminal::salience
