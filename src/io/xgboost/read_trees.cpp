#include <cmath>
#include <nlohmann/json.hpp>

#include "core/base/math.hpp"
#include "io/xgboost/trainer.hpp"

namespace liminal::xgboost {
namespace {

using nlohmann::json;

constexpr std::size_t kNodesMax = (std::size_t{1} << 20) - 1;

/// One tree as XGBoost lays it out: an array for each property, children by number, −1 for none.
class TreeReader {
 public:
  TreeReader(const json& tree, std::span<const std::uint8_t> indicators)
      : indicators_(indicators),
        left_(tree.at("left_children")),
        right_(tree.at("right_children")),
        columns_(tree.at("split_indices")),
        conditions_(tree.at("split_conditions")),
        defaults_(tree.at("default_left")),
        covers_(tree.at("sum_hessian")) {}

  /// Only what hangs together from the root, numbered anew: a node before its children.
  models::Tree read() {
    models::Tree tree;
    waiting_.assign(1, {0, 0});
    tree.nodes.emplace_back();
    while (!waiting_.empty()) {
      const auto [from, to] = waiting_.back();
      waiting_.pop_back();
      read_node(from, to, tree);
    }
    return tree;
  }

 private:
  struct Step {
    std::size_t from;
    std::uint32_t to;
  };

  void read_node(std::size_t from, std::uint32_t to, models::Tree& tree) {
    models::TreeNode node;
    node.value = conditions_.at(from).get<float>();
    node.cover = covers_.at(from).get<float>();
    int left = left_.at(from).get<int>(), right = right_.at(from).get<int>();
    if (left >= 0 && right >= 0) {
      node.feature = columns_.at(from).get<std::int32_t>();
      node.missing_left = defaults_.at(from).get<int>() != 0;
      const auto column = static_cast<std::size_t>(node.feature);
      if (column < indicators_.size() && indicators_[column] != 0) {
        const int absent = node.missing_left ? left : right;
        const int present = node.value > 1 ? left : right;
        // A node that sends both the same way decides nothing.
        if (absent == present) return read_node(static_cast<std::size_t>(absent), to, tree);
        left = absent;
        right = present;
        node.value = .5F;
        node.missing_left = true;
      }
      // A cycle would never end; a tree has no more nodes than there are places for them.
      if (tree.nodes.size() + 2 > std::min(kNodesMax, left_.size() + 1))
        throw json::other_error::create(0, "more nodes than a tree has", nullptr);
      node.left = static_cast<std::uint32_t>(tree.nodes.size());
      node.right = node.left + 1;
      tree.nodes.emplace_back();
      tree.nodes.emplace_back();
      waiting_.push_back({static_cast<std::size_t>(right), node.right});
      waiting_.push_back({static_cast<std::size_t>(left), node.left});
    }
    tree.nodes[to] = node;
  }

  std::span<const std::uint8_t> indicators_;
  const json &left_, &right_, &columns_, &conditions_, &defaults_, &covers_;
  std::vector<Step> waiting_;
};

/// A number as text, since version 3.1 in a list of one for each output.
double base_score(const json& learner) {
  std::string text = learner.at("learner_model_param").at("base_score").get<std::string>();
  if (!text.starts_with('[')) return std::stod(text);
  if (text.find(',') != std::string::npos)
    throw json::other_error::create(0, "more than one output", nullptr);
  return std::stod(text.substr(1));
}

models::Trees read(const json& document,
                   std::uint32_t rounds,
                   std::span<const std::uint8_t> indicators) {
  const json& learner = document.at("learner");
  const json& model = learner.at("gradient_booster").at("model");
  models::Trees trees;
  const bool logistic = learner.at("objective").at("name").get<std::string>() == "binary:logistic";
  const double base = base_score(learner);
  trees.link = logistic ? models::Link::kLogistic : models::Link::kIdentity;
  trees.base = static_cast<float>(logistic ? log(base / (1 - base)) : base);
  const json& all = model.at("trees");
  const auto parallel = std::max(
      1, std::stoi(model.at("gbtree_model_param").at("num_parallel_tree").get<std::string>()));
  const std::size_t wanted = std::size_t{rounds} * static_cast<std::size_t>(parallel);
  const std::size_t count = rounds == 0 ? all.size() : std::min(all.size(), wanted);
  for (std::size_t i = 0; i < count; ++i)
    trees.trees.push_back(TreeReader(all.at(i), indicators).read());
  return trees;
}

}  // namespace

Result<models::Trees> read_trees(std::string_view ubjson,
                                 std::uint32_t rounds,
                                 std::span<const std::uint8_t> indicators) {
  try {
    return read(json::from_ubjson(ubjson.begin(), ubjson.end()), rounds, indicators);
  } catch (const std::exception&) {  // of the reader, of what is absent, and of numbers as text
    return failure(ErrorCode::kMalformed);
  }
}

}  // namespace liminal::xgboost
