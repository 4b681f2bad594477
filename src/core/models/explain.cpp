#include "core/models/explain.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/base/check.hpp"
#include "core/base/random.hpp"
#include "core/models/machine.hpp"
#include "core/models/tree_shap.hpp"

namespace liminal::models {
namespace {

/// Explains the models of one row that the same question asks about.
class Explainer {
 public:
  Explainer(std::size_t features, std::span<const float> row, const ExplainOptions& options)
      : features_(features), row_(row), options_(options) {}

  [[nodiscard]] Explanation explain(const Trees& model) const;
  [[nodiscard]] Explanation explain(const IsolationForest& model) const;
  [[nodiscard]] Explanation explain(const Linear& model) const;
  [[nodiscard]] Explanation explain(const Mlp& model) const { return sample(model); }
  [[nodiscard]] Explanation explain(const KMeans& model) const { return sample(model); }
  [[nodiscard]] Explanation explain(const Blend& model) const;

 private:
  [[nodiscard]] std::vector<float> columns(const Inputs& inputs, std::span<const float> row) const {
    std::vector<float> made(inputs.width(features_));
    apply(inputs, row, made);
    return made;
  }

  /// Whose part each column is.
  [[nodiscard]] std::vector<std::uint32_t> feature_of(const Inputs& inputs) const {
    std::vector<std::uint32_t> features(inputs.width(features_));
    std::iota(features.begin(), features.end(), 0U);
    for (std::size_t i = 0; i < inputs.columns.size(); ++i) features[i] = inputs.columns[i].feature;
    return features;
  }

  /// The columns of the background rows, or of one row of zeros (`ExplainOptions::background`).
  [[nodiscard]] std::vector<std::vector<float>> background(const Inputs& inputs) const {
    std::vector<std::vector<float>> rows;
    for (std::size_t i = 0; i < options_.background.size(); i += features_)
      rows.push_back(columns(inputs, options_.background.subspan(i, features_)));
    if (rows.empty()) rows.emplace_back(inputs.width(features_), 0.F);
    return rows;
  }

  [[nodiscard]] Explanation of_trees(const Inputs& inputs, const std::vector<Tree>& trees) const;

  template <class Single>
  [[nodiscard]] Explanation sample(const Single& model) const;

