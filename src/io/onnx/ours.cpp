#include "io/onnx/ours.hpp"

#include <limits>

#include "io/onnx/ensemble.hpp"
#include "io/onnx/graph.hpp"
#include "io/onnx/names.hpp"

namespace liminal::onnx {
namespace {

using models::Column;
using models::Link;

class InputsReader {
 public:
  InputsReader(const GraphView& graph, const std::string& prefix)
      : graph_(graph), prefix_(prefix) {}

  models::Inputs read() {
    pick();
    const ::onnx::NodeProto* const fill = node(names::kFill);
    const ::onnx::NodeProto* const scale = node(names::kScale);
    if (fill != nullptr) put(floats(*fill, "imputed_value_floats"), &Column::fill);
    if (scale != nullptr) {
      put(floats(*scale, "offset"), &Column::mean);
      put(floats(*scale, "scale"), &Column::scale);
    }
    put(graph_.floats(prefix_ + std::string(names::kLimit)), &Column::limit);
    put(graph_.floats(prefix_ + std::string(names::kLevel)), &Column::level);
    const auto mask = graph_.integers(prefix_ + std::string(names::kIsIndicator));
    for (std::size_t i = 0; i < std::min(mask.size(), inputs_.columns.size()); ++i) {
      if (mask[i] != 0) inputs_.columns[i].kind = Column::Kind::kIndicator;
    }
    return std::move(inputs_);
  }

 private:
  [[nodiscard]] const ::onnx::NodeProto* node(std::string_view name) const {
    return graph_.node(prefix_ + std::string(name));
  }

  void put(std::span<const float> values, float Column::*member) {
    for (std::size_t i = 0; i < std::min(values.size(), inputs_.columns.size()); ++i)
      inputs_.columns[i].*member = values[i];
  }

  void pick() {
    for (std::size_t part = 0; node(names::numbered(names::kPick, part)) != nullptr; ++part) {
      for (const std::int64_t feature :
           graph_.integers(prefix_ + names::numbered(names::kIndexes, part))) {
        Column column;
        // What does not fit is not this graph's number, which the comparison finds.
        column.feature = static_cast<std::uint32_t>(feature);
        inputs_.columns.push_back(column);
      }
      const ::onnx::NodeProto* const encode = node(names::numbered(names::kEncode, part));
      if (encode == nullptr || inputs_.columns.empty()) continue;
      const auto keys = floats(*encode, "keys_floats");
      const auto values = floats(*encode, "values_floats");
      for (std::size_t i = 0; i < std::min(keys.size(), values.size()); ++i)
        inputs_.columns.back().codes.push_back({keys[i], values[i]});
    }
  }

  const GraphView& graph_;
  const std::string& prefix_;
  models::Inputs inputs_;
};

class OursReader {
 public:
  explicit OursReader(const ::onnx::GraphProto& graph) : graph_(graph) {}

  Read<models::Predictor> read(models::Task task) const;

 private:
  using Member = std::variant<models::Trees, models::Linear, models::Mlp>;

  [[nodiscard]] const ::onnx::NodeProto* node(const std::string& prefix,
                                              std::string_view name) const {
    return graph_.node(prefix + std::string(name));
  }

  [[nodiscard]] float single(std::string_view name) const {
    const std::vector<float> values = graph_.floats(name);
    return values.size() == 1 ? values.front() : models::kMissing;
  }

  [[nodiscard]] models::Inputs inputs(const std::string& prefix) const {
    return InputsReader(graph_, prefix).read();
  }

  [[nodiscard]] Read<models::Trees> trees(const std::string& prefix) const;
  [[nodiscard]] models::Linear linear(const std::string& prefix) const;
  [[nodiscard]] models::Mlp mlp(const std::string& prefix) const;
  [[nodiscard]] models::KMeans kmeans() const;
  [[nodiscard]] Read<Member> member(const std::string& prefix) const;
  [[nodiscard]] Read<models::Blend> blend() const;

