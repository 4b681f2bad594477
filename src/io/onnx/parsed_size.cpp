#include "io/onnx/parsed_size.hpp"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <onnx/onnx_pb.h>

#include <limits>

namespace liminal::onnx {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::internal::WireFormatLite;

// What the library allocates for one of each, with the list that holds it.
constexpr std::size_t kMessageBytes = 320;
constexpr std::size_t kTextBytes = 64;
constexpr std::size_t kNumberBytes = 12;
constexpr std::size_t kUnknownBytes = 32;
constexpr int kNestingMax = 100;

class Walk {
 public:
  explicit Walk(std::string_view file)
      : in_(reinterpret_cast<const std::uint8_t*>(file.data()), static_cast<int>(file.size())) {}

  bool message(const Descriptor& type, int nesting);
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  bool number(const FieldDescriptor* field, WireFormatLite::WireType wire);
  bool block(const FieldDescriptor* field, int nesting);

  google::protobuf::io::CodedInputStream in_;
  std::size_t bytes_ = 0;
};

bool Walk::message(const Descriptor& type, int nesting) {
  if (nesting > kNestingMax) return false;
  bytes_ += kMessageBytes;
  const FieldDescriptor* field = nullptr;
  int known = 0;  // the field's number; the same often follows itself
  while (const std::uint32_t tag = in_.ReadTag()) {
    const int number_of = WireFormatLite::GetTagFieldNumber(tag);
    if (number_of == 0) return false;
    if (number_of != known) field = type.FindFieldByNumber(known = number_of);
    const WireFormatLite::WireType wire = WireFormatLite::GetTagWireType(tag);
    const bool read = wire == WireFormatLite::WIRETYPE_LENGTH_DELIMITED ? block(field, nesting)
                                                                        : number(field, wire);
    if (!read) return false;
  }
  return in_.ConsumedEntireMessage();
}

bool Walk::number(const FieldDescriptor* field, WireFormatLite::WireType wire) {
  bytes_ += field == nullptr ? kUnknownBytes : kNumberBytes;
  std::uint64_t value = 0;
  switch (wire) {
    case WireFormatLite::WIRETYPE_VARINT:
      return in_.ReadVarint64(&value);
    case WireFormatLite::WIRETYPE_FIXED64:
      return in_.Skip(8);
    case WireFormatLite::WIRETYPE_FIXED32:
      return in_.Skip(4);
    default:
      return false;
  }
}

/// A message, a text, or numbers side by side.
bool Walk::block(const FieldDescriptor* field, int nesting) {
  std::uint32_t length = 0;
  if (!in_.ReadVarint32(&length) || length > std::numeric_limits<int>::max()) return false;
  const auto size = static_cast<int>(length);
  if (field != nullptr && field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    const auto limit = in_.PushLimit(size);
    if (in_.BytesUntilLimit() != size || !message(*field->message_type(), nesting + 1))
      return false;
    in_.PopLimit(limit);
    return true;
  }
  const bool is_text = field == nullptr || field->cpp_type() == FieldDescriptor::CPPTYPE_STRING;
  const bool is_wide = !is_text && (field->type() == FieldDescriptor::TYPE_FLOAT ||
                                    field->type() == FieldDescriptor::TYPE_DOUBLE);
  bytes_ += is_text ? kTextBytes + length : (is_wide ? 2 : kNumberBytes) * length;
  return in_.Skip(size);
}

}  // namespace

std::optional<std::size_t> parsed_size(std::string_view file) {
  Walk walk(file);
  if (!walk.message(*::onnx::ModelProto::descriptor(), 0)) return std::nullopt;
  return walk.bytes();
}

}  // namespace liminal::onnx
