#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace liminal::onnx {

inline constexpr std::string_view kMlDomain = "ai.onnx.ml";

/// Adds nodes and constants to a graph. A node is called as its first output.
class GraphWriter {
 public:
  explicit GraphWriter(::onnx::GraphProto& graph) : graph_(graph) {}

  /// Returned so that attributes can be set; valid until the next call.
  ::onnx::NodeProto& node(std::string_view op,
                          std::string_view name,
                          const std::vector<std::string>& inputs,
                          std::string_view domain = {});

  /// Constants; each returns its name.
  std::string floats(std::string_view name,
                     std::span<const float> values,
                     std::vector<std::int64_t> shape);
  std::string doubles(std::string_view name, std::span<const double> values);
  std::string integers(std::string_view name, std::span<const std::int64_t> values);
  std::string flags(std::string_view name, std::span<const bool> values);

  /// The graph's output; `columns` 0: one value a row.
  void output(std::string_view name, ::onnx::TensorProto::DataType type, std::int64_t columns);
  void input(std::string_view name, std::int64_t columns);

 private:
  ::onnx::TensorProto& constant(std::string_view name,
                                ::onnx::TensorProto::DataType type,
                                std::vector<std::int64_t> shape);

  ::onnx::GraphProto& graph_;
};

void set(::onnx::NodeProto& node, std::string_view name, std::int64_t value);
void set(::onnx::NodeProto& node, std::string_view name, float value);
void set(::onnx::NodeProto& node, std::string_view name, std::string_view value);
void set(::onnx::NodeProto& node, std::string_view name, std::span<const float> values);
void set(::onnx::NodeProto& node, std::string_view name, std::span<const std::int64_t> values);
void set(::onnx::NodeProto& node, std::string_view name, const std::vector<std::string>& values);

/// Finds a graph's nodes and constants by name. What is absent, or of another type, is empty.
class GraphView {
 public:
  explicit GraphView(const ::onnx::GraphProto& graph);

  [[nodiscard]] const ::onnx::NodeProto* node(std::string_view name) const;
  [[nodiscard]] std::vector<float> floats(std::string_view name) const;
  [[nodiscard]] std::vector<std::int64_t> integers(std::string_view name) const;
  /// A constant's size along an axis; 0 when there is none.
  [[nodiscard]] std::int64_t shape(std::string_view name, int axis) const;

 private:
  std::map<std::string_view, const ::onnx::NodeProto*> nodes_;
  std::map<std::string_view, const ::onnx::TensorProto*> constants_;
};

/// A node's attributes. What is absent, or of another type, is empty or `otherwise`.
[[nodiscard]] const ::onnx::AttributeProto* attribute(const ::onnx::NodeProto& node,
                                                      std::string_view name);
[[nodiscard]] std::span<const float> floats(const ::onnx::NodeProto& node, std::string_view name);
[[nodiscard]] std::span<const std::int64_t> integers(const ::onnx::NodeProto& node,
                                                     std::string_view name);
[[nodiscard]] std::string_view text(const ::onnx::NodeProto& node,
                                    std::string_view name,
                                    std::string_view otherwise);
[[nodiscard]] std::int64_t integer(const ::onnx::NodeProto& node,
                                   std::string_view name,
                                   std::int64_t otherwise);
[[nodiscard]] float real(const ::onnx::NodeProto& node, std::string_view name, float otherwise);

}  // namespace liminal::onnx
