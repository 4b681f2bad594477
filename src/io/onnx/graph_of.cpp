#include "io/onnx/graph_of.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "io/onnx/ensemble.hpp"
#include "io/onnx/graph.hpp"
#include "io/onnx/names.hpp"

namespace liminal::onnx {
namespace {

using models::Column;
using models::Link;
using Type = ::onnx::TensorProto;

std::int64_t count(const auto& list) { return static_cast<std::int64_t>(list.size()); }

/// Adds the nodes that turn features into columns. Steps that change nothing are left out.
class InputsGraph {
 public:
  InputsGraph(GraphWriter& graph, const models::Inputs& inputs, std::string prefix)
      : graph_(graph), columns_(inputs.columns), prefix_(std::move(prefix)) {}

  /// Returns what holds the columns.
  std::string write() {
    if (columns_.empty()) return std::string(names::kFeatures);
    return indicators(limit(scale(fill(pick(finite())))));
  }

 private:
  [[nodiscard]] std::string named(std::string_view name) const {
    return prefix_ + std::string(name);
  }

  template <class Value>
  [[nodiscard]] auto each(Value value) const {
    std::vector<decltype(value(columns_.front()))> values;
    values.reserve(columns_.size());
    for (const Column& column : columns_) values.push_back(value(column));
    return values;
  }

  [[nodiscard]] bool any(auto condition) const {
    return std::any_of(columns_.begin(), columns_.end(), condition);
  }

  /// x + (x − x): NaN where x is infinite, else x.
  std::string finite() {
    const std::string features(names::kFeatures);
    graph_.node("Sub", named("zero"), {features, features});
    const std::string name = named(names::kFinite);
    graph_.node("Add", name, {features, named("zero")});
    return name;
  }

  /// Columns with codes each, others by runs.
  std::string pick(const std::string& from) {
    std::vector<std::string> parts;
    for (std::size_t i = 0; i < columns_.size();) {
      const std::size_t number = parts.size();
      std::vector<std::int64_t> features{columns_[i].feature};
      const Column& first = columns_[i++];
      while (first.codes.empty() && i < columns_.size() && columns_[i].codes.empty())
        features.push_back(columns_[i++].feature);
      const std::string index =
          graph_.integers(named(names::numbered(names::kIndexes, number)), features);
      std::string part = named(names::numbered(names::kPick, number));
      set(graph_.node("Gather", part, {from, index}), "axis", std::int64_t{1});
      if (!first.codes.empty()) part = encode(first, part, number);
      parts.push_back(std::move(part));
    }
    if (parts.size() == 1) return parts.front();
    const std::string name = named(names::kPicked);
    set(graph_.node("Concat", name, parts), "axis", std::int64_t{1});
    return name;
  }

  std::string encode(const Column& column, const std::string& from, std::size_t number) {
    std::vector<float> keys;
    std::vector<float> values;
    for (const models::Code& code : column.codes) {
      keys.push_back(code.level);
      values.push_back(code.value);
    }
    const std::string name = named(names::numbered(names::kEncode, number));
    ::onnx::NodeProto& node = graph_.node("LabelEncoder", name, {from}, kMlDomain);
    set(node, "keys_floats", keys);
    set(node, "values_floats", values);
    set(node, "default_float", models::kMissing);
    return name;
  }

  std::string fill(const std::string& from) {
    if (!any([](const Column& column) { return !std::isnan(column.fill); })) return from;
    const std::string name = named(names::kFill);
    ::onnx::NodeProto& node = graph_.node("Imputer", name, {from}, kMlDomain);
    set(node, "imputed_value_floats", each([](const Column& column) { return column.fill; }));
    set(node, "replaced_value_float", models::kMissing);
    return name;
  }

  std::string scale(const std::string& from) {
    if (!any([](const Column& column) { return column.mean != 0 || column.scale != 1; }))
      return from;
    const std::string name = named(names::kScale);
    ::onnx::NodeProto& node = graph_.node("Scaler", name, {from}, kMlDomain);
    set(node, "offset", each([](const Column& column) { return column.mean; }));
    set(node, "scale", each([](const Column& column) { return column.scale; }));
    return name;
  }

  std::string limit(const std::string& from) {
    if (!any([](const Column& column) { return std::isfinite(column.limit); })) return from;
    const auto limits = each([](const Column& column) { return column.limit; });
    const auto lower = each([](const Column& column) { return -column.limit; });
    const std::string high = graph_.floats(named(names::kLimit), limits, {count(limits)});
    const std::string low = graph_.floats(named("lower_limit"), lower, {count(lower)});
    graph_.node("Min", named("below_limit"), {from, high});
    graph_.node("Max", named("within_limit"), {named("below_limit"), low});
    return named("within_limit");
  }

