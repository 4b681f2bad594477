#include "io/onnx/plain.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include "io/onnx/ensemble.hpp"
#include "io/onnx/graph.hpp"

namespace liminal::onnx {
namespace {

using models::Link;
using models::Task;

/// Takes one value for all columns or one a column.
bool spread(std::span<const float> values, std::vector<models::Column>& columns, auto put) {
  if (values.size() != 1 && values.size() != columns.size()) return false;
  for (std::size_t i = 0; i < columns.size(); ++i)
    put(columns[i], values[values.size() == 1 ? 0 : i]);
  return true;
}

class PlainReader {
 public:
  explicit PlainReader(const ::onnx::ModelProto& file) : file_(file), graph_(file.graph()) {}

  Read<models::Model> read();

 private:
  Read<void> read_input();
  Read<void> read_node(const ::onnx::NodeProto& node);
  Read<void> read_before(const ::onnx::NodeProto& node);
  Read<void> read_behind(const ::onnx::NodeProto& node) const;
  Read<void> read_imputer(const ::onnx::NodeProto& node);
  Read<void> read_scaler(const ::onnx::NodeProto& node);
  Read<void> read_tree_regressor(const ::onnx::NodeProto& node);
  Read<void> read_tree_classifier(const ::onnx::NodeProto& node);
  Read<void> read_one_score(const ::onnx::NodeProto& node, Ensemble ensemble);
  Read<void> read_two_scores(const ::onnx::NodeProto& node, Ensemble ensemble);
  Read<void> read_linear_regressor(const ::onnx::NodeProto& node);
  Read<void> read_linear_classifier(const ::onnx::NodeProto& node);

  /// Of the inputs; made when the first step needs them.
  std::vector<models::Column>& columns() {
    if (inputs_.columns.empty()) {
      inputs_.columns.resize(features_);
      for (std::size_t i = 0; i < features_; ++i)
        inputs_.columns[i].feature = static_cast<std::uint32_t>(i);
    }
    return inputs_.columns;
  }

  Read<void> put_trees(
      std::vector<models::Tree> trees, bool mean, float base, Task task, Link link) {
    model_.metadata.task = task;
    model_.predictor = models::Trees{std::move(inputs_), std::move(trees), mean, base, link};
    found_ = true;
    return {};
  }

