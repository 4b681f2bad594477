#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <memory>

#include "core/base/random.hpp"
#include "core/learn/anomalies.hpp"
#include "core/learn/clusters.hpp"
#include "core/learn/metrics.hpp"
#include "core/models/evaluator.hpp"

namespace liminal::learn {
namespace {

using ::testing::HasSubstr;

bool never() { return false; }

models::Model model_of(const Table& table, models::Task task, models::Predictor predictor) {
  models::Model model;
  model.metadata.name = "test";
  model.metadata.task = task;
  for (const Feature& feature : table.features)
    model.metadata.features.push_back({feature.name, feature.unit});
  model.predictor = std::move(predictor);
  return model;
}

/// Ordinary rows, and every fiftieth far from them in one of three ways.
Table with_anomalies(std::uint64_t seed, std::size_t rows) {
  Random random(seed);
  Table table;
  table.features = {{"rate", "", {}}, {"size", "", {}}, {"kind", "", {"a", "b", "rare"}}};
  for (std::size_t i = 0; i < rows; ++i) {
    const bool strange = i % 50 == 0;
    table.labels.push_back(strange ? 1.F : 0.F);
    const double rate = random.normal() + (strange && i % 100 == 0 ? 9 : 0);
    const double size = std::exp(random.normal()) + (strange && i % 100 != 0 ? 60 : 0);
    table.values.push_back(random.chance(.05) && !strange ? NAN : static_cast<float>(rate));
    table.values.push_back(static_cast<float>(size));
    table.values.push_back(strange && i % 150 == 0 ? 2.F : static_cast<float>(random.below(2)));
  }
  return table;
}

TEST(Anomalies, AreFoundWithoutLabels) {
  const Table table = with_anomalies(1, 3000);
  const AnomalyModel found = find_anomalies(table, .02, 1, never);
  EXPECT_GT(roc_auc(found.scores, table.labels), .97);
  std::vector<float> sums;
  for (std::size_t i = 0; i < table.rows(); ++i)
    sums.push_back(static_cast<float>(found.distance.sum(table.row(i))));
  EXPECT_GT(roc_auc(sums, table.labels), .97);
  std::size_t above = 0;
  for (const float score : found.scores) above += score > found.line;
  EXPECT_NEAR(static_cast<double>(above), 60, 3);
}

TEST(Anomalies, AreScoredAsTheEvaluatorDoes) {
  const Table table = with_anomalies(2, 600);
  const AnomalyModel found = find_anomalies(table, .02, 1, never);
  const auto evaluator =
      models::Evaluator::create(model_of(table, models::Task::kAnomaly, found.forest));
  ASSERT_TRUE(evaluator) << evaluator.error()[0].key << evaluator.error()[0].text;
  for (std::size_t i = 0; i < table.rows(); ++i)
    ASSERT_NEAR(evaluator->predict(table.row(i)).score, static_cast<double>(found.scores[i]), 1e-5);
}

TEST(Anomalies, SayWhichFeatureIsStrange) {
  const Table table = with_anomalies(3, 2000);
  const RobustDistance distance = RobustDistance::learn(table);
  const std::vector<float> strange{20, 1, 0}, rare{0, 1, 2}, missing{NAN, 1, 0};
  const auto terms = distance.terms(strange);
  EXPECT_GT(terms[0], 5);
  EXPECT_LT(terms[1], 1);
  EXPECT_GT(distance.terms(rare)[2], 1);
  EXPECT_EQ(distance.terms(missing)[0], 0);
}

RC_GTEST_PROP(IsolationForest, HoldsEveryRowOfItsSample, (std::uint64_t seed)) {
  Random random(seed);
  Matrix x{*rc::gen::inRange<std::size_t>(1, 60), 3, {}};
  for (std::size_t i = 0; i < 3 * x.rows; ++i)
    x.values.push_back(static_cast<float>(random.below(6)));
  const auto forest = grow_isolation_forest(x, {5, 32}, seed, never);
  RC_ASSERT(forest.trees.size() == 5U);
  for (const models::Tree& tree : forest.trees) {
    double leaves = 0;
    for (const models::TreeNode& node : tree.nodes)
      if (node.leaf()) leaves += static_cast<double>(node.cover);
    RC_ASSERT(leaves == static_cast<double>(std::min<std::size_t>(x.rows, 32)));
  }
}

/// Groups of rows around centres that are far apart, at the corners of a square.
Table groups(std::uint64_t seed, std::size_t count, std::size_t rows) {
  Random random(seed);
  Table table;
  table.features = {{"rate", "", {}}, {"channels", "", {}}};
  for (std::size_t i = 0; i < rows; ++i) {
    const std::size_t group = i % count;
    table.values.push_back(
        static_cast<float>((group == 1 || group == 2 ? 40 : 0) + random.normal()));
    table.values.push_back(
        static_cast<float>((group == 1 || group == 3 ? 40 : 0) + random.normal()));
  }
  return table;
}

TEST(Clusters, AreAsManyAsThereAre) {
  for (const std::size_t count : {std::size_t{2}, std::size_t{4}}) {
    Table table = groups(1, count, 800);
    ClusterOptions options;
    options.clusters_max = 7;
    const Clustering found = find_clusters(table, options, never);
    EXPECT_EQ(found.model.clusters, count);
    EXPECT_TRUE(found.found);
    for (const Cluster& cluster : found.clusters)
      EXPECT_NEAR(static_cast<double>(cluster.rows), 800. / static_cast<double>(count), 20);
  }
}

TEST(Clusters, AreOneWhereNothingHangsTogether) {
  Random random(5);
  Table table;
  table.features = {{"a", "", {}}, {"b", "", {}}, {"c", "", {}}, {"d", "", {}}};
  for (int i = 0; i < 4 * 600; ++i) table.values.push_back(static_cast<float>(random.normal()));
  ClusterOptions options;
  options.clusters_max = 6;
  const Clustering found = find_clusters(table, options, never);
  EXPECT_EQ(found.model.clusters, 1U);
  EXPECT_FALSE(found.found);
  EXPECT_EQ(found.clusters[0].words, "like all");
}

// Halves agree where they cut what is long, so that agreement alone finds groups in it.
TEST(Clusters, AreOneWhereColumnsOnlyRiseAndFallTogether) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    Random random(seed);
    Table table;
    table.features = {{"a", "", {}}, {"b", "", {}}, {"c", "", {}}, {"d", "", {}}};
    for (int i = 0; i < 800; ++i) {
      const double together = random.normal();
      for (int k = 0; k < 4; ++k)
        table.values.push_back(static_cast<float>(together + .5 * random.normal()));
    }
    EXPECT_EQ(find_clusters(table, {}, never).model.clusters, 1U) << seed;
  }
}