  GraphView graph_;
};

Read<models::Trees> OursReader::trees(const std::string& prefix) const {
  const ::onnx::NodeProto& from = *node(prefix, names::kTrees);
  Read<Ensemble> ensemble = read_ensemble(from, "target");
  if (!ensemble) return tl::unexpected(ensemble.error());
  for (const Ensemble::Leaf& leaf : ensemble->leaves)
    ensemble->trees[leaf.tree].nodes[leaf.node].value = leaf.weight;
  models::Trees made;
  made.inputs = inputs(prefix);
  made.trees = std::move(ensemble->trees);
  made.mean = text(from, "aggregate_function", "") == "AVERAGE";
  const auto base = floats(from, "base_values");
  made.base = base.size() == 1 ? base.front() : models::kMissing;
  return made;
}

models::Linear OursReader::linear(const std::string& prefix) const {
  const ::onnx::NodeProto& from = *node(prefix, names::kLinear);
  const auto weights = floats(from, "coefficients");
  const auto intercept = floats(from, "intercepts");
  models::Linear made;
  made.inputs = inputs(prefix);
  made.weights.assign(weights.begin(), weights.end());
  made.intercept = intercept.size() == 1 ? intercept.front() : models::kMissing;
  return made;
}

models::Activation activation(const ::onnx::NodeProto* node) {
  if (node == nullptr) return models::Activation::kIdentity;
  if (node->op_type() == "Tanh") return models::Activation::kTanh;
  if (node->op_type() == "Sigmoid") return models::Activation::kLogistic;
  return models::Activation::kRelu;
}

models::Mlp OursReader::mlp(const std::string& prefix) const {
  models::Mlp made;
  made.inputs = inputs(prefix);
  for (std::size_t i = 0; node(prefix, names::numbered(names::kLayer, i)) != nullptr; ++i) {
    models::Layer layer;
    layer.weights = graph_.floats(prefix + names::numbered(names::kWeights, i));
    layer.bias = graph_.floats(prefix + names::numbered(names::kBias, i));
    layer.rows = static_cast<std::uint32_t>(layer.bias.size());
    if (layer.rows > 0)
      layer.columns = static_cast<std::uint32_t>(layer.weights.size() / layer.rows);
    layer.activation = activation(node(prefix, names::numbered(names::kActivation, i)));
    made.layers.push_back(std::move(layer));
  }
  return made;
}

models::KMeans OursReader::kmeans() const {
  models::KMeans made;
  made.inputs = inputs("");
  made.centroids = graph_.floats(names::kCentroids);
  made.clusters = static_cast<std::uint32_t>(graph_.shape(names::kCentroids, 1));
  return made;
}

Read<OursReader::Member> OursReader::member(const std::string& prefix) const {
  if (node(prefix, names::kTrees) != nullptr) {
    Read<models::Trees> made = trees(prefix);
    if (!made) return tl::unexpected(made.error());
    if (node(prefix, names::kLogit) != nullptr) made->link = Link::kProbability;
    return *std::move(made);
  }
  if (node(prefix, names::kLinear) != nullptr) return linear(prefix);
  return mlp(prefix);
}

Read<models::Blend> OursReader::blend() const {
  models::Blend made;
  const std::vector<float> weights = graph_.floats(names::kMemberWeights);
  if (weights.size() > models::kMembersMax) return broken("a blend of more than 256 members");
  for (std::size_t i = 0; i < weights.size(); ++i) {
    Read<Member> part = member(names::member_prefix(i));
    if (!part) return tl::unexpected(part.error());
    made.members.push_back({weights[i], *std::move(part)});
  }
  made.slope = single(names::kSlope);
  made.intercept = single(names::kIntercept);
  return made;
}

Read<models::Predictor> OursReader::read(models::Task task) const {
  if (task == models::Task::kClustering) return kmeans();
  const auto linked = [&](auto model, Link otherwise) -> models::Predictor {
    model.link = task == models::Task::kRegression          ? Link::kIdentity
                 : graph_.node(names::kLogistic) != nullptr ? Link::kLogistic
                                                            : otherwise;
    return model;
  };
  if (!graph_.floats(names::kMemberWeights).empty()) {
    Read<models::Blend> made = blend();
    if (!made) return tl::unexpected(made.error());
    return linked(*std::move(made), Link::kLogistic);
  }
  if (node("", names::kTrees) == nullptr) {
    if (task == models::Task::kAnomaly) return broken("it has no trees");
    if (node("", names::kLinear) != nullptr) return linked(linear(""), Link::kLogistic);
    return linked(mlp(""), Link::kLogistic);
  }
  Read<models::Trees> made = trees("");
  if (!made) return tl::unexpected(made.error());
  if (task != models::Task::kAnomaly) return linked(*std::move(made), Link::kProbability);
  return models::IsolationForest{
      std::move(made->inputs), std::move(made->trees), single(names::kExpected)};
}

}  // namespace

Read<models::Model> read_ours(const ::onnx::GraphProto& graph, models::Metadata metadata) {
  Read<models::Predictor> predictor = OursReader(graph).read(metadata.task);
  if (!predictor) return tl::unexpected(predictor.error());
  return models::Model{std::move(metadata), *std::move(predictor)};
}

}  // namespace liminal::onnx
