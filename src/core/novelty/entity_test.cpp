#include "core/novelty/entity.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "core/base/random.hpp"

namespace liminal::novelty {
namespace {

/// Far out, so that nothing is held back for want of rows.
EntityRow row_of(double evidence, std::uint32_t metrics) { return {evidence, 0, 1e6, metrics}; }

TEST(Entity, AlarmsWhenItsEvidenceIsFarAboveWhatItUsuallyIs) {
  Entity entity;
  Random random(1);
  for (int i = 0; i < 3000; ++i) {
    const EntityScore score = entity.step(row_of(.002 * random.exponential(), 20));
    if (i > 100) {
      EXPECT_LT(score.score, 1) << i;
    }
  }
  EXPECT_GE(entity.step(row_of(.5, 20)).score, 1);
  EXPECT_EQ(entity.step(row_of(.4, 20)).score, 0) << "less than what was just said";
}

TEST(Entity, ExpectsMoreEvidenceOfMoreMetrics) {
  double before = 1e9;
  for (const std::uint32_t metrics : {1U, 2U, 19U, 38U, 4096U}) {
    Entity entity;
    const auto score = static_cast<double>(entity.step(row_of(.04, metrics)).rarity);
    EXPECT_LT(score, before);
    before = score;
  }
}

TEST(Entity, TellsEarlyOnlyOfWhatLiesFarOut) {
  for (const double deviation : {2., 20.}) {
    Entity entity;
    for (int i = 0; i < 100; ++i) EXPECT_LT(entity.step({0, .002, deviation, 20}).score, 1);
    const EntityScore score = entity.step({5, 0, deviation, 20});
    EXPECT_EQ(score.score >= 1, deviation > 10);
    EXPECT_LT(score.score, 1000);
  }
}

TEST(Entity, LearnsFromDoubtfulEvidenceWhatIsUsual) {
  Entity doubtful, silent;
  for (int i = 0; i < 600; ++i) {
    EXPECT_EQ(doubtful.step({0, .2, 0, 20}).score, 0);
    (void)silent.step({0, 0, 0, 20});
  }
  EXPECT_LT(doubtful.step(row_of(.2, 20)).score, 1);
  EXPECT_GE(silent.step(row_of(.2, 20)).score, 1);
}

TEST(Entity, SaysNothingOfNoEvidence) {
  Entity entity;
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(entity.step(row_of(0, 3)), EntityScore{});
}

/// Evidence of metrics that are odd by chance, each row for itself: e^(width · normal).
class Chance {
 public:
  Chance(double level, double width, std::uint64_t seed)
      : random_(seed), level_(level), width_(width) {}
  EntityRow next() { return {level_ * exp(width_ * random_.normal()), 0, 1e6, 100, 1. / 10'080}; }

 private:
  Random random_;
  double level_, width_;
};

RC_GTEST_PROP(Entity, KeepsToItsBudgetWhateverIsOddByChance, (std::uint16_t seed)) {
  // From the sum of very many metrics to the few that are seldom far out.
  const double width = *rc::gen::inRange(1, 40) / 20.;
  const double level = exp(*rc::gen::inRange(-80, 20) / 10.);
  Chance chance(level, width, seed);
  Entity entity;
  for (int i = 0; i < 2000; ++i) (void)entity.step(chance.next());
  constexpr int kRows = 4000;
  int alarms = 0;
  for (int i = 0; i < kRows; ++i) alarms += entity.step(chance.next()).score >= 1 ? 1 : 0;
  // One in 537 rows, half as many for the steps of the line, and four deviations of chance.
  constexpr double kExpected = kRows / 537.;
  RC_ASSERT(alarms <= 1.5 * kExpected + 4 * std::sqrt(kExpected));
}

TEST(Entity, MovesNoLineOfWhatKeepsToIt) {
  Entity entity;
  Random random(1);
  for (int i = 0; i < 5000; ++i) {
    const double incident = i % 1000 == 999 ? 1 : 0;
    (void)entity.step(row_of(.002 * random.exponential() + incident, 20));
  }
  EXPECT_EQ(entity.line(), 1);
}

TEST(Entity, GivesAsManyAlarmsAWeekAsWereTold) {
  for (const double wanted : {2., 10., 40.}) {
    Chance chance(.5, .3, 3);
    Entity entity;
    constexpr int kWeekRows = 10'080;
    for (int i = 0; i < 2 * kWeekRows; ++i) (void)entity.step(chance.next(), wanted);
    int alarms = 0;
    for (int i = 0; i < 6 * kWeekRows; ++i)
      alarms += entity.step(chance.next(), wanted).score >= 1 ? 1 : 0;
    EXPECT_GT(alarms, 6 * wanted / 2.5) << wanted;
    EXPECT_LT(alarms, 6 * wanted * 2) << wanted;
  }
}

TEST(Entity, ReadsWhatWasSavedBeforeItCountedWhatItEmits) {
  Entity entity;
  Random random(5);
  for (int i = 0; i < 500; ++i) (void)entity.step(row_of(.001 * random.exponential(), 7));
  Writer saved;
  entity.save(saved);
  // Two budgets of 24 counts and two times each, the line and what it is for.
  constexpr std::size_t kCounted = 2 * 26 * sizeof(float) + 2 * sizeof(float);
  const auto before = std::string_view(saved.bytes()).substr(0, saved.bytes().size() - kCounted);
  Entity loaded;
  Reader in(before);
  loaded.load(in, false);
  ASSERT_TRUE(in.at_end());
  EXPECT_EQ(loaded.rows(), entity.rows());
  EXPECT_EQ(loaded.step(row_of(.1, 7)), entity.step(row_of(.1, 7)));
  Reader damaged(before);
  Entity().load(damaged);
  EXPECT_FALSE(damaged.ok());
}

TEST(Entity, SavedAndLoadedHasTheSameFuture) {
  Entity entity;
  Random random(5);
  for (int i = 0; i < 500; ++i) (void)entity.step(row_of(random.exponential(), 7));
  Writer saved;
  entity.save(saved);
  Entity loaded;
  Reader in(saved.bytes());
  loaded.load(in);
  ASSERT_TRUE(in.at_end());
  for (int i = 0; i < 500; ++i) {
    const double evidence = random.exponential();
    EXPECT_EQ(entity.step(row_of(evidence, 7)), loaded.step(row_of(evidence, 7)));
  }
}

}  // namespace
}  // namespace liminal::novelty
