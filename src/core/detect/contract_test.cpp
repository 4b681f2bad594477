#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <limits>

#include "core/detect/rings.hpp"
#include "core/detect/rules.hpp"
#include "core/detect/testing.hpp"

// What every detector keeps to: scoring changes nothing, the same inputs give the same bits, what
// was saved and loaded goes on as if nothing had happened, no input makes a NaN, memory is bounded.
namespace liminal::detect {
namespace {

using testing::at;
using testing::bytes_of;
using testing::Scene;

/// Anything that a user may do, sane or not.
void wild(Scene& scene, double& t, int events) {
  for (int i = 0; i < events; ++i) {
    switch (scene.random.below(9)) {
      case 0:
        scene.connect(t);
        break;
      case 1:
        scene.subscribe(t, "room" + std::to_string(scene.random.below(100)));
        break;
      case 2:
        scene.continue_message(t,
                               static_cast<std::uint32_t>(scene.random.below(100'000)),
                               static_cast<std::uint32_t>(scene.random.bits()));
        break;
      default:
        scene.send(
            {.t = t,
             .bytes = static_cast<std::uint32_t>(scene.random.bits() >> scene.random.below(64)),
             .error = scene.random.chance(.2),
             .content = scene.random.below(3),
             .address = "10.0.0." + std::to_string(scene.random.below(3))});
    }
    switch (scene.random.below(6)) {
      case 0:
        break;  // stands still
      case 1:
        t += 1e7 * scene.random.uniform();
        break;
      case 2:
        t -= scene.random.uniform();  // goes back
        break;
      default:
        t += 10 * scene.random.exponential();
    }
  }
}

bool sane(const traffic::Finding& finding) {
  bool sane = std::isfinite(finding.score) && finding.score >= 1 && finding.confidence >= 0 &&
              finding.confidence <= 1 && finding.evidence_count > 0;
  float sum = 0;
  for (const traffic::Evidence& line : finding.lines()) {
    sane = sane && std::isfinite(line.observed) && std::isfinite(line.expected_low) &&
           std::isfinite(line.expected_high);
    sum += line.contribution;
  }
  return sane && std::abs(sum - finding.score) <= 1e-3F * finding.score;
}

RC_GTEST_PROP(Contract, WhateverComesGivesSaneFindings, (std::uint64_t seed)) {
  Scene scene;
  scene.random = Random(seed);
  double t = 0;
  wild(scene, t, 300);
  for (const traffic::Finding& finding : scene.all) RC_ASSERT(sane(finding));
  Findings found;
  RC_ASSERT(std::isfinite(scene.user.analyze(at(t + 5), scene.options, scene.population, found)));
}

RC_GTEST_PROP(Contract, ScoringChangesNothingAndSaysWhatTheStepWillSay, (std::uint64_t seed)) {
  Scene scene;
  scene.random = Random(seed);
  double t = 0;
  wild(scene, t, 100);
  const traffic::Event event = scene.message({.bytes = 5000, .content = 1});
  const std::string before = bytes_of(scene.user);
  Findings found, analyzed;
  const float score = scene.user.score(event, at(t), scene.options, scene.population, found);
  scene.user.analyze(at(t), scene.options, scene.population, analyzed);
  RC_ASSERT(bytes_of(scene.user) == before);
  RC_ASSERT(score == scene.apply(event, t));
}

RC_GTEST_PROP(Contract, TheSameSeedGivesTheSameBits, (std::uint64_t seed)) {
  Scene one, two;
  for (Scene* scene : {&one, &two}) {
    scene->random = Random(seed);
    double t = 0;
    wild(*scene, t, 200);
  }
  RC_ASSERT(bytes_of(one.user) == bytes_of(two.user));
  RC_ASSERT(bytes_of(one.learnt) == bytes_of(two.learnt));
}

RC_GTEST_PROP(Contract, WhatWasSavedAndLoadedHasTheSameFuture, (std::uint64_t seed)) {
  Scene scene;
  scene.random = Random(seed);
  double t = 0;
  wild(scene, t, 150);
  Scene restored = scene;
  restored.user = {};
  const std::string saved = bytes_of(scene.user);
  Reader in(saved);
  restored.user.load(in);
  RC_ASSERT(in.at_end());
  RC_ASSERT(bytes_of(restored.user) == saved);
  scene.all.clear();
  restored.all.clear();
  double again = t;
  wild(scene, t, 150);
  wild(restored, again, 150);
  RC_ASSERT(bytes_of(scene.user) == bytes_of(restored.user));
  RC_ASSERT(scene.all.size() == restored.all.size());
}

RC_GTEST_PROP(Contract, DamagedBytesLoadAsNothingOrAsSomethingSane, (std::uint64_t seed)) {
  Scene scene;
  scene.random = Random(seed);
  double t = 0;
  wild(scene, t, 60);
  std::string saved = bytes_of(scene.user);
  for (int i = 0; i < 3; ++i)
    saved[scene.random.below(saved.size())] = static_cast<char>(scene.random.bits());
  saved.resize(saved.size() - scene.random.below(3));
  Reader in(saved);
  scene.user.load(in);
  if (!in.ok()) RC_ASSERT(scene.user.empty());
  scene.all.clear();
  wild(scene, t, 60);
  for (const traffic::Finding& finding : scene.all) RC_ASSERT(std::isfinite(finding.score));
}

TEST(Contract, MemoryStaysUnderItsCap) {
  EXPECT_LE(sizeof(UserStatistics), 504u);
  EXPECT_LE(sizeof(RuleState), 64u);
  EXPECT_LE(sizeof(Population), 2048u);
  Contribution learnt;
  for (int i = 0; i < 5000; ++i) learnt.note({.address = 1, .user = 2});
  EXPECT_EQ(learnt.notes.size(), Contribution::kNotesMax);
  EXPECT_EQ(learnt.notes_dropped, 5000 - Contribution::kNotesMax);
}

TEST(Contract, ContributionsSaveAndLoad) {
  Scene scene;
  double t = 0;
  wild(scene, t, 200);
  const std::string saved = bytes_of(scene.learnt);
  Contribution loaded;
  Reader in(saved);
  loaded.load(in);
  EXPECT_TRUE(in.at_end());
  EXPECT_EQ(bytes_of(loaded), saved);
}

}  // namespace
}  // namespace liminal::detect
