#pragma once

#include <onnx/onnx_pb.h>

#include <string>
#include <vector>

/// Files that `read` leaves to others, for tests.
namespace liminal::onnx::testing {

struct ForeignShape {
  std::int64_t columns = 4;
  std::int64_t rows = 0;  ///< of a call; 0: any
  float weight = 1;       ///< of the first column; the others' are 0
  float bias = 0;
  std::string activation = "Sigmoid";  ///< or "Tanh", "Identity", "Elu", …
};

inline void set_shape(::onnx::ValueInfoProto& port, std::int64_t rows, std::int64_t columns) {
  auto& type = *port.mutable_type()->mutable_tensor_type();
  type.set_elem_type(::onnx::TensorProto::FLOAT);
  auto& first = *type.mutable_shape()->add_dim();
  if (rows > 0) {
    first.set_dim_value(rows);
  } else {
    first.set_dim_param("rows");
  }
  type.mutable_shape()->add_dim()->set_dim_value(columns);
}

inline void add_floats(::onnx::GraphProto& graph,
                       const std::string& name,
                       const std::vector<std::int64_t>& shape,
                       const std::vector<float>& values) {
  ::onnx::TensorProto& tensor = *graph.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(::onnx::TensorProto::FLOAT);
  for (const std::int64_t axis : shape) tensor.add_dims(axis);
  for (const float value : values) tensor.add_float_data(value);
}

inline void add_node(::onnx::GraphProto& graph,
                     const std::string& kind,
                     const std::vector<std::string>& inputs,
                     const std::string& output) {
  ::onnx::NodeProto& node = *graph.add_node();
  node.set_op_type(kind);
  for (const std::string& input : inputs) node.add_input(input);
  node.add_output(output);
}

/// activation(MatMul(x, weights) + bias): sound, but no graph of ours.
inline std::string foreign_file(const ForeignShape& shape = {}) {
  ::onnx::ModelProto file;
  file.set_ir_version(8);
  file.set_producer_name("a test");
  file.add_opset_import()->set_version(17);
  ::onnx::GraphProto& graph = *file.mutable_graph();
  graph.set_name("foreign");
  ::onnx::ValueInfoProto& input = *graph.add_input();
  input.set_name("x");
  set_shape(input, shape.rows, shape.columns);
  ::onnx::ValueInfoProto& output = *graph.add_output();
  output.set_name("y");
  set_shape(output, shape.rows, 1);
  std::vector<float> weights(static_cast<std::size_t>(shape.columns));
  weights[0] = shape.weight;
  add_floats(graph, "weights", {shape.columns, 1}, weights);
  add_floats(graph, "bias", {1}, {shape.bias});
  add_node(graph, "MatMul", {"x", "weights"}, "product");
  add_node(graph, "Add", {"product", "bias"}, "sum");
  add_node(graph, shape.activation, {"sum"}, "y");
  return file.SerializeAsString();
}

}  // namespace liminal::onnx::testing
