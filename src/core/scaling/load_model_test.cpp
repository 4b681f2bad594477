#include "core/scaling/load_model.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/scaling/testing.hpp"

namespace liminal::scaling {
namespace {

LoadModel learnt(std::int64_t minutes, std::uint64_t seed = 1, std::uint32_t horizon = 10) {
  LoadModel model(horizon);
  Random random(seed);
  for (std::int64_t t = 0; t < minutes; ++t) model.step(t, made_up_load(t, random));
  return model;
}

TEST(LoadModel, PeaksExceedItsQuantilesAboutAsOftenAsPromisedAndNotMore) {
  // A quantile is the upper edge of its cell, so less than 10 % exceed it; of 8,640 neighbouring
  // peaks some 860 are independent, a standard error of 1 %.
  LoadModel model;
  Random random(7);
  std::vector<double> loads, promised;
  for (std::int64_t t = 0; t < 10 * 1440; ++t) {
    loads.push_back(made_up_load(t, random));
    model.step(t, loads.back());
    promised.push_back(model.peak(.1));
  }
  double exceeded = 0, asked = 0;
  for (std::size_t t = 4 * 1440; t + 10 < loads.size(); ++t, ++asked)
    exceeded += *std::max_element(&loads[t + 1], &loads[t + 11]) > promised[t] ? 1 : 0;
  EXPECT_LT(exceeded / asked, .13);
  EXPECT_GT(exceeded / asked, .02);
}

TEST(LoadModel, SeesABurstComeThatComesEveryHour) {
  LoadModel model;
  Random random(3);
  double before_bursts = 0, elsewhere = 0;
  for (std::int64_t t = 0; t < 5 * 1440; ++t) {
    model.step(t, made_up_load(t, random, 60));
    if (t < 4 * 1440) continue;
    if (t % 60 == 55) before_bursts += model.peak(.05) / model.history().load_before(0).value();
    if (t % 60 == 30) elsewhere += model.peak(.05) / model.history().load_before(0).value();
  }
  EXPECT_GT(before_bursts / 24, 1.4);
  EXPECT_LT(elsewhere / 24, 1.4);
}

TEST(LoadModel, KnowsTheLevelOnlyUntilAnHourOfResidualsIsThere) {
  LoadModel model;
  for (std::int64_t t = 0; t < 60; ++t) {
    model.step(t, 99);
    EXPECT_FALSE(model.ready());
    // 16 % of ℓ, which is told in hundredths of the usual load.
    EXPECT_NEAR(model.peak(.01), 99 * (1.01 * std::exp(.16) - .01), 1e-3);
  }
  for (std::int64_t t = 60; t < 80; ++t) model.step(t, 99);
  EXPECT_TRUE(model.ready());
}

TEST(LoadModel, AMinuteThatIsNotLaterTeachesNothing) {
  LoadModel model = learnt(200);
  const std::uint64_t before = model.state_hash();
  EXPECT_FALSE(model.step(199, 5));
  EXPECT_FALSE(model.step(-3, 5));
  EXPECT_EQ(model.state_hash(), before);
}

TEST(LoadModel, GoesOnAfterMissingMinutesAndStartsAnewAfterAWeekOfThem) {
  LoadModel model;
  Random random(5);
  for (std::int64_t t = 0; t < 4 * 1440; ++t) {
    const double load = made_up_load(t, random);
    if (t % 5 != 0 && (t < 3000 || t > 3300)) model.step(t, load);
  }
  EXPECT_EQ(model.history().minutes(), 4u * 1440 - 1);
  EXPECT_LT(model.history().known_minutes(), model.history().minutes());
  EXPECT_TRUE(model.ready());
  const double now = model.history().load_before(0).value();
  EXPECT_GT(model.peak(.01), now / 2);
  // At that hour the load is 20 ± 4.
  EXPECT_LT(model.peak(.01), 3 * 20 + 10);
  model.step(4 * 1440 + LoadModel::kGapMax + 1, 7);
  EXPECT_EQ(model.history().minutes(), 1u);
}

TEST(LoadModel, StaysFiniteOnConstantEmptyAndHugeLoads) {
  for (const double load : {0., 1., LoadModel::kLoadMax}) {
    LoadModel model;
    for (std::int64_t t = 0; t < 3000; ++t) {
      model.step(t, t % 100 == 50 ? 0 : load);
      for (const double p : {.6, .1, 1e-5}) ASSERT_TRUE(std::isfinite(model.peak(p)));
    }
  }
}

TEST(LoadModel, FitsItsMemoryWhateverTheHistory) {
  const LoadModel model = learnt(20'000, 1, LoadModel::kHorizonMax);
  EXPECT_LE(model.memory_bytes(), 300u << 10);
  EXPECT_LE(learnt(20'000).memory_bytes(), 245u << 10);
  EXPECT_LE(learnt(60).memory_bytes(), 75u << 10);
}

TEST(LoadModel, GoesOnInAnotherUnitWhenTheUsualLoadChanges) {
  LoadModel model;
  Random random(5);
  for (std::int64_t t = 0; t < 1000; ++t) model.step(t, made_up_load(t, random));
  const double unit = model.history().unit(), before = *model.history().load_before(1);
  for (std::int64_t t = 1000; t < 1600; ++t) model.step(t, 1e6 * made_up_load(t, random));
  EXPECT_GT(model.history().unit(), 10 * unit);
  EXPECT_NEAR(*model.history().load_before(601), before, 1e-2 * before);
  EXPECT_NEAR(model.peak(.5), *model.history().load_before(0), *model.history().load_before(0));
}

RC_GTEST_PROP(LoadModel, SavedAndLoadedItHasTheSameFuture, ()) {
  const auto minutes = *rc::gen::inRange<std::int64_t>(1, 3000);
  const auto horizon = *rc::gen::inRange<std::uint32_t>(1, 61);
  LoadModel model = learnt(minutes, 9, horizon);
  Writer saved;
  model.save(saved);
  LoadModel loaded;
  Reader in(saved.bytes());
  RC_ASSERT(loaded.load(in).has_value());
  RC_ASSERT(in.at_end());
  RC_ASSERT(loaded.state_hash() == model.state_hash());
  Random random(11);
  for (std::int64_t t = minutes; t < minutes + 200; ++t) {
    const double load = made_up_load(t, random);
    model.step(t, load);
    loaded.step(t, load);
    RC_ASSERT(model.peak(.01) == loaded.peak(.01));
  }
  RC_ASSERT(loaded.state_hash() == model.state_hash());
}

RC_GTEST_PROP(LoadModel, AQuantileDoesNotFallWhenItIsExceededLess, ()) {
  static const LoadModel model = learnt(4000);
  const double p = *rc::gen::map(rc::gen::inRange(1, 6000), [](int i) { return i * 1e-4; });
  RC_ASSERT(model.peak(p / 2) >= model.peak(p));
}

TEST(LoadModel, BytesThatAreNoneOfItsOwnAreRefused) {
  Writer saved;
  learnt(500).save(saved);
  const std::string& bytes = saved.bytes();
  for (std::size_t cut = 0; cut < bytes.size(); cut += 97) {
    LoadModel loaded;
    Reader in(std::string_view(bytes).substr(0, cut));
    EXPECT_FALSE(loaded.load(in).has_value()) << cut;
  }
}

}  // namespace
}  // namespace liminal::scaling