  std::size_t features_;
  std::span<const float> row_;
  const ExplainOptions& options_;
};

void scale(Explanation& explanation, double factor) {
  for (double& part : explanation.contributions) part *= factor;
}

/// By how much a small change of a probability changes its clipped logit.
double logit_slope(double p) {
  constexpr auto kLow = static_cast<double>(kProbabilityMin);
  return p < kLow || p > 1 - kLow ? 0 : 1 / (p * (1 - p));
}

/// The sum of the trees' leaves, explained.
Explanation Explainer::of_trees(const Inputs& inputs, const std::vector<Tree>& trees) const {
  Explanation sum;
  sum.contributions.resize(features_);
  const std::vector<float> made = columns(inputs, row_);
  const std::vector<std::uint32_t> owners = feature_of(inputs);
  for (const Tree& tree : trees)
    sum.expectation += add_shapley_values(tree, made, owners, sum.contributions);
  return sum;
}

Explanation Explainer::explain(const Trees& model) const {
  Explanation explanation = of_trees(model.inputs, model.trees);
  const double share = model.mean ? 1 / static_cast<double>(model.trees.size()) : 1;
  scale(explanation, share);
  explanation.expectation = static_cast<double>(model.base) + explanation.expectation * share;
  const Machine machine(model, features_);
  explanation.margin = machine.margin(columns(model.inputs, row_));
  if (model.link != Link::kProbability) return explanation;

  const double expected = clipped_logit(explanation.expectation);
  const double away =
      std::accumulate(explanation.contributions.begin(), explanation.contributions.end(), 0.);
  constexpr double kSmall = 1e-9;
  scale(explanation,
        std::abs(away) > kSmall ? (explanation.margin - expected) / away
                                : logit_slope(explanation.expectation));
  explanation.expectation = expected;
  explanation.exactness = Exactness::kScaled;
  return explanation;
}

Explanation Explainer::explain(const IsolationForest& model) const {
  Explanation explanation = of_trees(model.inputs, model.trees);
  const double share =
      -1 / (static_cast<double>(model.trees.size()) * static_cast<double>(model.expected));
  scale(explanation, share);
  explanation.expectation *= share;
  explanation.margin = Machine(model, features_).margin(columns(model.inputs, row_));
  return explanation;
}

Explanation Explainer::explain(const Linear& model) const {
  Explanation explanation;
  explanation.contributions.resize(features_);
  const std::vector<float> made = columns(model.inputs, row_);
  const std::vector<std::uint32_t> owners = feature_of(model.inputs);
  const std::vector<std::vector<float>> usual = background(model.inputs);
  explanation.margin = Machine(model, features_).margin(made);
  explanation.expectation = static_cast<double>(model.intercept);
  for (std::size_t i = 0; i < made.size(); ++i) {
    double mean = 0;
    for (const std::vector<float>& row : usual) mean += static_cast<double>(row[i]);
    mean /= static_cast<double>(usual.size());
    const auto weight = static_cast<double>(model.weights[i]);
    explanation.expectation += weight * mean;
    explanation.contributions[owners[i]] += weight * (static_cast<double>(made[i]) - mean);
  }
  return explanation;
}

Explanation Explainer::explain(const Blend& model) const {
  Explanation sum;
  sum.contributions.resize(features_);
  for (const Blend::Member& member : model.members) {
    const Explanation part =
        std::visit([this](const auto& single) { return explain(single); }, member.model);
    const double weight = static_cast<double>(model.slope) * static_cast<double>(member.weight);
    sum.margin += weight * part.margin;
    sum.expectation += weight * part.expectation;
    for (std::size_t i = 0; i < features_; ++i)
      sum.contributions[i] += weight * part.contributions[i];
    sum.exactness = std::max(sum.exactness, part.exactness);
  }
  sum.margin += static_cast<double>(model.intercept);
  sum.expectation += static_cast<double>(model.intercept);
  return sum;
}

/// One feature after another becomes known, in random orders; each is given what changed. The
/// changes of an order add up to the whole difference, so their means do.
template <class Single>
Explanation Explainer::sample(const Single& model) const {
  const Machine machine(model, features_);
  const std::vector<float> made = columns(model.inputs, row_);
  const std::vector<std::vector<float>> usual = background(model.inputs);
  std::vector<std::vector<std::size_t>> columns_of(features_);
  const std::vector<std::uint32_t> owners = feature_of(model.inputs);
  for (std::size_t i = 0; i < owners.size(); ++i) columns_of[owners[i]].push_back(i);

  Explanation explanation{machine.margin(made), 0, {}, Exactness::kSampled};
  explanation.contributions.resize(features_);
  std::vector<std::uint32_t> order(features_);
  std::iota(order.begin(), order.end(), 0U);
  Random random(options_.seed);
  const std::size_t rounds = std::max<std::size_t>(1, (options_.orders + 1) / 2);
  std::vector<float> mixed;
  for (std::size_t round = 0; round < 2 * rounds; ++round) {
    if (round % 2 == 1) {
      std::reverse(order.begin(), order.end());
    } else {
      for (std::size_t i = order.size(); i > 1; --i)
        std::swap(order[i - 1], order[random.below(i)]);
    }
    mixed = usual[round / 2 % usual.size()];
    double before = machine.margin(mixed);
    explanation.expectation += before;
    for (const std::uint32_t feature : order) {
      for (const std::size_t column : columns_of[feature]) mixed[column] = made[column];
      const double after = machine.margin(mixed);
      explanation.contributions[feature] += after - before;
      before = after;
    }
  }
  const double share = 1 / static_cast<double>(2 * rounds);
  explanation.expectation *= share;
  scale(explanation, share);
  return explanation;
}

}  // namespace

std::string_view name(Exactness exactness) {
  switch (exactness) {
    case Exactness::kExact:
      return "exact";
    case Exactness::kScaled:
      return "scaled";
    case Exactness::kSampled:
      return "sampled";
  }
  return "unknown";
}

Explanation explain(const Model& model, std::span<const float> row, const ExplainOptions& options) {
  const std::size_t features = model.metadata.features.size();
  LIMINAL_CHECK(row.size() == features && options.background.size() % features == 0);
  const Explainer explainer(features, row, options);
  return std::visit([&](const auto& predictor) { return explainer.explain(predictor); },
                    model.predictor);
}

}  // namespace liminal::models
