#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "core/base/random.hpp"
#include "core/learn/cost.hpp"
#include "core/learn/cross_codes.hpp"
#include "core/learn/encoding.hpp"
#include "core/learn/extra_trees.hpp"
#include "core/learn/linear.hpp"
#include "core/learn/metrics.hpp"

namespace liminal::learn {
namespace {

bool never() { return false; }

struct Rows {
  Matrix x;
  std::vector<float> y;
};

/// Labels from a linear margin of the first two of `columns`.
Rows linear_rows(std::uint64_t seed, std::size_t rows, std::size_t columns, bool classes) {
  Random random(seed);
  Rows made;
  made.x = {rows, columns, {}};
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t k = 0; k < columns; ++k)
      made.x.values.push_back(static_cast<float>(random.normal()));
    const double margin =
        1 + 2 * static_cast<double>(made.x.row(i)[0]) - static_cast<double>(made.x.row(i)[1]);
    made.y.push_back(classes ? (random.chance(1 / (1 + std::exp(-margin))) ? 1.F : 0.F)
                             : static_cast<float>(margin + .1 * random.normal()));
  }
  return made;
}

/// The gradient of the penalised loss where a fit ended, the intercept's last; zero at the optimum.
std::vector<double> gradient(const Rows& rows,
                             const models::Linear& model,
                             double l2,
                             bool classes) {
  std::vector<double> g(rows.x.columns + 1);
  for (std::size_t k = 0; k < rows.x.columns; ++k)
    g[k] = l2 * static_cast<double>(model.weights[k]);
  for (std::size_t i = 0; i < rows.x.rows; ++i) {
    const double m = linear_sum(model, rows.x.row(i));
    const double said = classes ? 1 / (1 + std::exp(-m)) : m;
    const double error = said - static_cast<double>(rows.y[i]);
    for (std::size_t k = 0; k < rows.x.columns; ++k)
      g[k] += error * static_cast<double>(rows.x.row(i)[k]);
    g.back() += error;
  }
  return g;
}

RC_GTEST_PROP(Linear, EndsWhereTheGradientIsZero, (std::uint64_t seed, bool classes)) {
  const auto columns = *rc::gen::inRange<std::size_t>(2, 6);
  const double l2 = *rc::gen::element(.1, 1., 50.);
  const Rows rows = linear_rows(seed, 200, columns, classes);
  const Loss loss{classes ? Loss::Kind::kLogistic : Loss::Kind::kSquared};
  const auto model = fit_linear(rows.x, rows.y, {}, loss, {l2}, never);
  RC_ASSERT(model.has_value());
  for (const double part : gradient(rows, *model, l2, classes)) RC_ASSERT(std::abs(part) < 1e-2);
}

