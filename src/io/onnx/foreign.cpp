#include "io/onnx/foreign.hpp"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "io/onnx/metadata.hpp"

namespace liminal::onnx {
namespace {

using google::protobuf::internal::WireFormatLite;

constexpr std::size_t kDescriptionBytesMax = std::size_t{16} << 20;

/// A file's outermost fields, parted into our metadata and the rest.
struct Parted {
  std::string rest;             ///< when it is wanted
  ::onnx::ModelProto metadata;  ///< ours alone, each key once
};

bool is_ours_key(std::string_view key) { return key.starts_with(kMetadataPrefix); }

/// The last of a key counts.
void put(::onnx::StringStringEntryProto entry, ::onnx::ModelProto& to) {
  for (::onnx::StringStringEntryProto& known : *to.mutable_metadata_props()) {
    if (known.key() != entry.key()) continue;
    known = std::move(entry);
    return;
  }
  *to.add_metadata_props() = std::move(entry);
}

class Walk {
 public:
  Walk(std::string_view file, bool with_rest)
      : file_(file),
        with_rest_(with_rest),
        in_(reinterpret_cast<const std::uint8_t*>(file.data()), static_cast<int>(file.size())) {}

  bool run(Parted& to) {
    for (;;) {
      const int begin = in_.CurrentPosition();
      const std::uint32_t tag = in_.ReadTag();
      if (tag == 0) return in_.ConsumedEntireMessage();
      const bool metadata =
          WireFormatLite::GetTagFieldNumber(tag) == ::onnx::ModelProto::kMetadataPropsFieldNumber;
      const bool block =
          WireFormatLite::GetTagWireType(tag) == WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
      bool ours = false;
      if (metadata && block) {
        if (!entry(to, ours)) return false;
      } else if (!WireFormatLite::SkipField(&in_, tag)) {
        return false;
      }
      if (with_rest_ && !ours) keep(begin, to);
    }
  }

 private:
  bool entry(Parted& to, bool& ours) {
    std::uint32_t size = 0;
    if (!in_.ReadVarint32(&size)) return false;
    const auto begin = static_cast<std::size_t>(in_.CurrentPosition());
    if (size > file_.size() - begin || !in_.Skip(static_cast<int>(size))) return false;
    bytes_ += size;
    if (bytes_ > kDescriptionBytesMax) return false;
    ::onnx::StringStringEntryProto read;
    if (!read.ParseFromArray(file_.data() + begin, static_cast<int>(size))) return false;
    ours = is_ours_key(read.key());
    if (ours) put(std::move(read), to.metadata);
    return static_cast<std::size_t>(to.metadata.metadata_props_size()) <= kMetadataKeysMax;
  }

  void keep(int begin, Parted& to) const {
    const auto from = static_cast<std::size_t>(begin);
    const auto until = static_cast<std::size_t>(in_.CurrentPosition());
    to.rest += file_.substr(from, until - from);
  }

  const std::string_view file_;
  const bool with_rest_;
  std::size_t bytes_ = 0;
  google::protobuf::io::CodedInputStream in_;
};

Read<Parted> parted(std::string_view file, bool with_rest) {
  if (file.size() > kForeignBytesMax) return unsupported("files above 256 MiB");
  Parted parts;
  if (with_rest) parts.rest.reserve(file.size());
  if (file.empty() || !Walk(file, with_rest).run(parts)) return broken("it is no ONNX file");
  return parts;
}

}  // namespace

Read<std::optional<models::Metadata>> description_of(std::string_view file) {
  const Read<Parted> parts = parted(file, false);
  if (!parts) return tl::unexpected(parts.error());
  if (format_of(parts->metadata) != kForeignFormat) return std::optional<models::Metadata>{};
  Read<models::Metadata> metadata = read_metadata(parts->metadata);
  if (!metadata) return tl::unexpected(metadata.error());
  return std::optional(*std::move(metadata));
}

Read<std::string> describe(std::string_view file, const models::Metadata& metadata) {
  Read<Parted> parts = parted(file, true);
  if (!parts) return tl::unexpected(parts.error());
  ::onnx::ModelProto own;
  write_metadata(metadata, kForeignFormat, own);
  std::string described = std::move(parts->rest);
  if (!own.AppendToString(&described) || described.size() > kForeignBytesMax)
    return unsupported("files above 256 MiB");
  return described;
}

}  // namespace liminal::onnx
