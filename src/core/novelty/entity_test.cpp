#include "core/novelty/entity.hpp"

#include <gtest/gtest.h>

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
    const auto score = static_cast<double>(entity.step(row_of(.2, metrics)).rarity);
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