// Nine groups far apart and two that run into each other: these are one, and hide no other.
TEST(Clusters, AreFoundBesideTwoThatOverlap) {
  Random random(3);
  Table table;
  table.features = {{"x", "", {}}, {"y", "", {}}};
  for (int i = 0; i < 1800; ++i) {
    const int group = i % 9;
    const double x = group % 3 * 20. + (group == 0 && i % 2 == 0 ? 1.5 : 0);
    table.values.push_back(static_cast<float>(x + random.normal()));
    table.values.push_back(static_cast<float>(group / 3 * 20. + random.normal()));
  }
  const Clustering found = find_clusters(table, {}, never);
  EXPECT_EQ(found.model.clusters, 9U);
  EXPECT_GT(found.strengths[7], .9);
  EXPECT_EQ(found.again.halves, 6U);
  EXPECT_GE(found.again.agreeing, 4U);
}

RC_GTEST_PROP(Replication, FindsNoMoreGroupsThanWereLookedFor, (std::uint64_t seed)) {
  Random random(seed);
  Matrix x{*rc::gen::inRange<std::size_t>(2, 80), 2, {}};
  for (std::size_t i = 0; i < 2 * x.rows; ++i)
    x.values.push_back(static_cast<float>(random.below(9)));
  const auto k = *rc::gen::inRange<std::uint32_t>(1, 8);
  const Replication found = replication(x, k, seed, never);
  RC_ASSERT(found.groups >= 1 && found.groups <= k);
  RC_ASSERT(found.strength >= 0 && found.strength <= 1);
  RC_ASSERT(replication(x, k, seed, never).groups == found.groups);
}