  /// A column that is an indicator is 1 where the feature is the level.
  std::string indicators(const std::string& numbers) {
    const auto is_one = [](const Column& column) {
      return column.kind == Column::Kind::kIndicator;
    };
    if (!any(is_one)) return numbers;
    const auto levels = each([](const Column& column) { return column.level; });
    std::vector<std::int64_t> features;
    for (const Column& column : columns_) features.push_back(column.feature);
    const std::string index = graph_.integers(named("indicator_index"), features);
    set(graph_.node("Gather", named("indicated"), {std::string(names::kFeatures), index}),
        "axis",
        std::int64_t{1});
    const std::string level = graph_.floats(named(names::kLevel), levels, {count(levels)});
    graph_.node("Equal", named("at_level"), {named("indicated"), level});
    set(graph_.node("Cast", named("indicator"), {named("at_level")}),
        "to",
        std::int64_t{Type::FLOAT});
    const std::string mask = flags(is_one);
    graph_.node("Where", named("columns"), {mask, named("indicator"), numbers});
    return named("columns");
  }

  std::string flags(auto condition) {
    const auto mask = std::make_unique<bool[]>(columns_.size());
    std::transform(columns_.begin(), columns_.end(), mask.get(), condition);
    return graph_.flags(named(names::kIsIndicator), {mask.get(), columns_.size()});
  }

  GraphWriter& graph_;
  const std::vector<Column>& columns_;
  std::string prefix_;
};

class ModelGraph {
 public:
  ModelGraph(const models::Model& model, ::onnx::GraphProto& graph)
      : graph_(graph), metadata_(model.metadata) {
    graph.set_name("liminal");
    graph_.input(names::kFeatures, count(metadata_.features));
    std::visit([this](const auto& predictor) { write(predictor); }, model.predictor);
  }

 private:
  std::string trees(const std::vector<models::Tree>& trees,
                    bool mean,
                    float base,
                    const std::string& columns,
                    const std::string& prefix) {
    const std::string name = prefix + std::string(names::kTrees);
    ::onnx::NodeProto& node = graph_.node("TreeEnsembleRegressor", name, {columns}, kMlDomain);
    set(node, "n_targets", std::int64_t{1});
    set(node, "aggregate_function", mean ? "AVERAGE" : "SUM");
    set(node, "post_transform", "NONE");
    set(node, "base_values", std::array{base});
    set_trees(node, trees);
    return name;
  }

  std::string columns(const models::Inputs& inputs, const std::string& prefix) {
    return InputsGraph(graph_, inputs, prefix).write();
  }

  /// What comes before the link, rows × 1.
  std::string computed(const models::Trees& model, const std::string& prefix) {
    return trees(model.trees, model.mean, model.base, columns(model.inputs, prefix), prefix);
  }

  std::string computed(const models::Linear& model, const std::string& prefix) {
    const std::string from = columns(model.inputs, prefix);
    const std::string name = prefix + std::string(names::kLinear);
    ::onnx::NodeProto& node = graph_.node("LinearRegressor", name, {from}, kMlDomain);
    set(node, "targets", std::int64_t{1});
    set(node, "post_transform", "NONE");
    set(node, "coefficients", model.weights);
    set(node, "intercepts", std::array{model.intercept});
    return name;
  }

  std::string computed(const models::Mlp& model, const std::string& prefix) {
    std::string from = columns(model.inputs, prefix);
    for (std::size_t i = 0; i < model.layers.size(); ++i) {
      const models::Layer& layer = model.layers[i];
      const auto named = [&](std::string_view name) { return prefix + names::numbered(name, i); };
      const std::string weights =
          graph_.floats(named(names::kWeights), layer.weights, {layer.rows, layer.columns});
      const std::string bias = graph_.floats(named(names::kBias), layer.bias, {layer.rows});
      set(graph_.node("Gemm", named(names::kLayer), {from, weights, bias}),
          "transB",
          std::int64_t{1});
      from = named(names::kLayer);
      const std::string_view op = activation(layer.activation);
      if (op.empty()) continue;
      graph_.node(op, named(names::kActivation), {from});
      from = named(names::kActivation);
    }
    return from;
  }

  static std::string_view activation(models::Activation activation) {
    switch (activation) {
      case models::Activation::kIdentity:
        break;
      case models::Activation::kRelu:
        return "Relu";
      case models::Activation::kTanh:
        return "Tanh";
      case models::Activation::kLogistic:
        return "Sigmoid";
    }
    return {};
  }

  /// A probability's clipped logit, in double: in float 1 − p would lose half its digits.
  std::string logit(const std::string& probability, const std::string& prefix) {
    const auto named = [&](std::string_view name) { return prefix + std::string(name); };
    constexpr auto kLow = static_cast<double>(models::kProbabilityMin);
    set(graph_.node("Cast", named("probability"), {probability}), "to", std::int64_t{Type::DOUBLE});
    const std::string low = graph_.doubles(named("lowest"), std::array{kLow});
    const std::string high = graph_.doubles(named("highest"), std::array{1 - kLow});
    const std::string one = graph_.doubles(named("one"), std::array{1.});
    graph_.node("Clip", named("clipped"), {named("probability"), low, high});
    graph_.node("Sub", named("counter_probability"), {one, named("clipped")});
    graph_.node("Div", named("odds"), {named("clipped"), named("counter_probability")});
    graph_.node("Log", named("log_odds"), {named("odds")});
    set(graph_.node("Cast", named(names::kLogit), {named("log_odds")}),
        "to",
        std::int64_t{Type::FLOAT});
    return named(names::kLogit);
  }

