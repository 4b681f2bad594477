#include "io/onnx/graph.hpp"

namespace liminal::onnx {
namespace {

::onnx::AttributeProto& add(::onnx::NodeProto& node,
                            std::string_view name,
                            ::onnx::AttributeProto::AttributeType type) {
  ::onnx::AttributeProto& made = *node.add_attribute();
  made.set_name(std::string(name));
  made.set_type(type);
  return made;
}

/// The rows' number is left open.
void set_shape(::onnx::ValueInfoProto& value,
               ::onnx::TensorProto::DataType type,
               std::int64_t columns) {
  ::onnx::TypeProto::Tensor& tensor = *value.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(type);
  tensor.mutable_shape()->add_dim()->set_dim_param("rows");
  if (columns > 0) tensor.mutable_shape()->add_dim()->set_dim_value(columns);
}

}  // namespace

::onnx::NodeProto& GraphWriter::node(std::string_view op,
                                     std::string_view name,
                                     const std::vector<std::string>& inputs,
                                     std::string_view domain) {
  ::onnx::NodeProto& made = *graph_.add_node();
  made.set_op_type(std::string(op));
  made.set_name(std::string(name));
  for (const std::string& input : inputs) made.add_input(input);
  made.add_output(std::string(name));
  if (!domain.empty()) made.set_domain(std::string(domain));
  return made;
}

::onnx::TensorProto& GraphWriter::constant(std::string_view name,
                                           ::onnx::TensorProto::DataType type,
                                           std::vector<std::int64_t> shape) {
  ::onnx::TensorProto& made = *graph_.add_initializer();
  made.set_name(std::string(name));
  made.set_data_type(type);
  for (const std::int64_t size : shape) made.add_dims(size);
  return made;
}

std::string GraphWriter::floats(std::string_view name,
                                std::span<const float> values,
                                std::vector<std::int64_t> shape) {
  ::onnx::TensorProto& made = constant(name, ::onnx::TensorProto::FLOAT, std::move(shape));
  made.mutable_float_data()->Add(values.begin(), values.end());
  return std::string(name);
}

std::string GraphWriter::doubles(std::string_view name, std::span<const double> values) {
  ::onnx::TensorProto& made = constant(name, ::onnx::TensorProto::DOUBLE, {});
  made.mutable_double_data()->Add(values.begin(), values.end());
  return std::string(name);
}

std::string GraphWriter::integers(std::string_view name, std::span<const std::int64_t> values) {
  ::onnx::TensorProto& made =
      constant(name, ::onnx::TensorProto::INT64, {static_cast<std::int64_t>(values.size())});
  made.mutable_int64_data()->Add(values.begin(), values.end());
  return std::string(name);
}

std::string GraphWriter::flags(std::string_view name, std::span<const bool> values) {
  ::onnx::TensorProto& made =
      constant(name, ::onnx::TensorProto::BOOL, {static_cast<std::int64_t>(values.size())});
  for (const bool value : values) made.add_int32_data(value ? 1 : 0);
  return std::string(name);
}

void GraphWriter::output(std::string_view name,
                         ::onnx::TensorProto::DataType type,
                         std::int64_t columns) {
  ::onnx::ValueInfoProto& made = *graph_.add_output();
  made.set_name(std::string(name));
  set_shape(made, type, columns);
}

void GraphWriter::input(std::string_view name, std::int64_t columns) {
  ::onnx::ValueInfoProto& made = *graph_.add_input();
  made.set_name(std::string(name));
  set_shape(made, ::onnx::TensorProto::FLOAT, columns);
}

void set(::onnx::NodeProto& node, std::string_view name, std::int64_t value) {
  add(node, name, ::onnx::AttributeProto::INT).set_i(value);
}

void set(::onnx::NodeProto& node, std::string_view name, float value) {
  add(node, name, ::onnx::AttributeProto::FLOAT).set_f(value);
}

void set(::onnx::NodeProto& node, std::string_view name, std::string_view value) {
  add(node, name, ::onnx::AttributeProto::STRING).set_s(std::string(value));
}

void set(::onnx::NodeProto& node, std::string_view name, std::span<const float> values) {
  add(node, name, ::onnx::AttributeProto::FLOATS)
      .mutable_floats()
      ->Add(values.begin(), values.end());
}

void set(::onnx::NodeProto& node, std::string_view name, std::span<const std::int64_t> values) {
  add(node, name, ::onnx::AttributeProto::INTS).mutable_ints()->Add(values.begin(), values.end());
}

void set(::onnx::NodeProto& node, std::string_view name, const std::vector<std::string>& values) {
  ::onnx::AttributeProto& made = add(node, name, ::onnx::AttributeProto::STRINGS);
  for (const std::string& value : values) made.add_strings(value);
}

GraphView::GraphView(const ::onnx::GraphProto& graph) {
  for (const ::onnx::NodeProto& node : graph.node()) nodes_.emplace(node.name(), &node);
  for (const ::onnx::TensorProto& constant : graph.initializer())
    constants_.emplace(constant.name(), &constant);
}

const ::onnx::NodeProto* GraphView::node(std::string_view name) const {
  const auto found = nodes_.find(name);
  return found == nodes_.end() ? nullptr : found->second;
}

std::vector<float> GraphView::floats(std::string_view name) const {
  const auto found = constants_.find(name);
  if (found == constants_.end()) return {};
  return {found->second->float_data().begin(), found->second->float_data().end()};
}

std::vector<std::int64_t> GraphView::integers(std::string_view name) const {
  const auto found = constants_.find(name);
  if (found == constants_.end()) return {};
  const ::onnx::TensorProto& constant = *found->second;
  if (constant.data_type() == ::onnx::TensorProto::BOOL)
    return {constant.int32_data().begin(), constant.int32_data().end()};
  return {constant.int64_data().begin(), constant.int64_data().end()};
}

std::int64_t GraphView::shape(std::string_view name, int axis) const {
  const auto found = constants_.find(name);
  if (found == constants_.end() || found->second->dims_size() <= axis) return 0;
  return found->second->dims(axis);
}

const ::onnx::AttributeProto* attribute(const ::onnx::NodeProto& node, std::string_view name) {
  for (const ::onnx::AttributeProto& found : node.attribute()) {
    if (found.name() == name) return &found;
  }
  return nullptr;
}

std::span<const float> floats(const ::onnx::NodeProto& node, std::string_view name) {
  const ::onnx::AttributeProto* const found = attribute(node, name);
  if (found == nullptr) return {};
  return {found->floats().data(), static_cast<std::size_t>(found->floats_size())};
}

std::span<const std::int64_t> integers(const ::onnx::NodeProto& node, std::string_view name) {
  const ::onnx::AttributeProto* const found = attribute(node, name);
  if (found == nullptr) return {};
  return {found->ints().data(), static_cast<std::size_t>(found->ints_size())};
}

std::string_view text(const ::onnx::NodeProto& node,
                      std::string_view name,
                      std::string_view otherwise) {
  const ::onnx::AttributeProto* const found = attribute(node, name);
  return found == nullptr ? otherwise : std::string_view(found->s());
}

std::int64_t integer(const ::onnx::NodeProto& node, std::string_view name, std::int64_t otherwise) {
  const ::onnx::AttributeProto* const found = attribute(node, name);
  return found == nullptr ? otherwise : found->i();
}

float real(const ::onnx::NodeProto& node, std::string_view name, float otherwise) {
  const ::onnx::AttributeProto* const found = attribute(node, name);
  return found == nullptr ? otherwise : found->f();
}

}  // namespace liminal::onnx
