#include "io/onnx/write.hpp"

#include "core/base/check.hpp"
#include "io/onnx/graph.hpp"
#include "io/onnx/graph_of.hpp"
#include "io/onnx/metadata.hpp"
#include "io/onnx/read.hpp"

namespace liminal::onnx {

Read<std::string> write(const models::Model& model) {
  ::onnx::ModelProto file;
  file.set_ir_version(8);
  file.set_producer_name("liminal");
  ::onnx::OperatorSetIdProto& standard = *file.add_opset_import();
  standard.set_domain("");
  standard.set_version(17);
  ::onnx::OperatorSetIdProto& ml = *file.add_opset_import();
  ml.set_domain(std::string(kMlDomain));
  ml.set_version(3);
  write_metadata(model.metadata, kFormat, file);
  *file.mutable_graph() = graph_of(model);
  if (file.ByteSizeLong() > kFileBytesMax) return unsupported("its file would be above 64 MiB");
  std::string bytes;
  LIMINAL_CHECK(file.SerializeToString(&bytes));
  return bytes;
}

}  // namespace liminal::onnx
