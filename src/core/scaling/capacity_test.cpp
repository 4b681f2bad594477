#include "core/scaling/capacity.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <utility>

#include "core/base/random.hpp"
#include "core/scaling/resource_use.hpp"

namespace liminal::scaling {
namespace {

/// An instance with .002 s of CPU a request and 5 % idle, saturated at 450 requests a second, whose
/// memory hardly depends on its load.
CapacityModel learnt(double load_low, double load_high, double noise = .01) {
  CapacityModel model;
  Random random(1);
  for (int i = 0; i < 600; ++i) {
    const double x = load_low + (load_high - load_low) * random.uniform();
    model.observe({x,
                   (.05 + .002 * x) * (1 + noise * random.normal()),
                   .4 + .0002 * x + .002 * random.normal(),
                   .02 / (1 - x / 450) * (1 + noise * random.normal())});
  }
  return model;
}

TEST(CapacityModel, FindsTheLoadAtWhichEachResourceEnds) {
  const CapacityModel model = learnt(50, 300);
  const CapacityOptions options;
  EXPECT_NEAR(model.limit(Resource::kCpu, options)->load, (.85 - .05) / .002, 8);
  EXPECT_NEAR(model.limit(Resource::kMemory, options)->load, (.9 - .4) / .0002, 100);
  EXPECT_NEAR(model.limit(Resource::kResponseTime, options)->load, .8 * 450, 8);
}

TEST(CapacityModel, NamesTheBottleneckAndIsSureWhenTheOthersAreFar) {
  const CapacityModel model = learnt(50, 300);
  const auto found = model.bottleneck({});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->resource, Resource::kResponseTime);
  EXPECT_GT(found->confidence, .95);
  const auto cpu_first = model.bottleneck({.saturation_max_ratio = .95});
  EXPECT_EQ(cpu_first->resource, Resource::kCpu);
}

TEST(CapacityModel, ForetellsTheResponseTimeUpToTheKnee) {
  const CapacityModel model = learnt(50, 300);
  EXPECT_NEAR(*model.response_time_s(400), .02 / (1 - 400. / 450), .05);
  EXPECT_EQ(*model.response_time_s(500), INFINITY);
}

TEST(CapacityModel, ADeclaredResponseTimeIsALimit) {
  const CapacityModel model = learnt(50, 300);
  EXPECT_NEAR(model.limit(Resource::kResponseTime, {.response_time_max_s = .04})->load, 225, 5);
}

TEST(CapacityModel, OneLoadOnlyIsTakenAsProportionalAndSaysSo) {
  const CapacityModel model = learnt(100, 100.5);
  const auto found = model.bottleneck({});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->resource, Resource::kCpu);
  EXPECT_TRUE(found->limit.proportional);
  EXPECT_NEAR(found->limit.load, .85 / .0025, 3);
  EXPECT_LE(found->confidence, .5);
}

TEST(CapacityModel, KnowsNothingBeforeHalfAnHour) {
  CapacityModel model;
  for (int i = 0; i < 20; ++i) model.observe({100, .5, .5, .1});
  EXPECT_FALSE(model.bottleneck({}));
  EXPECT_FALSE(model.response_time_s(100));
}

TEST(CapacityModel, AResourceThatDoesNotDependOnTheLoadNeverEnds) {
  CapacityModel model;
  Random random(2);
  for (int i = 0; i < 500; ++i)
    model.observe({50 + 100 * random.uniform(), {}, .5 + .01 * random.normal(), {}});
  EXPECT_FALSE(model.limit(Resource::kMemory, {}));
}

TEST(CapacityModel, AConstantIsNoLineOfItsRounding) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    CapacityModel model;
    Random random(seed);
    for (int i = 0; i < 500; ++i) model.observe({50 + 100 * random.uniform(), .3, .7, .2});
    EXPECT_FALSE(model.bottleneck({})) << seed;
  }
}

/// Two days of an instance that is at its end at 100 a second.
struct Life {
  CapacityModel model;
  Random random{1};
  std::int64_t minute = 0;

  double day() const {
    const double part = static_cast<double>(minute % 1440) / 1440;
    return 50 + 40 * (1 - 4 * std::abs(part - .5)) / 2;
  }
  void live(std::int64_t minutes) {
    for (const std::int64_t end = minute + minutes; minute < end; ++minute) serve(day());
  }
  void serve(double load, double slower = 1) {
    const double left = std::max(1 - load / 100, .005);
    model.observe({load,
                   std::clamp(load / 100 + .01 * random.normal(), 0., 1.),
                   {},
                   slower * .05 / left * (1 + .1 * random.normal())});
  }
};

