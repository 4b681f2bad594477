#include "core/learn/fit.hpp"

#include <algorithm>
#include <cmath>

#include "core/base/math.hpp"
#include "core/learn/extra_trees.hpp"
#include "core/learn/linear.hpp"
#include "core/learn/quantile_leaves.hpp"
#include "core/models/machine.hpp"

namespace liminal::learn {
namespace {

Result<Fit> fit_forest(const Material& material,
                       const FitJob& job,
                       const ForestRecipe& recipe,
                       const Stop& stop) {
  Fit fit;
  const bool quantile = material.loss.kind == Loss::Kind::kPinball;
  const Matrix train = material.matrix(material.encoding.filled, job.train);
  const auto labels = material.unit_labels(job.train), weights = material.weights(job.train);
  models::Trees trees = grow_extra_trees(
      train, quantile ? places_of(labels) : labels, weights, recipe, job.seed, stop);
  if (trees.trees.empty()) return failure(ErrorCode::kUnavailable);
  if (quantile) settle_leaves(trees, train, labels, weights, material.loss.level);
  trees.inputs = material.encoding.filled;
  trees.link = material.loss.classes() ? models::Link::kProbability : models::Link::kIdentity;
  fit.rounds = fit.built = static_cast<std::uint32_t>(trees.trees.size());
  fit.complete = fit.rounds == recipe.trees;
  if (job.valid != Material::kNoRows) {
    const Matrix rows = material.matrix(material.encoding.filled, job.valid);
    for (std::size_t i = 0; i < rows.rows; ++i)
      fit.margins.push_back(
          static_cast<float>(link_margin(trees.link, tree_sum(trees, rows.row(i)))));
  }
  fit.model = std::move(trees);
  return fit;
}

Result<Fit> fit_line(const Material& material,
                     const FitJob& job,
                     const LinearRecipe& recipe,
                     const Stop& stop) {
  auto model = fit_linear(material.matrix(material.encoding.scaled, job.train),
                          material.unit_labels(job.train),
                          material.weights(job.train),
                          material.loss,
                          recipe,
                          stop);
  if (!model) return tl::unexpected(model.error());
  model->inputs = material.encoding.scaled;
  Fit fit;
  fit.rounds = fit.built = 1;
  if (job.valid != Material::kNoRows) {
    const Matrix rows = material.matrix(material.encoding.scaled, job.valid);
    for (std::size_t i = 0; i < rows.rows; ++i)
      fit.margins.push_back(static_cast<float>(linear_sum(*model, rows.row(i))));
  }
  fit.model = std::move(*model);
  return fit;
}

Result<Fit> run_in_unit(const Material& material,
                        const FitJob& job,
                        Booster& booster,
                        const Stop& stop) {
  if (const auto* boosted = std::get_if<BoosterRecipe>(&job.recipe))
    return booster.train(material, job, *boosted, stop);
  if (const auto* forest = std::get_if<ForestRecipe>(&job.recipe))
    return fit_forest(material, job, *forest, stop);
  return fit_line(material, job, std::get<LinearRecipe>(job.recipe), stop);
}

/// From parts of a unit to what labels are told in.
class Back {
 public:
  explicit Back(const Unit& unit) : unit_(unit) {}

  void operator()(Fit& fit) const {
    for (float& margin : fit.margins) margin = moved(margin);
    std::visit(*this, fit.model);
  }

  void operator()(models::Trees& trees) const {
    // A mean of trees holds what is said in its leaves, a sum what is added to its base.
    if (!trees.mean) trees.base = moved(trees.base);
    for (models::Tree& tree : trees.trees)
      for (models::TreeNode& node : tree.nodes)
        if (node.leaf()) node.value = trees.mean ? moved(node.value) : scaled(node.value);
  }

  void operator()(models::Linear& line) const {
    for (float& weight : line.weights) weight = scaled(weight);
    line.intercept = moved(line.intercept);
  }

 private:
  [[nodiscard]] float scaled(float value) const {
    return static_cast<float>(unit_.scale * static_cast<double>(value));
  }
  [[nodiscard]] float moved(float value) const {
    return static_cast<float>(unit_.shift + unit_.scale * static_cast<double>(value));
  }

  Unit unit_;
};

}  // namespace

std::vector<float> Material::labels(std::uint32_t id) const {
  std::vector<float> chosen;
  for (const std::uint32_t row : sets[id]) chosen.push_back(table.labels[row]);
  return chosen;
}

Unit unit_of(std::span<const float> labels) {
  if (labels.empty()) return {};
  const auto count = static_cast<double>(labels.size());
  double sum = 0, squares = 0;
  for (const float label : labels) sum += static_cast<double>(label);
  const double mean = sum / count;
  for (const float label : labels) {
    const double off = static_cast<double>(label) - mean;
    squares += off * off;
  }
  // A mean of equal labels is rounded, too: what lies below a float's own step is no deviation.
  constexpr double kStep = 0x1p-24;
  const double deviation = sqrt(squares / count);
  return {mean, deviation > kStep * std::abs(mean) ? deviation : 1};
}

std::vector<float> Material::unit_labels(std::uint32_t id) const {
  std::vector<float> chosen = labels(id);
  if (loss.classes()) return chosen;
  for (float& label : chosen)
    label = static_cast<float>((static_cast<double>(label) - unit.shift) / unit.scale);
  return chosen;
}

std::vector<float> Material::weights(std::uint32_t id) const {
  std::vector<float> chosen;
  if (table.weights.empty()) return chosen;
  for (const std::uint32_t row : sets[id]) chosen.push_back(table.weights[row]);
  return chosen;
}

Matrix Material::matrix(const models::Inputs& inputs, std::uint32_t id) const {
  if (codes.empty()) return encode(inputs, table, sets[id]);
  return codes.encode(
      inputs, table, sets[id], id < left_out.size() ? left_out[id] : CrossCodes::PartMask{0});
}

double link_margin(models::Link link, double sum) {
  return link == models::Link::kProbability ? models::clipped_logit(sum) : sum;
}

std::uint32_t leaf_of(const models::Tree& tree, std::span<const float> row) {
  std::uint32_t at = 0;
  for (;;) {
    const models::TreeNode& node = tree.nodes[at];
    if (node.leaf()) return at;
    const float x = row[static_cast<std::size_t>(node.feature)];
    const bool left = std::isnan(x) ? node.missing_left : x < node.value;
    at = left ? node.left : node.right;
  }
}

double tree_sum(const models::Trees& trees, std::span<const float> row) {
  double sum = 0;
  for (const models::Tree& tree : trees.trees)
    sum += static_cast<double>(tree.nodes[leaf_of(tree, row)].value);
  if (trees.mean) sum /= static_cast<double>(std::max<std::size_t>(trees.trees.size(), 1));
  return static_cast<double>(trees.base) + sum;
}

Result<Fit> run_fit(const Material& material,
                    const FitJob& job,
                    Booster& booster,
                    const Stop& stop) {
  if (!validate(job.recipe).empty()) return failure(ErrorCode::kOutOfRange);
  auto fit = run_in_unit(material, job, booster, stop);
  if (fit && !material.loss.classes()) Back(material.unit)(*fit);
  return fit;
}

}  // namespace liminal::learn
