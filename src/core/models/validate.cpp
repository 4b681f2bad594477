#include <algorithm>
#include <cmath>
#include <set>

#include "core/models/model.hpp"

namespace liminal::models {
namespace {

constexpr std::size_t kTreesMax = 100'000;
constexpr std::size_t kNodesMax = 1'000'000;
constexpr std::size_t kAllNodesMax = std::size_t{1} << 26;
constexpr std::uint32_t kDepthMax = 512;
constexpr std::size_t kClustersMax = 4096;
constexpr std::size_t kLayersMax = 64;
constexpr std::size_t kProblemsMax = 20;

bool finite(const std::vector<float>& values) {
  return std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); });
}

std::string item(std::string_view at, std::string_view list, std::size_t i) {
  return std::string(at) + "." + std::string(list) + "[" + std::to_string(i) + "]";
}

/// Collects what is wrong, each with the path of the part.
class Check {
 public:
  Check(const Metadata& metadata, Problems& problems) : metadata_(metadata), problems_(problems) {}

  void metadata();
  void predictor(const Predictor& predictor);

 private:
  void wrong(std::string_view at, std::string_view part, std::string_view text) {
    if (problems_.size() >= kProblemsMax) return;
    problems_.push_back({part.empty() ? std::string(at) : std::string(at) + "." + std::string(part),
                         std::string(text)});
  }

  std::size_t inputs(const Inputs& inputs, bool missing, std::string_view at) {
    for (const Problem& problem :
         validate(inputs, metadata_.features.size(), missing, std::string(at) + ".inputs"))
      wrong(problem.key, "", problem.text);
    return inputs.width(metadata_.features.size());
  }

  void trees(const std::vector<Tree>& trees, std::size_t columns, std::string_view at);
  void tree(const Tree& tree, std::size_t columns, const std::string& at);
  bool node(const TreeNode& node,
            std::size_t i,
            std::size_t columns,
            std::vector<std::uint32_t>& depths,
            const std::string& at);
  void layers(const Mlp& model, std::string_view at);
  void task_of(Link link, std::string_view at);

  void check(const Trees& model, std::string_view at);
  void check(const Linear& model, std::string_view at);
  void check(const Mlp& model, std::string_view at);
  void check(const KMeans& model, std::string_view at);
  void check(const IsolationForest& model, std::string_view at);
  void check(const Blend& model, std::string_view at);

  const Metadata& metadata_;
  Problems& problems_;
};

void Check::metadata() {
  const std::size_t count = metadata_.features.size();
  if (count == 0 || count > kColumnsMax)
    wrong("metadata.features", "", "must be 1 to 2,047 features");
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string& name = metadata_.features[i].name;
    if (name.empty()) wrong(item("metadata", "features", i), "name", "must not be empty");
    if (!names.insert(name).second)
      wrong(item("metadata", "features", i), "name", "is there twice");
  }
  if (metadata_.facts.size() > kFactsMax) wrong("metadata.facts", "", "must be 4,096 at most");
  names.clear();
  for (std::size_t i = 0; i < metadata_.facts.size(); ++i) {
    if (!names.insert(metadata_.facts[i].first).second)
      wrong(item("metadata", "facts", i), "", "is there twice");
  }
  if (!std::isfinite(metadata_.line)) wrong("metadata.line", "", "must be finite");
}

void Check::predictor(const Predictor& predictor) {
  std::visit(
      [this](const auto& model) {
        check(model, "predictor");
        if constexpr (requires { model.link; }) task_of(model.link, "predictor");
      },
      predictor);
}

bool Check::node(const TreeNode& node,
                 std::size_t i,
                 std::size_t columns,
                 std::vector<std::uint32_t>& depths,
                 const std::string& at) {
  const auto say = [&](std::string_view part, std::string_view text) {
    wrong(item(at, "nodes", i), part, text);
    return false;
  };
  if (!std::isfinite(node.value)) return say("value", "must be finite");
  if (!(node.cover >= 0) || !std::isfinite(node.cover)) return say("cover", "must be 0 or more");
  if (i > 0 && depths[i] == 0) return say("", "is no node's child");
  if (node.leaf()) return true;
  if (node.feature < 0 || static_cast<std::size_t>(node.feature) >= columns)
    return say("feature", "is not one of the columns");
  for (const bool left : {true, false}) {
    const std::size_t child = left ? node.left : node.right;
    const std::string_view part = left ? "left" : "right";
    if (child >= depths.size()) return say(part, "is not a node of the tree");
    if (child <= i) return say(part, "is not after its parent");
    if (depths[child] != 0) return say(part, "is the child of another node too");
    depths[child] = depths[i] + 1;
    if (depths[child] > kDepthMax) return say(part, "is deeper than 512");
  }
  return true;
}

void Check::tree(const Tree& tree, std::size_t columns, const std::string& at) {
  if (tree.nodes.empty() || tree.nodes.size() > kNodesMax)
    return wrong(at, "nodes", "must be 1 to 1,000,000");
  std::vector<std::uint32_t> depths(tree.nodes.size(), 0);  // the root's stays 0: nobody's child
  for (std::size_t i = 0; i < tree.nodes.size(); ++i) {
    if (!node(tree.nodes[i], i, columns, depths, at)) return;  // one a tree says enough
  }
}