/// A release after which a request costs so many times the CPU, of an instance that has `offset`
/// beside.
void live_with(Life& life, double factor, double offset, std::int64_t minutes) {
  for (const std::int64_t end = life.minute + minutes; life.minute < end; ++life.minute) {
    const double load = life.day() * (1 + .03 * life.random.normal());
    const double use = factor * load / 100 + offset + .01 * life.random.normal();
    life.model.observe({load, std::clamp(use, 0., 1.), {}, {}});
  }
}

TEST(CapacityModel, ADearerReleaseIsKnownWithinHalfAnHourAndForGood) {
  for (const double factor : {1.3, 1.6}) {
    Life life;
    live_with(life, 1, 0, 2880);
    std::int64_t lived = 0;
    for (const std::int64_t until : {30, 60, 120, 240, 600, 1440}) {
      live_with(life, factor, 0, until - lived);
      lived = until;
      const auto limit = life.model.limit(Resource::kCpu, {});
      ASSERT_TRUE(limit) << until;
      EXPECT_NEAR(limit->load * factor / 85, 1, std::max(.02, 2 * limit->error)) << until;
      EXPECT_NEAR(limit->load * factor / 85, 1, .06) << until;
      const auto dearer = life.model.dearer();
      ASSERT_EQ(dearer.has_value(), until < 240) << until;
      EXPECT_NEAR(dearer ? dearer->factor : factor, factor, .1);
    }
    // And taken back: what is cheaper is believed as the past fades.
    live_with(life, 1, 0, 2880);
    EXPECT_NEAR(life.model.limit(Resource::kCpu, {})->load, 85, 6);
  }
}

TEST(CapacityModel, ABatchJobCountsWhileItRuns) {
  Life life;
  live_with(life, 1, 0, 2880);
  live_with(life, 1, .2, 120);
  const double during = life.model.limit(Resource::kCpu, {})->load;
  EXPECT_LT(during, 70) << "65 is true";
  EXPECT_GT(during, 45) << "were it a dearer request";
  live_with(life, 1, 0, 30);
  EXPECT_NEAR(life.model.limit(Resource::kCpu, {})->load, 85, 3);
}

TEST(CapacityModel, RemembersWhatIsDearerAcrossARestart) {
  Life life;
  live_with(life, 1, 0, 2880);
  live_with(life, 1.5, 0, 100);
  Writer out;
  life.model.save(out);
  Reader in(out.bytes());
  CapacityModel again;
  ASSERT_TRUE(again.load(in) && in.at_end());
  EXPECT_EQ(again.limit(Resource::kCpu, {})->load, life.model.limit(Resource::kCpu, {})->load);
  Life other = life;
  other.model = again;
  for (Life* const one : {&life, &other}) live_with(*one, 1.5, 0, 200);
  EXPECT_EQ(other.model.limit(Resource::kCpu, {})->load,
            life.model.limit(Resource::kCpu, {})->load);
}

RC_GTEST_PROP(CapacityModel, AnOverloadNeverRaisesWhatAnInstanceTakes, ()) {
  Life life;
  life.live(2880 + *rc::gen::inRange<std::int64_t>(0, 1440));
  const double load = *rc::gen::inRange(100, 5000);
  for (int i = *rc::gen::inRange(1, 60); i > 0; --i) life.serve(load);
  for (const std::int64_t later : {0, 1, 30, 1000}) {
    life.live(later);
    const auto cpu = life.model.limit(Resource::kCpu, {});
    const auto response = life.model.limit(Resource::kResponseTime, {});
    RC_ASSERT(cpu && response);
    RC_ASSERT(cpu->load > .97 * 85 && cpu->load < 1.02 * 85);
    RC_ASSERT(response->load > .95 * 80 && response->load < 1.02 * 80);
  }
}

/// Two days of a load of 100 that changes by `swing` or less; an instance takes 170 by its CPU.
CapacityModel around(double swing, Random& random) {
  CapacityModel model;
  for (int i = 0; i < 2880; ++i) {
    const double load = 100 * (1 + swing * (2 * random.uniform() - 1));
    model.observe({load,
                   .005 * load + .01 * random.normal(),
                   {},
                   .05 / (1 - load / 200) * (1 + .1 * random.normal())});
  }
  return model;
}

