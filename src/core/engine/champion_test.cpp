#include "core/engine/champion.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "core/base/random.hpp"
#include "core/engine/local_engine.hpp"
#include "core/models/test_models.hpp"

namespace liminal::engine {
namespace {

using std::chrono::seconds;
using traffic::FeatureId;
using traffic::FindingType;
using traffic::Name;
using traffic::Signal;

constexpr Duration kStart = seconds{1'700'000'000};
constexpr std::array<std::uint8_t, 32> kSha{1, 2, 3};

/// A probability that rises with messages a minute: one half at 40.
models::Model rate_model() {
  models::Model model;
  model.metadata.name = "anomaly_detection";
  model.metadata.task = models::Task::kClassification;
  model.metadata.features = {{"error_rate", "ratio"}, {"messages_per_minute", "1/min"}};
  model.predictor = models::Linear{{}, {3, .2F}, -8, models::Link::kLogistic};
  return model;
}

std::shared_ptr<const Champion> rate_champion(std::uint32_t version = 7) {
  return *Champion::create(rate_model(), version, kSha);
}

/// Somebody else's model that notes what it is asked.
struct Notes {
  std::vector<std::vector<float>> rows;
  float score = .1F;
  [[nodiscard]] std::shared_ptr<const Champion> champion(std::vector<std::string> features,
                                                         std::vector<float> usual = {}) {
    const std::size_t width = features.size();
    return *Champion::foreign(
        {.version = 1},
        features,
        [this, width](std::span<const float> given, std::span<float> out) {
          for (std::size_t i = 0; i < given.size(); i += width)
            rows.emplace_back(given.begin() + static_cast<long>(i),
                              given.begin() + static_cast<long>(i + width));
          std::fill(out.begin(), out.end(), score);
          return true;
        },
        std::move(usual));
  }
};

class Driver {
 public:
  explicit Driver(const Options& options = {}) : engine(options) {}

  void use(std::shared_ptr<const Champion> champion) {
    effects.clear();
    engine.use(std::move(champion), effects);
  }
  void send(double t, std::string_view user = "ann", bool error = false) {
    effects.clear();
    traffic::Event event;
    event.user = Name(user);
    event.address = Name("10.0.0.1");
    event.bytes = 40;
    event.error = error;
    event.content_hash = static_cast<std::uint64_t>(t * 1e6) | 1U;
    event.time = EventTime{kStart + from_seconds(t)};
    engine.feed(event, effects);
    for (const AlertChange& change : effects.alerts)
      if (change.kind == AlertChange::Kind::kRaised) raised.push_back(change.alert);
  }
  [[nodiscard]] const traffic::Alert* of(FindingType type) const {
    for (const traffic::Alert& alert : raised)
      if (alert.type == type) return &alert;
    return nullptr;
  }

  LocalEngine engine;
  Effects effects;
  std::vector<traffic::Alert> raised;
};

TEST(Champion, IsAskedAboutEveryTenthMessageOfAUser) {
  Notes notes;
  Driver driver;
  driver.use(notes.champion({"messages_per_minute"}));
  for (int i = 0; i < 100; ++i) driver.send(i * 30., i % 2 == 0 ? "ann" : "bob");
  EXPECT_EQ(notes.rows.size(), 10u);
  EXPECT_EQ(driver.engine.counters().scores_asked, 10u);
  EXPECT_EQ(driver.engine.counters().scores_answered, 10u);
}

TEST(Champion, IsAskedOnceASecondWhileARuleIsNear) {
  Notes notes;
  Options options;
  options.detect.model.every = 255;
  Driver driver(options);
  driver.use(notes.champion({"messages_per_minute"}));
  for (int i = 0; i < 79; ++i) driver.send(i * .1);
  EXPECT_TRUE(notes.rows.empty()) << "the rule of 100 a minute is not near";
  for (int i = 79; i < 129; ++i) driver.send(i * .1);
  EXPECT_NEAR(static_cast<double>(notes.rows.size()), 6, 1);
  EXPECT_GE(notes.rows.front().front(), 80);
}

TEST(Champion, IsAskedNothingBeforeThereIsSomethingToGoBy) {
  Notes notes;
  Driver driver;
  driver.use(notes.champion({"messages_per_minute"}));
  for (int i = 0; i < 4; ++i) driver.send(i, "ann", true);  // near the rule of errors at once
  EXPECT_TRUE(notes.rows.empty());
  driver.send(5, "ann", true);
  EXPECT_EQ(notes.rows.size(), 1u);
}

TEST(Champion, SeesFeaturesInItsOwnOrder) {
  Notes notes;
  Driver driver;
  driver.use(notes.champion({"avg_message_size", "messages_per_minute"}));
  for (int i = 0; i < 10; ++i) driver.send(i);
  ASSERT_EQ(notes.rows.size(), 1u);
  EXPECT_EQ(notes.rows[0], (std::vector<float>{40, 10}));
}

TEST(Champion, AboveItsLineSaysWhyAndWhichVersionItIs) {
  Driver driver;
  driver.use(rate_champion());
  for (int i = 0; i < 50; ++i) driver.send(i * .5);
  const traffic::Alert* alert = driver.of(FindingType::kModelAnomaly);
  ASSERT_NE(alert, nullptr);
  const traffic::Finding& finding = alert->first;
  EXPECT_EQ(alert->user, "ann");
  EXPECT_EQ(alert->address, "10.0.0.1");
  EXPECT_EQ(finding.detector, traffic::Detector::kModel);
  EXPECT_EQ(finding.model_version, 7u);
  EXPECT_EQ(finding.mode, traffic::Mode::kShadow);
  EXPECT_GE(finding.score, 1);
  EXPECT_NEAR(finding.confidence, finding.score * .5F, 1e-6) << "the calibrated probability";
  ASSERT_EQ(finding.evidence_count, 3);
  EXPECT_EQ(finding.evidence[0].signal, Signal::kModelScore);
  EXPECT_EQ(finding.evidence[0].expected_high, .5F);
  EXPECT_EQ(finding.evidence[1].signal, signal(FeatureId::kMessagesPerMinute));
  EXPECT_EQ(finding.evidence[1].observed, 40);
  float sum = 0;
  for (const traffic::Evidence& line : finding.lines()) sum += line.contribution;
  EXPECT_NEAR(sum, finding.score, 1e-4);
}

TEST(Champion, IsSilentAboutAUserForItsCoolDown) {
  Driver driver;
  driver.use(rate_champion());
  for (int i = 0; i < 400; ++i) driver.send(i * .5);
  std::uint64_t count = 0;
  for (const traffic::Alert& alert : driver.engine.shard_of_user("ann").alerts().open_of("ann"))
    if (alert.type == FindingType::kModelAnomaly) count = alert.count;
  EXPECT_NEAR(static_cast<double>(count), 3, 1) << "200 s, once a minute";
}

TEST(Champion, ThatGivesNoNumberIsTakenOutWithAnAlert) {
  Notes notes;
  notes.score = std::numeric_limits<float>::quiet_NaN();
  Driver driver;
  driver.use(notes.champion({"messages_per_minute"}));
  for (int i = 0; i < 30; ++i) driver.send(i * 10.);
  EXPECT_EQ(notes.rows.size(), 1u);
  const traffic::Alert* alert = driver.of(FindingType::kModelUnavailable);
  ASSERT_NE(alert, nullptr);
  EXPECT_EQ(alert->severity, traffic::Severity::kHigh);
  EXPECT_EQ(alert->user, kModelName);
  EXPECT_EQ(alert->first.model_version, 1u);
  EXPECT_FALSE(driver.engine.shard_of_user("ann").champion().there());
}

TEST(Champion, OthersAreExplainedBySampling) {
  const auto champion = *Champion::foreign({.version = 1, .line = 2},
                                           {"messages_per_minute", "error_rate"},
                                           [](std::span<const float> rows, std::span<float> out) {
                                             for (std::size_t i = 0; i < out.size(); ++i)
                                               out[i] = rows[2 * i] + 3 * rows[2 * i + 1];
                                             return true;
                                           },
                                           {1, 0});
  Ask ask;
  ask.features[FeatureId::kMessagesPerMinute] = 4;
  ask.features[FeatureId::kErrorRate] = 1;
  const auto answer = champion->answer(ask);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->score, 7);
  ASSERT_EQ(answer->why.size(), 2u);
  EXPECT_NEAR(answer->why[0].contribution, 1.75, 1e-5);
  EXPECT_NEAR(answer->why[1].contribution, 1.75, 1e-5);
}

TEST(Champion, WhatCannotBeOneIsRefusedWithAllProblems) {
  models::Model model = rate_model();
  model.metadata.task = models::Task::kRegression;
  std::get<models::Linear>(model.predictor).link = models::Link::kIdentity;
  model.metadata.features[0].name = "shoe_size";
  model.metadata.line = 0;
  const Champion::Made made = Champion::create(model, 0, kSha);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().size(), 4u);
}

/// Trees of the traffic's features.
models::Model forest(std::uint64_t seed) {
  Random random(seed);
  models::Model model;
  model.metadata.task = models::Task::kClassification;
  for (const traffic::FeatureInfo& feature : traffic::feature_schema())
    model.metadata.features.push_back({std::string(feature.name), std::string(feature.unit)});
  model.predictor = models::Trees{{},
                                  models::testing::trees(random, 20, traffic::kFeatureCount, {}),
                                  false,
                                  0,
                                  models::Link::kLogistic};
  return model;
}

RC_GTEST_PROP(Champion, ContributionsAreOfEveryFeatureAndSumToTheScore, (std::uint64_t seed)) {
  Random random(seed);
  const auto champion = *Champion::create(forest(seed), 1, kSha);
  Ask ask;
  for (float& value : ask.features.values) value = static_cast<float>(random.uniform(-3, 3));
  ask.features[FeatureId::kErrorRate] = models::kMissing;
  float score = 0;
  RC_ASSERT(champion->score({&ask, 1}, {&score, 1}));
  const auto why = champion->explain(ask, score);
  if (why.empty()) return;  // below what is to be expected
  RC_ASSERT(why.size() == traffic::kFeatureCount);
  float sum = 0, size = 0;
  for (const traffic::Evidence& line : why) {
    sum += line.contribution;
    size += std::abs(line.contribution);
  }
  RC_ASSERT(std::abs(sum - score / champion->info().line) <= 1e-5F * size + 1e-5F);
}

RC_GTEST_PROP(Champion, ABatchGivesTheScoresOfItsRows, (std::uint64_t seed)) {
  Random random(seed);
  const auto champion = *Champion::create(forest(seed), 1, kSha);
  std::vector<Ask> asks(random.below(200) + 1);
  for (Ask& ask : asks)
    for (float& value : ask.features.values) value = static_cast<float>(random.uniform(-3, 3));
  std::vector<float> together(asks.size());
  RC_ASSERT(champion->score(asks, together));
  for (std::size_t i = 0; i < asks.size(); ++i)
    RC_ASSERT(champion->answer(asks[i])->score == together[i]);
}

TEST(Champion, GoesOnFromWhatWasSaved) {
  Driver one, two;
  one.use(rate_champion());
  for (int i = 0; i < 35; ++i) one.send(i * .5);
  Writer saved;
  one.engine.save(saved);
  Reader in(saved.bytes());
  ASSERT_TRUE(two.engine.load(in));
  EXPECT_EQ(two.engine.shard_of_user("ann").champion(), rate_champion()->info());
  two.use(rate_champion());
  one.use(rate_champion());
  for (int i = 35; i < 80; ++i) {
    one.send(i * .5);
    two.send(i * .5);
  }
  EXPECT_NE(two.of(FindingType::kModelAnomaly), nullptr);
  EXPECT_EQ(one.engine.state_hash(), two.engine.state_hash());
}

TEST(Champion, OfAnEarlierVersionIsNotHeardAnyMore) {
  const auto settings = std::make_shared<const Settings>(Options{});
  const Name ann("ann");
  Shard shard(shard_of(ann.hash), settings, SteadyTime{kStart});
  Effects effects;
  shard.use_champion(rate_champion(2)->info(), std::nullopt, effects);
  traffic::Event event;
  event.user = ann;
  event.time = EventTime{kStart};
  shard.step(event, effects);
  EXPECT_FALSE(shard.take({1, ann.hash, SteadyTime{kStart}, 1, {}}, effects));
  EXPECT_FALSE(shard.take({2, hash64("nobody"), SteadyTime{kStart}, 1, {}}, effects));
  EXPECT_TRUE(effects.alerts.empty());
  EXPECT_TRUE(shard.take({2, ann.hash, SteadyTime{kStart}, 1, {}}, effects));
  EXPECT_EQ(effects.alerts.size(), 1u);
  shard.resume(100);
  EXPECT_FALSE(shard.champion().there());
}

}  // namespace
}  // namespace liminal::engine