  std::string computed(const models::Blend& model, const std::string&) {
    std::vector<std::string> margins;
    std::vector<float> weights;
    for (std::size_t i = 0; i < model.members.size(); ++i) {
      const std::string prefix = names::member_prefix(i);
      weights.push_back(model.members[i].weight);
      margins.push_back(std::visit([&](const auto& part) { return computed(part, prefix); },
                                   model.members[i].model));
      const auto* const trees = std::get_if<models::Trees>(&model.members[i].model);
      if (trees != nullptr && trees->link == Link::kProbability)
        margins.back() = logit(margins.back(), prefix);
    }
    set(graph_.node("Concat", "margins", margins), "axis", std::int64_t{1});
    const std::string by = graph_.floats(names::kMemberWeights, weights, {count(weights), 1});
    const std::string slope = graph_.floats(names::kSlope, std::array{model.slope}, {1});
    const std::string intercept =
        graph_.floats(names::kIntercept, std::array{model.intercept}, {1});
    graph_.node("MatMul", "mean_margin", {"margins", by});
    graph_.node("Mul", "sloped_margin", {"mean_margin", slope});
    graph_.node("Add", "margin", {"sloped_margin", intercept});
    return "margin";
  }

  /// Trees, linear models, networks and blends.
  template <class Linked>
  void write(const Linked& model) {
    const std::string from = computed(model, "");
    if (metadata_.task == models::Task::kRegression) {
      graph_.node("Identity", names::kValue, {from});
      graph_.output(names::kValue, Type::FLOAT, 1);
      return;
    }
    if (model.link == Link::kLogistic) {
      graph_.node("Sigmoid", names::kLogistic, {from});
      return classes(std::string(names::kLogistic));
    }
    const std::string zero = graph_.floats("never", std::array{0.F}, {});
    const std::string one = graph_.floats("always", std::array{1.F}, {});
    graph_.node("Clip", "probability", {from, zero, one});
    classes("probability");
  }

  void classes(const std::string& probability) {
    const std::string one = graph_.floats("one", std::array{1.F}, {1});
    graph_.node("Sub", "counter_probability", {one, probability});
    set(graph_.node("Concat", names::kProbabilities, {"counter_probability", probability}),
        "axis",
        std::int64_t{1});
    const std::string line = graph_.floats("line", std::array{metadata_.line}, {1});
    graph_.node("GreaterOrEqual", "is_second", {probability, line});
    const std::string axis = graph_.integers("column_axis", std::array{std::int64_t{1}});
    graph_.node("Squeeze", "is_second_flat", {"is_second", axis});
    set(graph_.node("Cast", names::kLabel, {"is_second_flat"}), "to", std::int64_t{Type::INT64});
    graph_.output(names::kLabel, Type::INT64, 0);
    graph_.output(names::kProbabilities, Type::FLOAT, 2);
  }

  void write(const models::KMeans& model) {
    const std::string from = columns(model.inputs, "");
    const auto width = count(model.centroids) / static_cast<std::int64_t>(model.clusters);
    const std::string middle = graph_.integers("middle_axis", std::array{std::int64_t{1}});
    const std::string last = graph_.integers("last_axis", std::array{std::int64_t{2}});
    const std::string centroids =
        graph_.floats(names::kCentroids, model.centroids, {1, model.clusters, width});
    graph_.node("Unsqueeze", "unsqueezed", {from, middle});
    graph_.node("Sub", "away", {"unsqueezed", centroids});
    graph_.node("Mul", "away_squared", {"away", "away"});
    set(graph_.node("ReduceSum", "distances_squared", {"away_squared", last}),
        "keepdims",
        std::int64_t{0});
    graph_.node("Sqrt", "distances", {"distances_squared"});
    ::onnx::NodeProto& nearest = graph_.node("ArgMin", names::kCluster, {"distances"});
    set(nearest, "axis", std::int64_t{1});
    set(nearest, "keepdims", std::int64_t{0});
    set(graph_.node("ReduceMin", names::kDistance, {"distances"}),
        "axes",
        std::array{std::int64_t{1}});
    graph_.output(names::kCluster, Type::INT64, 0);
    graph_.output(names::kDistance, Type::FLOAT, 1);
  }

  void write(const models::IsolationForest& model) {
    const std::string from = trees(model.trees, true, 0, columns(model.inputs, ""), "");
    const std::string expected = graph_.floats(names::kExpected, std::array{model.expected}, {1});
    const std::string two = graph_.floats("two", std::array{2.F}, {1});
    graph_.node("Div", "relative_path", {from, expected});
    graph_.node("Neg", "margin", {"relative_path"});
    graph_.node("Pow", names::kScore, {two, "margin"});
    graph_.output(names::kScore, Type::FLOAT, 1);
  }

  GraphWriter graph_;
  const models::Metadata& metadata_;
};

}  // namespace

::onnx::GraphProto graph_of(const models::Model& model) {
  ::onnx::GraphProto graph;
  ModelGraph(model, graph);
  return graph;
}

}  // namespace liminal::onnx