  const ::onnx::ModelProto& file_;
  const ::onnx::GraphProto& graph_;
  std::size_t features_ = 0;
  std::string current_;             ///< the tensor that the next step must take
  std::set<std::string> answered_;  ///< tensors behind the model
  models::Inputs inputs_;
  bool scaled_ = false;
  models::Model model_;
  bool found_ = false;
};

Read<void> PlainReader::read_input() {
  std::set<std::string_view> constants;
  for (const ::onnx::TensorProto& constant : graph_.initializer())
    constants.insert(constant.name());
  const ::onnx::ValueInfoProto* input = nullptr;
  for (const ::onnx::ValueInfoProto& one : graph_.input()) {
    if (constants.contains(one.name())) continue;
    if (input != nullptr) return unsupported("several inputs");
    input = &one;
  }
  if (input == nullptr) return broken("it has no input");
  const ::onnx::TypeProto::Tensor& tensor = input->type().tensor_type();
  if (tensor.elem_type() != ::onnx::TensorProto::FLOAT)
    return unsupported("input " + input->name() + " is not of floats");
  const ::onnx::TensorShapeProto& shape = tensor.shape();
  if (shape.dim_size() != 2 || shape.dim(1).dim_value() < 1 ||
      shape.dim(1).dim_value() > static_cast<std::int64_t>(models::kColumnsMax))
    return unsupported("input " + input->name() + " is not rows × 1 to 2,047 features");
  features_ = static_cast<std::size_t>(shape.dim(1).dim_value());
  current_ = input->name();
  return {};
}

Read<void> PlainReader::read_imputer(const ::onnx::NodeProto& node) {
  const float replaced = real(node, "replaced_value_float", 0);
  if (!std::isnan(replaced)) return unsupported("Imputer of what is not NaN");
  if (scaled_) return unsupported("Imputer behind a Scaler");
  const auto fill = [](models::Column& column, float value) {
    if (std::isnan(column.fill)) column.fill = value;
  };
  if (!spread(floats(node, "imputed_value_floats"), columns(), fill))
    return broken("Imputer: its values are not one a feature");
  return {};
}

Read<void> PlainReader::read_scaler(const ::onnx::NodeProto& node) {
  if (scaled_) return unsupported("a second Scaler");
  scaled_ = true;
  const bool done =
      spread(floats(node, "offset"), columns(), [](models::Column& c, float x) { c.mean = x; }) &&
      spread(floats(node, "scale"), columns(), [](models::Column& c, float x) { c.scale = x; });
  if (!done) return broken("Scaler: its values are not one a feature");
  return {};
}

Read<void> PlainReader::read_tree_regressor(const ::onnx::NodeProto& node) {
  if (integer(node, "n_targets", 1) != 1)
    return unsupported("TreeEnsembleRegressor of several targets");
  const std::string_view sum = text(node, "aggregate_function", "SUM");
  if (sum != "SUM" && sum != "AVERAGE")
    return unsupported("TreeEnsembleRegressor: " + std::string(sum));
  const std::string_view post = text(node, "post_transform", "NONE");
  if (post != "NONE") return unsupported("TreeEnsembleRegressor: " + std::string(post));
  const auto base = floats(node, "base_values");
  if (base.size() > 1) return broken("TreeEnsembleRegressor: several base values");
  Read<Ensemble> ensemble = read_ensemble(node, "target");
  if (!ensemble) return tl::unexpected(ensemble.error());
  for (const Ensemble::Leaf& leaf : ensemble->leaves)
    ensemble->trees[leaf.tree].nodes[leaf.node].value = leaf.weight;
  return put_trees(std::move(ensemble->trees),
                   sum == "AVERAGE",
                   base.empty() ? 0 : base[0],
                   Task::kRegression,
                   Link::kIdentity);
}

/// Rounding of scores as floats, which converters divide by the number of trees.
constexpr double kRounding = 1e-6;

/// The most that the trees of an ensemble whose scores are never negative can add up to.
double largest_sum(const Ensemble& ensemble) {
  std::vector<double> largest(ensemble.trees.size());
  for (const Ensemble::Leaf& leaf : ensemble.leaves)
    largest[leaf.tree] = std::max(largest[leaf.tree], static_cast<double>(leaf.weight));
  return std::accumulate(largest.begin(), largest.end(), 0.);
}

/// Whether the scores of both classes are never negative and always add up to 1: whatever leaf a
/// tree comes to, it gives the same sum.
bool are_probabilities(const Ensemble& ensemble) {
  std::vector<std::vector<double>> sums;
  for (const models::Tree& tree : ensemble.trees) sums.emplace_back(tree.nodes.size());
  for (const Ensemble::Leaf& leaf : ensemble.leaves) {
    if (!(leaf.weight >= 0)) return false;
    sums[leaf.tree][leaf.node] += static_cast<double>(leaf.weight);
  }
  double total = 0;
  double apart = 0;
  for (std::size_t tree = 0; tree < sums.size(); ++tree) {
    double lowest = std::numeric_limits<double>::infinity();
    double highest = 0;
    for (std::size_t i = 0; i < sums[tree].size(); ++i) {
      if (!ensemble.trees[tree].nodes[i].leaf()) continue;
      lowest = std::min(lowest, sums[tree][i]);
      highest = std::max(highest, sums[tree][i]);
    }
    total += lowest;
    apart += highest - lowest;
  }
  return total >= 1 - kRounding && total + apart <= 1 + kRounding;
}

/// Two classes and scores of one: its margin, or its probability when no score is negative and
/// nothing is done with it.
Read<void> PlainReader::read_one_score(const ::onnx::NodeProto& node, Ensemble ensemble) {
  const std::string_view post = text(node, "post_transform", "NONE");
  const auto base = floats(node, "base_values");
  if (base.size() > 2) return broken("TreeEnsembleClassifier: more base values than classes");
  const bool negative = std::any_of(
      ensemble.leaves.begin(), ensemble.leaves.end(), [](const auto& l) { return l.weight < 0; });
  // Runtimes take scores that are never negative as probabilities whatever the transform says.
  if (negative ? post != "LOGISTIC" : post != "NONE")
    return unsupported("TreeEnsembleClassifier: " + std::string(post) + " of scores that are " +
                       (negative ? "margins" : "never negative"));
  const float added = base.empty() ? 0 : base.back();
  if (!negative &&
      !(added >= 0 && static_cast<double>(added) + largest_sum(ensemble) <= 1 + kRounding))
    return unsupported("TreeEnsembleClassifier: scores that are never negative, but not within 1");
  for (const Ensemble::Leaf& leaf : ensemble.leaves)
    ensemble.trees[leaf.tree].nodes[leaf.node].value = leaf.weight;
  return put_trees(std::move(ensemble.trees),
                   false,
                   added,
                   Task::kClassification,
                   negative ? Link::kLogistic : Link::kProbability);
}

/// Two classes with scores of both: probabilities, or margins whose difference counts.
Read<void> PlainReader::read_two_scores(const ::onnx::NodeProto& node, Ensemble ensemble) {
  const std::string_view post = text(node, "post_transform", "NONE");
  if (post != "NONE" && post != "SOFTMAX")
    return unsupported("TreeEnsembleClassifier of two scores: " + std::string(post));
  if (!floats(node, "base_values").empty())
    return unsupported("TreeEnsembleClassifier of two scores: base_values");
  if (post == "NONE" && !are_probabilities(ensemble))
    return unsupported("TreeEnsembleClassifier of two scores that are no probabilities");
  for (const Ensemble::Leaf& leaf : ensemble.leaves) {
    float& value = ensemble.trees[leaf.tree].nodes[leaf.node].value;
    if (leaf.target == 1) {
      value += leaf.weight;
    } else if (post == "SOFTMAX") {
      value -= leaf.weight;
    }
  }
  return put_trees(std::move(ensemble.trees),
                   false,
                   0,
                   Task::kClassification,
                   post == "NONE" ? Link::kProbability : Link::kLogistic);
}

Read<void> PlainReader::read_tree_classifier(const ::onnx::NodeProto& node) {
  const ::onnx::AttributeProto* const labels = attribute(node, "classlabels_int64s");
  const ::onnx::AttributeProto* const names = attribute(node, "classlabels_strings");
  const int classes = (labels != nullptr ? labels->ints_size() : 0) +
                      (names != nullptr ? names->strings_size() : 0);
  if (classes != 2)
    return unsupported("TreeEnsembleClassifier of " + std::to_string(classes) + " classes");
  Read<Ensemble> ensemble = read_ensemble(node, "class");
  if (!ensemble) return tl::unexpected(ensemble.error());
  std::set<std::int64_t> seen;
  for (const Ensemble::Leaf& leaf : ensemble->leaves) seen.insert(leaf.target);
  if (seen.empty() || *seen.begin() < 0 || *seen.rbegin() > 1)
    return broken("TreeEnsembleClassifier: its scores are of no class");
  if (seen.size() == 1) return read_one_score(node, *std::move(ensemble));
  return read_two_scores(node, *std::move(ensemble));
}

Read<void> PlainReader::read_linear_regressor(const ::onnx::NodeProto& node) {
  if (integer(node, "targets", 1) != 1) return unsupported("LinearRegressor of several targets");
  const std::string_view post = text(node, "post_transform", "NONE");
  if (post != "NONE") return unsupported("LinearRegressor: " + std::string(post));
  const auto weights = floats(node, "coefficients");
  const auto intercept = floats(node, "intercepts");
  if (intercept.size() > 1) return broken("LinearRegressor: several intercepts");
  model_.metadata.task = Task::kRegression;
  model_.predictor = models::Linear{std::move(inputs_),
                                    {weights.begin(), weights.end()},
                                    intercept.empty() ? 0 : intercept[0],
                                    Link::kIdentity};
  found_ = true;
  return {};
}

Read<void> PlainReader::read_linear_classifier(const ::onnx::NodeProto& node) {
  const auto weights = floats(node, "coefficients");
  const auto intercepts = floats(node, "intercepts");
  const std::string_view post = text(node, "post_transform", "NONE");
  const std::size_t width = inputs_.width(features_);
  if (weights.size() != 2 * width || intercepts.size() != 2)
    return unsupported("LinearClassifier that is not of two classes with a score each");
  bool opposite = intercepts[0] == -intercepts[1];
  for (std::size_t i = 0; i < width; ++i) opposite = opposite && weights[i] == -weights[width + i];
  if (post != "SOFTMAX" && (post != "LOGISTIC" || !opposite))
    return unsupported("LinearClassifier: " + std::string(post));
  models::Linear made{std::move(inputs_),
                      {weights.begin() + static_cast<std::ptrdiff_t>(width), weights.end()},
                      intercepts[1],
                      Link::kLogistic};
  if (post == "SOFTMAX") {
    for (std::size_t i = 0; i < width; ++i) made.weights[i] -= weights[i];
    made.intercept -= intercepts[0];
  }
  model_.metadata.task = Task::kClassification;
  model_.predictor = std::move(made);
  found_ = true;
  return {};
}

Read<void> PlainReader::read_before(const ::onnx::NodeProto& node) {
  const std::string& op = node.op_type();
  if (node.input_size() != 1 || node.input(0) != current_)
    return unsupported(op + " that does not take what the step before it gives");
  if (node.output_size() < 1) return broken(op + " has no output");
  current_ = node.output(0);
  if (op == "Identity") return {};
  if (node.domain() != kMlDomain) return unsupported("operator " + op);
  if (op == "Imputer") return read_imputer(node);
  if (op == "Scaler") return read_scaler(node);
  answered_.insert(node.output().begin(), node.output().end());
  if (op == "TreeEnsembleRegressor") return read_tree_regressor(node);
  if (op == "TreeEnsembleClassifier") return read_tree_classifier(node);
  if (op == "LinearRegressor") return read_linear_regressor(node);
  if (op == "LinearClassifier") return read_linear_classifier(node);
  return unsupported("operator " + op);
}

/// Behind the model only what does not change its answers, but their form.
Read<void> PlainReader::read_behind(const ::onnx::NodeProto& node) const {
  const std::string& op = node.op_type();
  if (op != "Cast" && op != "Identity" && op != "ZipMap" && op != "Normalizer")
    return unsupported("operator " + op + " behind the model");
  if (op == "Normalizer") {
    // Probabilities add up to 1 already.
    if (text(node, "norm", "MAX") != "L1" || model_.metadata.task != Task::kClassification)
      return unsupported("Normalizer behind the model");
  }
  for (const std::string& input : node.input()) {
    if (!answered_.contains(input)) return unsupported(op + " beside the model");
  }
  return {};
}

Read<void> PlainReader::read_node(const ::onnx::NodeProto& node) {
  if (!found_) return read_before(node);
  if (auto done = read_behind(node); !done) return done;
  answered_.insert(node.output().begin(), node.output().end());
  return {};
}

Read<models::Model> PlainReader::read() {
  if (auto done = read_input(); !done) return tl::unexpected(done.error());
  for (const ::onnx::NodeProto& node : graph_.node()) {
    if (auto done = read_node(node); !done) return tl::unexpected(done.error());
  }
  if (!found_) return unsupported("no model among its operators");
  models::Metadata& metadata = model_.metadata;
  metadata.name = graph_.name();
  metadata.trainer = file_.producer_name();
  for (std::size_t i = 0; i < features_; ++i)
    metadata.features.push_back({"feature_" + std::to_string(i), ""});
  return std::move(model_);
}

}  // namespace

Read<models::Model> read_plain(const ::onnx::ModelProto& file) { return PlainReader(file).read(); }

}  // namespace liminal::onnx