void Check::trees(const std::vector<Tree>& trees, std::size_t columns, std::string_view at) {
  if (trees.empty() || trees.size() > kTreesMax) wrong(at, "trees", "must be 1 to 100,000");
  std::size_t nodes = 0;
  for (std::size_t i = 0; i < trees.size() && problems_.size() < kProblemsMax; ++i) {
    tree(trees[i], columns, item(at, "trees", i));
    nodes += trees[i].nodes.size();
  }
  if (nodes > kAllNodesMax) wrong(at, "trees", "hold more than 2^26 nodes");
}

void Check::task_of(Link link, std::string_view at) {
  switch (metadata_.task) {
    case Task::kClassification:
      if (link == Link::kIdentity) wrong(at, "link", "must give a probability for classification");
      break;
    case Task::kRegression:
      if (link != Link::kIdentity) wrong(at, "link", "must be the identity for regression");
      break;
    case Task::kClustering:
    case Task::kAnomaly:
      wrong(at, "", "is not a kind for " + std::string(name(metadata_.task)));
  }
}

void Check::check(const Trees& model, std::string_view at) {
  trees(model.trees, inputs(model.inputs, true, at), at);
  if (!std::isfinite(model.base)) wrong(at, "base", "must be finite");
}

void Check::check(const Linear& model, std::string_view at) {
  if (model.weights.size() != inputs(model.inputs, false, at))
    wrong(at, "weights", "must be one a column");
  if (!finite(model.weights)) wrong(at, "weights", "must be finite");
  if (!std::isfinite(model.intercept)) wrong(at, "intercept", "must be finite");
  if (model.link == Link::kProbability) wrong(at, "link", "is for trees only");
}

void Check::layers(const Mlp& model, std::string_view at) {
  std::size_t columns = inputs(model.inputs, false, at);
  for (std::size_t i = 0; i < model.layers.size(); ++i) {
    const Layer& layer = model.layers[i];
    const std::string where = item(at, "layers", i);
    if (layer.columns != columns)
      wrong(where, "columns", "must be the outputs of the layer before");
    if (layer.rows == 0 || layer.rows > kLayerRowsMax) wrong(where, "rows", "must be 1 to 2,048");
    if (layer.weights.size() != std::size_t{layer.rows} * layer.columns)
      wrong(where, "weights", "must be rows × columns");
    if (layer.bias.size() != layer.rows) wrong(where, "bias", "must be one a row");
    if (!finite(layer.weights)) wrong(where, "weights", "must be finite");
    if (!finite(layer.bias)) wrong(where, "bias", "must be finite");
    columns = layer.rows;
  }
  if (columns != 1) wrong(at, "layers", "must end in one output");
}

void Check::check(const Mlp& model, std::string_view at) {
  if (model.layers.empty() || model.layers.size() > kLayersMax)
    return wrong(at, "layers", "must be 1 to 64");
  layers(model, at);
  if (model.link == Link::kProbability) wrong(at, "link", "is for trees only");
}

void Check::check(const KMeans& model, std::string_view at) {
  const std::size_t columns = inputs(model.inputs, false, at);
  if (model.clusters == 0 || model.clusters > kClustersMax)
    wrong(at, "clusters", "must be 1 to 4,096");
  if (model.centroids.size() != std::size_t{model.clusters} * columns)
    wrong(at, "centroids", "must be clusters × columns");
  if (!finite(model.centroids)) wrong(at, "centroids", "must be finite");
  if (metadata_.task != Task::kClustering) wrong(at, "", "is a kind for clustering only");
}

void Check::check(const IsolationForest& model, std::string_view at) {
  trees(model.trees, inputs(model.inputs, true, at), at);
  for (std::size_t i = 0; i < model.trees.size(); ++i) {
    for (const TreeNode& node : model.trees[i].nodes) {
      if (node.leaf() && node.value < 0)
        return wrong(item(at, "trees", i), "", "has a leaf below 0, which is no path's length");
    }
  }
  if (!(model.expected > 0) || !std::isfinite(model.expected))
    wrong(at, "expected", "must be above 0");
  if (metadata_.task != Task::kAnomaly) wrong(at, "", "is a kind for anomalies only");
}

void Check::check(const Blend& model, std::string_view at) {
  if (model.members.empty() || model.members.size() > kMembersMax)
    wrong(at, "members", "must be 1 to 256");
  for (std::size_t i = 0; i < model.members.size(); ++i) {
    const Blend::Member& member = model.members[i];
    const std::string where = item(at, "members", i);
    if (!std::isfinite(member.weight)) wrong(where, "weight", "must be finite");
    std::visit([&](const auto& part) { check(part, where + ".model"); }, member.model);
  }
  if (!std::isfinite(model.slope)) wrong(at, "slope", "must be finite");
  if (!std::isfinite(model.intercept)) wrong(at, "intercept", "must be finite");
  if (model.link == Link::kProbability) wrong(at, "link", "is for trees only");
}

}  // namespace

Problems validate(const Model& model) {
  Problems problems;
  Check check(model.metadata, problems);
  check.metadata();
  check.predictor(model.predictor);
  return problems;
}

}  // namespace liminal::models