TEST(Linear, FindsTheWeightsThatLabelsWereMadeFrom) {
  const Rows rows = linear_rows(1, 20'000, 3, true);
  const auto model = fit_linear(rows.x, rows.y, {}, Loss{}, {.1}, never);
  ASSERT_TRUE(model);
  EXPECT_NEAR(model->intercept, 1, .08);
  EXPECT_NEAR(model->weights[0], 2, .08);
  EXPECT_NEAR(model->weights[1], -1, .08);
  EXPECT_NEAR(model->weights[2], 0, .08);
}

TEST(Linear, TakesAWeightAsSoManyRows) {
  Rows once = linear_rows(2, 100, 2, true), twice = once;
  std::vector<float> weights(100, 1.F);
  for (std::size_t i = 0; i < 30; ++i) {
    weights[i] = 2;
    const auto row = once.x.row(i);
    twice.x.values.insert(twice.x.values.end(), row.begin(), row.end());
    twice.y.push_back(once.y[i]);
    ++twice.x.rows;
  }
  const auto a = fit_linear(once.x, once.y, weights, Loss{}, {1}, never);
  const auto b = fit_linear(twice.x, twice.y, {}, Loss{}, {1}, never);
  EXPECT_NEAR(a->weights[0], b->weights[0], 1e-4);
  EXPECT_NEAR(a->intercept, b->intercept, 1e-4);
}

TEST(Linear, FindsTheQuantileThatIsAskedFor) {
  Random random(3);
  Rows rows = linear_rows(3, 5000, 2, false);
  for (float& y : rows.y) y += static_cast<float>(2 * random.exponential());
  const auto model = fit_linear(rows.x, rows.y, {}, Loss{Loss::Kind::kPinball, .9}, {.01}, never);
  ASSERT_TRUE(model);
  double below = 0;
  for (std::size_t i = 0; i < rows.x.rows; ++i)
    below += static_cast<double>(rows.y[i]) < linear_sum(*model, rows.x.row(i));
  EXPECT_NEAR(below / 5000, .9, .01);
  EXPECT_NEAR(model->weights[0], 2, .1);
}

TEST(Linear, StaysFiniteOnSeparatedAndOnConstantColumns) {
  Rows rows;
  rows.x = {4, 2, {-1, 5, -2, 5, 1, 5, 2, 5}};
  rows.y = {0, 0, 1, 1};
  const auto model = fit_linear(rows.x, rows.y, {}, Loss{}, {.01}, never);
  ASSERT_TRUE(model);
  EXPECT_GT(model->weights[0], 0);
  EXPECT_EQ(fit_linear(rows.x, rows.y, {}, Loss{}, {1}, [] { return true; }).error().code,
            ErrorCode::kUnavailable);
}

TEST(Linear, StopsWithinAStep) {
  const Rows rows = linear_rows(5, 20'000, 3, true);
  int asked = 0;
  const auto none = fit_linear(rows.x, rows.y, {}, Loss{}, {1}, [&] { return ++asked > 2; });
  EXPECT_EQ(none.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(asked, 3) << "of five in the first pass over the rows";
  asked = 0;
  const auto some = fit_linear(rows.x, rows.y, {}, Loss{}, {1}, [&] { return ++asked > 25; });
  ASSERT_TRUE(some);
  EXPECT_GT(some->weights[0], 1) << "what the steps before came to";
}

TEST(Linear, RefusesMoreColumnsThanModelsHave) {
  const Matrix x{1, models::kColumnsMax + 1, std::vector<float>(models::kColumnsMax + 1)};
  const std::vector<float> y{1};
  EXPECT_EQ(fit_linear(x, y, {}, Loss{}, {1}, never).error().code, ErrorCode::kOutOfRange);
}

/// The label is 1 inside a ring: no line tells it.
Rows ring_rows(std::uint64_t seed, std::size_t rows) {
  Random random(seed);
  Rows made;
  made.x = {rows, 4, {}};
  for (std::size_t i = 0; i < rows; ++i) {
    const double a = random.normal(), b = random.normal();
    for (const double v : {a, b, random.normal(), random.normal()})
      made.x.values.push_back(static_cast<float>(v));
    made.y.push_back(a * a + b * b < 1 ? 1.F : 0.F);
  }
  return made;
}

TEST(ExtraTrees, LearnWhatNoLineTells) {
  const Rows train = ring_rows(1, 2000), test = ring_rows(2, 1000);
  const models::Trees forest = grow_extra_trees(train.x, train.y, {}, {60, 3, .6}, 1, never);
  EXPECT_EQ(forest.trees.size(), 60U);
  std::vector<float> scores;
  for (std::size_t i = 0; i < test.x.rows; ++i)
    scores.push_back(static_cast<float>(tree_sum(forest, test.x.row(i))));
  EXPECT_GT(roc_auc(scores, test.y), .97);
}

RC_GTEST_PROP(ExtraTrees, HoldTheMeanLabelOfWhatReachesALeaf, (std::uint64_t seed)) {
  const Rows rows = ring_rows(seed, 150);
  const auto leaf_rows = *rc::gen::inRange<std::uint32_t>(1, 20);
  const models::Trees forest = grow_extra_trees(rows.x, rows.y, {}, {3, leaf_rows, 0}, seed, never);
  for (const models::Tree& tree : forest.trees) {
    std::vector<double> count(tree.nodes.size()), sum(tree.nodes.size());
    for (std::size_t i = 0; i < rows.x.rows; ++i) {
      std::uint32_t at = 0;
      while (!tree.nodes[at].leaf()) {
        const auto& node = tree.nodes[at];
        at = rows.x.row(i)[static_cast<std::size_t>(node.feature)] < node.value ? node.left
                                                                                : node.right;
      }
      count[at] += 1;
      sum[at] += static_cast<double>(rows.y[i]);
    }
    for (std::size_t n = 0; n < tree.nodes.size(); ++n) {
      if (!tree.nodes[n].leaf()) continue;
      RC_ASSERT(count[n] >= leaf_rows);
      RC_ASSERT(std::abs(static_cast<double>(tree.nodes[n].cover) - count[n]) < 1e-6);
      RC_ASSERT(std::abs(static_cast<double>(tree.nodes[n].value) - sum[n] / count[n]) < 1e-6);
    }
  }
}

TEST(ExtraTrees, AreTheSameForASeedAlsoWhenStopped) {
  const Rows rows = ring_rows(3, 300);
  const auto whole = grow_extra_trees(rows.x, rows.y, {}, {10, 1, 0}, 5, never);
  int asked = 0;
  const auto part =
      grow_extra_trees(rows.x, rows.y, {}, {10, 1, 0}, 5, [&] { return ++asked > 4; });
  ASSERT_EQ(part.trees.size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(part.trees[i], whole.trees[i]);
}

TEST(ExtraTrees, StayWithinTheirNodes) {
  Random random(4);
  Rows rows;
  rows.x = {20'000, 2, {}};
  for (std::size_t i = 0; i < 20'000; ++i) {
    rows.x.values.push_back(static_cast<float>(random.normal()));
    rows.x.values.push_back(static_cast<float>(random.normal()));
    rows.y.push_back(random.chance(.5) ? 1.F : 0.F);
  }
  const auto forest = grow_extra_trees(rows.x, rows.y, {}, {2, 1, 0}, 1, never);
  for (const models::Tree& tree : forest.trees) EXPECT_LE(tree.nodes.size(), kForestNodesMax);
}

Table mixed_table() {
  Table table;
  std::vector<std::string> many;
  for (int i = 0; i < 30; ++i) many.push_back("level" + std::to_string(i));
  table.features = {{"number", "ms", {}}, {"few", "", {"a", "b", "c"}}, {"many", "", many}};
  Random random(1);
  for (int i = 0; i < 600; ++i) {
    const auto level = static_cast<float>(random.below(30));
    table.values.push_back(i % 10 == 0 ? models::kMissing : static_cast<float>(random.normal()));
    table.values.push_back(static_cast<float>(random.below(3)));
    table.values.push_back(level);
    table.labels.push_back(random.chance(static_cast<double>(level) / 30) ? 1.F : 0.F);
  }
  return table;
}

TEST(Encoding, MakesColumnsOfCategories) {
  const Table table = mixed_table();
  const Encoding encoding = learn_encoding(table, {});
  ASSERT_EQ(encoding.trees.columns.size(), 5U);
  std::vector<std::uint32_t> rows{0, 1};
  const Matrix trees = encode(encoding.trees, table, rows);
  const Matrix filled = encode(encoding.filled, table, rows);
  const Matrix scaled = encode(encoding.scaled, table, rows);
  EXPECT_TRUE(std::isnan(trees.row(0)[0])) << "missing stays missing for trees";
  EXPECT_LT(filled.row(0)[0], -3) << "and lies below all others for forests";
  EXPECT_NEAR(scaled.row(0)[0], 0, .2) << "and in the middle for linear models";
  const auto few = static_cast<std::size_t>(table.row(0)[1]);
  for (std::size_t level = 0; level < 3; ++level)
    EXPECT_EQ(trees.row(0)[1 + level], level == few ? 1.F : 0.F);
  // Levels of `many` are ordered by their mean label, which grows with their number.
  const auto& codes = encoding.trees.columns[4].codes;
  ASSERT_EQ(codes.size(), 30U);
  EXPECT_LT(codes[2].value, codes[15].value);
  EXPECT_LT(codes[15].value, codes[28].value);
}

TEST(Encoding, PutsAMissingValueBelowLargeOnesOfOneSize) {
  for (const float value : {0.F, -3.F, 1e6F, -2e9F, 1e30F, -1e35F}) {
    Table table;
    table.features = {{"bytes", "", {}}};
    table.values = {value, value, std::nextafter(value, 1e38F), models::kMissing};
    const Encoding encoding = learn_encoding(table, {});
    EXPECT_LT(encoding.filled.columns[0].fill, value);
    EXPECT_TRUE(std::isfinite(encoding.filled.columns[0].fill));
  }
}

TEST(CrossCodes, HoldNoLabelOfTheirOwnRowNorOfALeftOutPart) {
  Table table = mixed_table();
  const Encoding encoding = learn_encoding(table, {});
  std::vector<std::uint8_t> part(600);
  for (std::size_t i = 0; i < 600; ++i) part[i] = static_cast<std::uint8_t>(i % 5);
  const std::vector<std::uint32_t> rows{3, 7, 11};
  const CrossCodes codes(table, encoding.trees, part);
  const Matrix before = codes.encode(encoding.trees, table, rows, 1U << 2);
  for (std::size_t i = 0; i < 600; ++i)
    if (part[i] == 2) table.labels[i] = 1 - table.labels[i];
  const CrossCodes others(table, encoding.trees, part);
  const Matrix without = others.encode(encoding.trees, table, rows, 1U << 2);
  const Matrix with = others.encode(encoding.trees, table, rows, 0);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(before.row(i)[4], without.row(i)[4]);
    if (part[rows[i]] != 2) {
      EXPECT_NE(before.row(i)[4], with.row(i)[4]) << "whose labels it holds when that part counts";
    }
  }
}

TEST(Cost, OfEveryKindIsCounted) {
  models::KMeans clusters;
  clusters.clusters = 2;
  clusters.centroids.assign(20, 1.F);
  models::Mlp network;
  network.layers = {{4, 3, std::vector<float>(12), std::vector<float>(4)},
                    {1, 4, std::vector<float>(4), std::vector<float>(1)}};
  models::Tree stump;
  stump.nodes.resize(3);
  stump.nodes[0] = {0, 1, 1, 2, true, 10};
  models::IsolationForest forest;
  forest.trees.assign(50, stump);
  models::Blend blend;
  blend.members.push_back({1, network});
  for (const models::Predictor& predictor : {models::Predictor(clusters),
                                             models::Predictor(network),
                                             models::Predictor(forest),
                                             models::Predictor(blend)}) {
    EXPECT_GT(cost_of(predictor).us_row, 0) << models::kind(predictor);
    EXPECT_GT(cost_of(predictor).memory_bytes, 0) << models::kind(predictor);
  }
  EXPECT_EQ(cost_of(models::Predictor(network)).memory_bytes, 4 * 21);
}

/// A tree whose rows nearly all leave at once, and that goes on to such a depth.
models::Tree chain(std::uint32_t depth, float staying) {
  models::Tree tree;
  tree.nodes.resize(2 * depth + 1);
  for (std::uint32_t level = 0; level < depth; ++level) {
    tree.nodes[2 * level] = {0, 1, 2 * level + 1, 2 * level + 2, true, level == 0 ? 100 : staying};
    tree.nodes[2 * level + 1].cover = level == 0 ? 100 - staying : 0;
  }
  tree.nodes.back().cover = staying;
  return tree;
}

TEST(Cost, OfTreesIsThatOfTheDeepestAmongThoseWalkedAtOnce) {
  const auto us = [](std::vector<models::Tree> trees) {
    models::Trees forest;
    forest.trees = std::move(trees);
    return cost_of(forest).us_row;
  };
  const models::Tree shallow = chain(1, 1), deep = chain(8, 1);
  EXPECT_NEAR(us({shallow}), .0013, 1e-9);
  EXPECT_NEAR(us(std::vector(8, deep)), 8 * 8 * .0013, 1e-9) << "whatever rows leave early";
  std::vector<models::Tree> mixed(7, shallow);
  mixed.push_back(deep);
  EXPECT_NEAR(us(mixed), 8 * 8 * .0013, 1e-9);
  // Deeper ones are left when all lanes have come to a leaf: here in 99 % of cases after four.
  EXPECT_NEAR(us({chain(12, 1)}), (4 + .01 * 8) * .0013, 1e-9);
  EXPECT_NEAR(us({chain(12, 100)}), 12 * .0013, 1e-9);
}

TEST(Recipe, NamesWhatLiesBeyondItsBounds) {
  EXPECT_TRUE(validate(Recipe(BoosterRecipe{})).empty());
  EXPECT_TRUE(validate(Recipe(ForestRecipe{})).empty());
  EXPECT_EQ(validate(Recipe(BoosterRecipe{.eta = -1, .depth = 40})).size(), 2U);
  EXPECT_EQ(validate(Recipe(ForestRecipe{0, 0, 2})).size(), 3U);
  EXPECT_EQ(validate(Recipe(LinearRecipe{-1}))[0].key, "l2");
}

TEST(Encoding, LearnsOnlyFromItsRows) {
  Table table = mixed_table();
  std::vector<std::uint32_t> rows;
  for (std::uint32_t i = 0; i < 300; ++i) rows.push_back(i);
  const Encoding before = learn_encoding(table, rows);
  for (std::size_t i = 300; i < 600; ++i) table.labels[i] = 1 - table.labels[i];
  EXPECT_EQ(learn_encoding(table, rows).trees, before.trees);
}

TEST(Table, NamesWhatKeepsItFromBeingTrainedOn) {
  Table table = mixed_table();
  EXPECT_TRUE(table.validate(true, true).empty());
  table.labels[3] = .5F;
  table.features[1].name = "number";
  EXPECT_EQ(table.validate(true, true)[0].key, "features");
  table.features[1].name = "few";
  EXPECT_EQ(table.validate(true, true)[0].key, "labels");
  EXPECT_TRUE(table.validate(true, false).empty());
  table.weights.assign(5, 1.F);
  EXPECT_EQ(table.validate(true, false)[0].key, "weights");
}

}  // namespace
}  // namespace liminal::learn