RC_GTEST_PROP(CapacityModel, FewMinutesFarFromTheUsualLoadsNeverRaiseWhatAnInstanceTakes, ()) {
  Random random(*rc::gen::inRange<std::uint64_t>(0, 1000));
  const double swing = *rc::gen::inRange(0, 50) * .01;
  CapacityModel model = around(swing, random);
  const auto before = model.limit(Resource::kCpu, {});
  const auto response_before = model.limit(Resource::kResponseTime, {});
  RC_ASSERT(before.has_value());
  const double load = *rc::gen::inRange(200, 5000), cpu = *rc::gen::inRange(1, 95) * .01;
  for (int i = *rc::gen::inRange(1, 25); i > 0; --i) {
    model.observe({load, cpu, {}, .5});
    const auto limit = model.limit(Resource::kCpu, {});
    RC_ASSERT(limit.has_value());
    RC_ASSERT(limit->load < 1.02 * before->load && limit->load < 1.1 * 170);
    RC_ASSERT(limit->load > .9 * 170);
    const auto response = model.limit(Resource::kResponseTime, {});
    RC_ASSERT(!response || (response_before && response->load < 1.02 * response_before->load));
  }
}

TEST(CapacityModel, ALoadThatHardlyChangesSaysNothingOfResponseTimes) {
  Random random(1);
  CapacityModel model = around(.02, random);
  EXPECT_FALSE(model.has_varied(Resource::kResponseTime));
  model.observe({2000, .55, {}, .5});
  EXPECT_FALSE(model.limit(Resource::kResponseTime, {}));
  EXPECT_FALSE(model.response_time_s(100));
  EXPECT_FALSE(model.has_varied(Resource::kResponseTime));
  const auto cpu = model.limit(Resource::kCpu, {});
  ASSERT_TRUE(cpu);
  EXPECT_TRUE(cpu->proportional);
  EXPECT_NEAR(cpu->load, 170, 3);
}

RC_GTEST_PROP(CapacityModel, CrowdsOfSecondsNeverRaiseWhatAnInstanceTakes, ()) {
  Random random(*rc::gen::inRange<std::uint64_t>(0, 1000));
  const double usual = *rc::gen::inRange(40, 70), swing = *rc::gen::inRange(0, 35) * .01;
  const double seconds = *rc::gen::inRange(3, 31), crowd = *rc::gen::inRange(150, 1000);
  const int every = *rc::gen::inRange(30, 60);
  CapacityModel model;
  for (int i = 0; i < 2880; ++i) {
    double load = usual * (1 + swing * std::sin(i / 229.)) * (1 + .03 * random.normal());
    double cpu = load / 100;
    if (i % every == 0) {
      load = (load * (60 - seconds) + crowd * seconds) / 60;
      cpu = (cpu * (60 - seconds) + seconds) / 60;
    }
    model.observe({load, std::min(1., cpu + .01 * random.normal()), {}, {}});
  }
  const auto limit = model.limit(Resource::kCpu, {});
  RC_ASSERT(limit.has_value());
  RC_ASSERT(std::abs(limit->load / 85 - 1) < std::max(.1, 4 * limit->error));
}

RC_GTEST_PROP(CapacityModel, NoisyMinutesAreNeverCertain, ()) {
  Random random(*rc::gen::inRange<std::uint64_t>(0, 100'000));
  const double low = *rc::gen::inRange(50, 96) * .01, wide = *rc::gen::inRange(5, 40) * .01;
  CapacityModel model;
  for (int i = *rc::gen::element(40, 200, 1440); i > 0; --i) {
    const double part = low + wide * random.uniform();
    model.observe({100 * part,
                   .4,
                   {},
                   .05 / std::max(.005, 1 - part) * std::max(.2, 1 + .1 * random.normal())});
  }
  const auto limit = model.limit(Resource::kResponseTime, {});
  if (!limit) return;
  RC_ASSERT(limit->error > .0005);
  RC_ASSERT(std::abs(limit->load / 80 - 1) < std::max(.05, 8 * limit->error));
}

TEST(CapacityModel, WhatIsAlwaysNearItsEndIsNeverCertainOfIt) {
  for (const auto& [low, high] : {std::pair(.9, 1.2), std::pair(.92, 1.1), std::pair(.95, 1.5)}) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      Random random(seed);
      CapacityModel model;
      for (int i = 0; i < 1440; ++i) {
        const double part = low + (high - low) * random.uniform();
        model.observe(
            {100 * part, .4, {}, .05 / std::max(.005, 1 - part) * (1 + .1 * random.uniform())});
      }
      const auto limit = model.limit(Resource::kResponseTime, {});
      if (!limit) continue;
      EXPECT_LT(std::abs(limit->load / 80 - 1), 3 * limit->error) << low << " " << seed;
    }
  }
}

