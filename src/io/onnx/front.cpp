#include "io/onnx/front.hpp"

#include <algorithm>
#include <set>

#include "core/base/check.hpp"
#include "io/onnx/graph.hpp"
#include "io/onnx/parse.hpp"

namespace liminal::onnx {
namespace {

constexpr std::string_view kPrefix = "liminal.front/";
constexpr std::int64_t kOperatorsMin = 9;

std::string named(std::string_view name) { return std::string(kPrefix) + std::string(name); }

/// Files of before IR 4 name their constants among the inputs.
Read<::onnx::ValueInfoProto*> input_of(::onnx::GraphProto& graph) {
  std::set<std::string_view> constants;
  for (const ::onnx::TensorProto& constant : graph.initializer()) constants.insert(constant.name());
  ::onnx::ValueInfoProto* found = nullptr;
  for (::onnx::ValueInfoProto& input : *graph.mutable_input()) {
    if (constants.contains(input.name())) continue;
    if (found != nullptr) return unsupported("models of several inputs");
    found = &input;
  }
  if (found == nullptr) return unsupported("models without an input");
  return found;
}

Read<void> check_input(const ::onnx::ValueInfoProto& input, std::size_t columns) {
  const ::onnx::TypeProto::Tensor& tensor = input.type().tensor_type();
  if (tensor.elem_type() != ::onnx::TensorProto::FLOAT || tensor.shape().dim_size() != 2)
    return unsupported("input " + input.name() + " is not of floats, calls × values");
  if (tensor.shape().dim(1).dim_value() != static_cast<std::int64_t>(columns))
    return unsupported("input " + input.name() + " takes " +
                       std::to_string(tensor.shape().dim(1).dim_value()) + " values, not " +
                       std::to_string(columns));
  return {};
}

Read<void> check_operators(const ::onnx::ModelProto& file) {
  for (const ::onnx::OperatorSetIdProto& set : file.opset_import())
    if (set.domain().empty() && set.version() >= kOperatorsMin) return {};
  return unsupported("operators of before ONNX 9");
}

bool has_front(const ::onnx::GraphProto& graph) {
  return std::any_of(graph.node().begin(), graph.node().end(), [](const auto& node) {
    return std::string_view(node.name()).starts_with(kPrefix);
  });
}

/// Where the input was taken, in the graph and in the graphs within it, the front's end is.
void rename(::onnx::GraphProto& graph, const std::string& from, const std::string& to) {
  for (::onnx::NodeProto& node : *graph.mutable_node()) {
    for (std::string& input : *node.mutable_input())
      if (input == from) input = to;
    for (::onnx::AttributeProto& attribute : *node.mutable_attribute()) {
      if (attribute.has_g()) rename(*attribute.mutable_g(), from, to);
      for (::onnx::GraphProto& inner : *attribute.mutable_graphs()) rename(inner, from, to);
    }
  }
}

bool is_all(const Front& front) {
  for (std::size_t i = 0; i < front.columns.size(); ++i)
    if (front.columns[i] != static_cast<std::int64_t>(i)) return false;
  return front.columns.size() == front.features;
}

/// Adds the front's nodes behind the others; what they compute is "scaled".
void add_front(::onnx::GraphProto& graph, const std::string& input, const Front& front) {
  GraphWriter out(graph);
  const auto width = static_cast<std::int64_t>(front.columns.size());
  std::string picked = input;
  if (!is_all(front)) {
    picked = named("picked");
    const std::string columns = out.integers(named("columns"), front.columns);
    set(out.node("Gather", picked, {input, columns}), "axis", std::int64_t{1});
  }
  const std::string mean = out.floats(named("mean"), front.mean, {1, width});
  const std::string deviation = out.floats(named("deviation"), front.deviation, {1, width});
  // x − x is NaN where x is NaN or infinite.
  out.node("Sub", named("nothing"), {picked, picked});
  out.node("IsNaN", named("missing"), {named("nothing")});
  out.node("Where", named("filled"), {named("missing"), mean, picked});
  out.node("Sub", named("centred"), {named("filled"), mean});
  out.node("Div", named("scaled"), {named("centred"), deviation});
}

}  // namespace

Read<std::string> with_front(std::string_view bytes, const Front& front) {
  LIMINAL_CHECK(front.mean.size() == front.columns.size() &&
                front.deviation.size() == front.columns.size());
  Read<::onnx::ModelProto> file = parse(bytes);
  if (!file) return tl::unexpected(file.error());
  ::onnx::GraphProto& graph = *file->mutable_graph();
  if (auto fit = check_operators(*file); !fit) return tl::unexpected(fit.error());
  if (has_front(graph)) return unsupported("models that have a front already");
  const auto input = input_of(graph);
  if (!input) return tl::unexpected(input.error());
  if (auto fit = check_input(**input, front.columns.size()); !fit)
    return tl::unexpected(fit.error());
  const std::string name = (*input)->name();
  (*input)->mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim(1)->set_dim_value(
      static_cast<std::int64_t>(front.features));
  rename(graph, name, named("scaled"));
  const int nodes = graph.node_size();
  add_front(graph, name, front);
  // A graph's nodes stand in the order in which they can be computed.
  std::rotate(graph.mutable_node()->begin(),
              graph.mutable_node()->begin() + nodes,
              graph.mutable_node()->end());
  return file->SerializeAsString();
}

}  // namespace liminal::onnx
