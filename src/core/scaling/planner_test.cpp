#include "core/scaling/planner.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "core/scaling/testing.hpp"

namespace liminal::scaling {
namespace {

LoadModel learnt(std::int64_t minutes) {
  LoadModel model;
  Random random(1);
  for (std::int64_t t = 0; t < minutes; ++t) model.step(t, made_up_load(t, random));
  return model;
}

RC_GTEST_PROP(Planner, IsNeverBelowWhatIsNeededNowNorOutsideItsBounds, ()) {
  static const LoadModel model = learnt(4000);
  const double load = *rc::gen::inRange(0, 100'000);
  const double capacity = *rc::gen::inRange(1, 1000);
  PlanOptions options;
  options.operating_point = 1 - std::pow(.1, *rc::gen::inRange(1, 5));
  options.replicas_min = *rc::gen::inRange<std::uint32_t>(0, 5);
  options.replicas_max = *rc::gen::inRange<std::uint32_t>(5, 2000);
  Planner planner;
  const Plan plan = planner.next(model, load, capacity, options);
  RC_ASSERT(plan.replicas >= options.replicas_min);
  RC_ASSERT(plan.replicas <= options.replicas_max);
  RC_ASSERT(plan.replicas >=
            std::min(std::ceil(load / capacity), static_cast<double>(options.replicas_max)));
}

TEST(Planner, AskedAgainWithinAMinuteAnswersTheSame) {
  LoadModel model = learnt(4000);
  Planner planner;
  planner.next(model, 100, 3, {});
  model.step(4000, 40);
  const Plan first = planner.next(model, 40, 3, {});
  for (int i = 0; i < 10; ++i) EXPECT_EQ(planner.next(model, 40, 3, {}).load, first.load);
}

TEST(Planner, FallsByThreeFifthsOfTheWayAMinute) {
  LoadModel model;
  for (std::int64_t t = 0; t < 2000; ++t) model.step(t, 1000);
  Planner planner;
  const auto log_of = [&](double load) { return model.history().log_of(load); };
  const double covered = planner.next(model, 1000, 1, {}).load;
  for (std::int64_t t = 2000; t < 2040; ++t) model.step(t, 10);
  const double high = log_of(covered), low = log_of(load_to_cover(model, .99));
  EXPECT_NEAR(log_of(planner.next(model, 10, 1, {}).load), high - .6 * (high - low), 1e-9);
}

TEST(Planner, CoversNoMoreThanOneAndAHalfTimesTheWeeksHighest) {
  const LoadModel model = learnt(4000);
  EXPECT_LE(load_to_cover(model, .99999), 1.5 * model.history().highest_load() * (1 + 1e-6));
}

TEST(Planner, NamesEveryWrongOption) {
  EXPECT_TRUE(validate(PlanOptions{}).empty());
  const Problems problems =
      validate({.operating_point = std::nan(""), .replicas_min = 5, .replicas_max = 0});
  ASSERT_EQ(problems.size(), 3u);
  EXPECT_EQ(problems[0].key, "plan.operating_point");
}

TEST(Planner, SavedAndLoadedItAnswersTheSame) {
  LoadModel model = learnt(4000);
  Planner planner;
  planner.next(model, 100, 3, {});
  Writer saved;
  planner.save(saved);
  Planner loaded;
  Reader in(saved.bytes());
  ASSERT_TRUE(loaded.load(in).has_value());
  model.step(4000, 20);
  EXPECT_EQ(planner.next(model, 20, 3, {}).load, loaded.next(model, 20, 3, {}).load);
}

}  // namespace
}  // namespace liminal::scaling