TEST(Replication, EndsWhenItIsStopped) {
  Matrix x{1000, 2, std::vector<float>(2000, 1)};
  const Replication found = replication(x, 5, 1, [] { return true; });
  EXPECT_EQ(found.strength, 0);
  EXPECT_EQ(found.groups, 1U);
}

/// Stops at the n-th time that it is asked, and from then on.
Stop at_question(int n) {
  return [n, asked = std::make_shared<int>(0)] { return ++*asked >= n; };
}

// Halves of four groups that lie far apart agree wholly, in each split.
TEST(Replication, TellsOfTheSplitsThatWereDone) {
  const Table table = groups(1, 4, 400);
  const Matrix x{table.rows(), 2, table.values};
  for (int n = 1; n < 200; n += 7) {
    const Replication found = replication(x, 4, 1, at_question(n));
    EXPECT_EQ(found.halves % 2, 0U);
    EXPECT_EQ(found.strength, found.halves > 0 ? 1 : 0) << n;
    EXPECT_EQ(found.groups, found.halves > 0 ? 4U : 1U) << n;
  }
}

TEST(Clusters, LeaveOutANumberThatWasNotLookedAtWhole) {
  const Table table = groups(1, 4, 400);
  const Clustering whole = find_clusters(table, {}, never);
  for (int n = 1; n < 1500; n += 97) {
    const Clustering part = find_clusters(table, {}, at_question(n));
    ASSERT_LE(part.strengths.size(), whole.strengths.size());
    for (std::size_t i = 0; i < part.strengths.size(); ++i)
      EXPECT_EQ(part.strengths[i], whole.strengths[i]) << n;
    EXPECT_EQ(part.model.clusters, part.again.groups);
    EXPECT_EQ(part.clusters.size(), part.model.clusters);
  }
  EXPECT_EQ(find_clusters(table, {}, at_question(1)).model.clusters, 1U);
}

TEST(KMeans, EndsWhereItIsWhenItIsStopped) {
  const Table table = groups(1, 4, 400);
  const Matrix x{table.rows(), 2, table.values};
  int asked = 0;
  const Partition part = k_means(x, 4, 10, 1, [&] { return ++asked > 1; });
  EXPECT_EQ(part.clusters, 4U);
  EXPECT_LE(asked, 4);
}

TEST(Clusters, AreDescribedByWhatSetsThemApart) {
  const Table table = groups(2, 3, 600);
  ClusterOptions options;
  options.clusters_max = 5;
  const Clustering found = find_clusters(table, options, never);
  ASSERT_EQ(found.clusters.size(), 3U);
  const auto evaluator =
      models::Evaluator::create(model_of(table, models::Task::kClustering, found.model));
  ASSERT_TRUE(evaluator);
  const auto words = [&](std::size_t row) {
    return found.clusters[evaluator->predict(table.row(row)).cluster].words;
  };
  EXPECT_THAT(words(0), HasSubstr("low rate"));
  EXPECT_THAT(words(1), HasSubstr("high channels"));
  EXPECT_THAT(words(2), HasSubstr("high rate"));
}

RC_GTEST_PROP(KMeans, LeavesEveryRowAtItsNearestCentroid, (std::uint64_t seed)) {
  Random random(seed);
  Matrix x{*rc::gen::inRange<std::size_t>(1, 40), 2, {}};
  for (std::size_t i = 0; i < 2 * x.rows; ++i)
    x.values.push_back(static_cast<float>(random.below(8)));
  const auto k = *rc::gen::inRange<std::uint32_t>(1, 6);
  const Partition part = k_means(x, k, 3, seed, never);
  RC_ASSERT(part.clusters == std::min<std::size_t>(k, x.rows));
  double squares = 0;
  for (std::size_t i = 0; i < x.rows; ++i) {
    double best = 1e30, own = 0;
    for (std::uint32_t c = 0; c < part.clusters; ++c) {
      double d = 0;
      for (std::size_t j = 0; j < 2; ++j)
        d += std::pow(static_cast<double>(x.row(i)[j] - part.centroids[2 * c + j]), 2);
      best = std::min(best, d);
      if (c == part.of_row[i]) own = d;
    }
    RC_ASSERT(own <= best + 1e-6);
    squares += own;
  }
  RC_ASSERT(std::abs(squares - part.squares) < 1e-4 * (1 + squares));
}

}  // namespace
}  // namespace liminal::learn
