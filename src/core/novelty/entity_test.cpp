#include "core/novelty/entity.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "core/base/random.hpp"

namespace liminal::novelty {
namespace {

TEST(Entity, AlarmsWhenItsEvidenceIsFarAboveWhatItUsuallyIs) {
  Entity entity;
  Random random(1);
  for (int i = 0; i < 3000; ++i) {
    const EntityScore score = entity.step(.002 * random.exponential(), 20);
    if (i > 100) {
      EXPECT_LT(score.score, 1) << i;
    }
  }
  EXPECT_GE(entity.step(.5, 20).score, 1);
  EXPECT_EQ(entity.step(.4, 20).score, 0) << "less than what was just said";
}

TEST(Entity, ExpectsMoreEvidenceOfMoreMetrics) {
  double before = 1e9;
  for (const std::uint32_t metrics : {1U, 2U, 19U, 38U, 4096U}) {
    Entity entity;
    const auto score = static_cast<double>(entity.step(.2, metrics).rarity);
    EXPECT_LT(score, before);
    before = score;
  }
}

TEST(Entity, SaysNothingOfNoEvidence) {
  Entity entity;
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(entity.step(0, 3), EntityScore{});
}

TEST(Entity, SavedAndLoadedHasTheSameFuture) {
  Entity entity;
  Random random(5);
  for (int i = 0; i < 500; ++i) (void)entity.step(random.exponential(), 7);
  Writer saved;
  entity.save(saved);
  Entity loaded;
  Reader in(saved.bytes());
  loaded.load(in);
  ASSERT_TRUE(in.at_end());
  for (int i = 0; i < 500; ++i) {
    const double evidence = random.exponential();
    EXPECT_EQ(entity.step(evidence, 7), loaded.step(evidence, 7));
  }
}

}  // namespace
}  // namespace liminal::novelty
