#include "core/scaling/capacity.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

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
