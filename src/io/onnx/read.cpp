#include "io/onnx/read.hpp"

#include "io/onnx/graph_of.hpp"
#include "io/onnx/metadata.hpp"
#include "io/onnx/ours.hpp"
#include "io/onnx/parse.hpp"
#include "io/onnx/plain.hpp"

namespace liminal::onnx {
namespace {

std::string first(const Problems& problems) {
  return problems.front().key + " " + problems.front().text;
}

/// Reads by the names of nodes, then holds the whole graph against what that model's graph is.
Read<models::Model> read_checked(const ::onnx::ModelProto& file) {
  Read<models::Metadata> metadata = read_metadata(file);
  if (!metadata) return tl::unexpected(metadata.error());
  Read<models::Model> model = read_ours(file.graph(), *std::move(metadata));
  if (!model) return model;
  if (const Problems problems = validate(*model); !problems.empty()) return broken(first(problems));
  if (graph_of(*model).SerializeAsString() != file.graph().SerializeAsString())
    return unsupported("the graph is not the one that its metadata speak of");
  return model;
}

}  // namespace

Read<models::Model> read(std::string_view bytes) {
  const Read<::onnx::ModelProto> parsed = parse(bytes);
  if (!parsed) return tl::unexpected(parsed.error());
  const ::onnx::ModelProto& file = *parsed;
  if (is_ours(file)) return read_checked(file);
  Read<models::Model> model = read_plain(file);
  if (!model) return model;
  if (const Problems problems = validate(*model); !problems.empty())
    return unsupported(first(problems));
  return model;
}

}  // namespace liminal::onnx