TEST(CapacityModel, CpuAboveOneIsNotUsedUp) {
  Random random(1);
  for (const double usual : {100., 120., 150.}) {
    CapacityModel model;
    for (int i = 0; i < 2880; ++i) {
      const double load = usual * (1 + .2 * std::sin(i / 229.));
      model.observe({load, .01 * load + .01 * random.normal(), {}, {}});
    }
    const auto limit = model.limit(Resource::kCpu, {});
    ASSERT_TRUE(limit);
    EXPECT_NEAR(limit->load, 85, 1) << usual;
    EXPECT_FALSE(limit->proportional);
    EXPECT_LT(limit->error, .02);
    EXPECT_TRUE(model.use_ratio(Resource::kCpu, usual));
  }
}

TEST(CapacityModel, FullMemoryTakesNoMinuteFromTheOthers) {
  Random random(1);
  CapacityModel with, without;
  for (int i = 0; i < 600; ++i) {
    const double load = 50 + 100 * random.uniform(), cpu = .004 * load;
    with.observe({load, cpu, .95 + .01 * random.normal(), .1});
    without.observe({load, cpu, {}, .1});
  }
  EXPECT_EQ(with.limit(Resource::kCpu, {})->error, without.limit(Resource::kCpu, {})->error);
}

RC_GTEST_PROP(CapacityModel, AFewSlowMinutesChangeNoLaw, ()) {
  Life life;
  life.live(2880);
  const auto where = *rc::gen::inRange<std::int64_t>(0, 1440);
  const int minutes = *rc::gen::inRange(1, 6);
  const double slower = *rc::gen::inRange(2, 10'000);
  life.live(where);
  for (int i = 0; i < minutes; ++i) life.serve(life.day(), slower);
  for (const std::int64_t later : {0, 500, 2000}) {
    life.live(later);
    RC_ASSERT(std::abs(life.model.limit(Resource::kResponseTime, {})->load - 80) < 3);
    RC_ASSERT(std::abs(*life.model.response_time_s(50) - .1) < .01);
  }
}

RC_GTEST_PROP(CapacityModel, TheResponseTimeGrowsWithTheLoadAndAgreesWithItsLimit, ()) {
  CapacityModel model;
  const auto any = [](int high) { return *rc::gen::inRange(1, high) * .01; };
  const int minutes = *rc::gen::inRange(40, 200);
  const double falls = *rc::gen::element(-1., 0., 1.);
  for (int i = 0; i < minutes; ++i) {
    const double load = any(10'000);
    model.observe({load, {}, {}, any(100) + (falls + 1) * load * .01 + (falls < 0 ? 1 / load : 0)});
  }
  const CapacityOptions options{.response_time_max_s = *rc::gen::element(0., .5)};
  const auto limit = model.limit(Resource::kResponseTime, options);
  double last = 0;
  for (double load = 1; load < 1e6; load *= 1.5) {
    const auto expected = model.response_time_s(load);
    RC_ASSERT(!limit || expected.has_value());
    if (!expected) continue;
    RC_ASSERT(*expected >= last);
    last = *expected;
  }
  if (!limit) return;
  const double there = *model.response_time_s(limit->load);
  RC_ASSERT(std::isfinite(there));
  if (options.response_time_max_s > 0) RC_ASSERT(there <= options.response_time_max_s * (1 + 1e-9));
}

TEST(CapacityModel, WhatWasAlwaysUsedUpTakesLessThanWasAskedOfIt) {
  CapacityModel model;
  Random random(1);
  for (int i = 0; i < 300; ++i) model.observe({200 + 100 * random.uniform(), 1, {}, {}});
  const auto found = model.bottleneck({});
  ASSERT_TRUE(found);
  EXPECT_LT(found->limit.load, .85 * 220);
  EXPECT_TRUE(found->limit.proportional);
  EXPECT_LT(found->confidence, .5);
}

TEST(CapacityModel, IsNoMoreSureThanItsLimit) {
  const auto confidence = [](double noise) {
    Random random(4);
    CapacityModel model;
    for (int i = 0; i < 60; ++i) {
      const double load = 10 + 5 * random.uniform();
      model.observe({load, .01 * load + noise * random.normal(), {}, {}});
    }
    const auto found = model.bottleneck({});
    return found ? found->confidence : 0;
  };
  EXPECT_GT(confidence(.001), .99);
  EXPECT_LT(confidence(.02), .9) << "no other resource is known, and this one hardly";
}

TEST(CapacityModel, ReadsWhatWasSavedBeforeItKnewLevels) {
  double sums[3][7] = {};
  Random random(1);
  for (int i = 0; i < 600; ++i) {
    const double x = 50 + 250 * random.uniform();
    const double cpu = .05 + .002 * x, reciprocal = (1 - x / 450) / .02;
    const double weight = 1 / (reciprocal * reciprocal);
    const double of[2][7] = {
        {1, 1, x, cpu, x * x, x * cpu, cpu * cpu},
        {1, weight, weight * x, weight * reciprocal, weight * x * x, weight * x * reciprocal, 1}};
    for (std::size_t k = 0; k < 7; ++k) {
      sums[0][k] += of[0][k];
      sums[2][k] += of[1][k];
    }
  }
  Writer out;
  for (const auto& of : sums) {
    for (const double sum : of) out.put(sum);
  }
  CapacityModel model;
  Reader in(out.bytes());
  ASSERT_TRUE(model.load_sums(in) && in.at_end());
  EXPECT_NEAR(model.limit(Resource::kCpu, {})->load, 400, 8);
  EXPECT_NEAR(model.limit(Resource::kResponseTime, {})->load, 360, 8);
  EXPECT_FALSE(model.limit(Resource::kMemory, {}));
}

RC_GTEST_PROP(CapacityModel, StaysFiniteWhateverIsObserved, ()) {
  CapacityModel model;
  const auto value = [] {
    return *rc::gen::inRange(0, 1000) * std::pow(10., *rc::gen::inRange(-6, 9));
  };
  for (int i = 0; i < 60; ++i) model.observe({value(), value(), value(), value()});
  for (std::size_t i = 0; i < kResources; ++i) {
    const auto limit = model.limit(Resource(i), {});
    if (limit) RC_ASSERT(std::isfinite(limit->load) && limit->load > 0);
  }
  if (const auto found = model.bottleneck({}))
    RC_ASSERT(found->confidence >= 0 && found->confidence <= 1);
}

TEST(ResourceUse, ALeakSaysWhenItEndsAndASteadyUseDoesNot) {
  ResourceUse leak, steady;
  Random random(3);
  for (std::int64_t t = 0; t < 1440; ++t) {
    leak.observe(t, .3 + .2 * static_cast<double>(t) / 1440 + .002 * random.normal());
    steady.observe(t, .5 + .002 * random.normal());
  }
  const auto ends = leak.passage(1, 7 * 86'400.);
  ASSERT_TRUE(ends && ends->expected_s);
  EXPECT_NEAR(*ends->expected_s, 2.5 * 86'400, .2 * 86'400);
  EXPECT_GT(ends->probability, .95);
  EXPECT_LT(leak.passage(1, 86'400.)->probability, .05);
  EXPECT_FALSE(steady.passage(1, 7 * 86'400.)->expected_s);
  EXPECT_LT(steady.passage(1, 7 * 86'400.)->probability, .05);
  EXPECT_EQ(leak.passage(.2, 1.)->probability, 1);
}

TEST(ResourceUse, WhatGoesUpAndDownDoesNotEnd) {
  ResourceUse steady, collected, daily;
  Random random(5);
  for (std::int64_t t = 0; t < 3 * 1440; ++t) {
    steady.observe(t, .5 + .02 * random.normal());
    collected.observe(t, .3 + .5 * static_cast<double>(t % 480) / 480);
    daily.observe(t, .3 + .4 * std::abs(static_cast<double>(t % 1440) / 720 - 1));
  }
  for (const ResourceUse& use : {steady, collected, daily}) {
    const auto passage = use.passage(1, 7 * 86'400.);
    ASSERT_TRUE(passage);
    EXPECT_LT(passage->probability, .3);
    EXPECT_FALSE(passage->expected_s);
  }
}

TEST(ResourceUse, AdvisesNoSizeOfMemoryThatRunsOut) {
  ResourceUse leak;
  for (std::int64_t t = 0; t < 5 * 1440; ++t)
    leak.observe(t, .3 + .4 * static_cast<double>(t) / (5 * 1440));
  ASSERT_GT(leak.passage(1, 7 * 86'400.)->probability, .9);
  EXPECT_FALSE(right_size_memory(leak));
}

TEST(ResourceUse, AdvisesASizeWithItsSaving) {
  ResourceUse use;
  for (std::int64_t t = 0; t < 300; ++t) use.observe(t, .2);
  EXPECT_FALSE(right_size_cpu(use, .85)) << "five hours are too few";
  for (std::int64_t t = 300; t < 1000; ++t) use.observe(t, .2);
  EXPECT_NEAR(right_size_cpu(use, .8)->size_ratio, .275, .03);
  EXPECT_NEAR(right_size_memory(use)->saving_ratio, 1 - 1.15 * .22, .03);
}

}  // namespace
}  // namespace liminal::scaling
