#include "io/json/value.hpp"

#include <simdjson.h>

#include <algorithm>

namespace liminal::json {
namespace {

namespace dom = simdjson::dom;

constexpr std::size_t kKeptBytes = 16 * 1024;

Value own(dom::element element) {
  switch (element.type()) {
    case dom::element_type::ARRAY: {
      Value::Array items;
      items.reserve(dom::array(element).size());
      for (const dom::element item : dom::array(element)) items.push_back(own(item));
      return {std::move(items)};
    }
    case dom::element_type::OBJECT: {
      Value::Object members;
      members.reserve(dom::object(element).size());
      for (const dom::key_value_pair member : dom::object(element))
        members.emplace_back(std::string(member.key), own(member.value));
      return {std::move(members)};
    }
    case dom::element_type::INT64:
      return {std::int64_t(element)};
    case dom::element_type::UINT64:
      return {std::uint64_t(element)};
    case dom::element_type::DOUBLE:
      return {double(element)};
    case dom::element_type::STRING:
      return {std::string(std::string_view(element))};
    case dom::element_type::BOOL:
      return {bool(element)};
    case dom::element_type::NULL_VALUE:
      break;
  }
  return {};
}

}  // namespace

const Value* member(const Value& value, std::string_view name) {
  const auto* members = value.as<Value::Object>();
  if (members == nullptr) return nullptr;
  for (const auto& [key, held] : *members)
    if (key == name) return &held;
  return nullptr;
}

Result<Value> parse(std::string_view json) {
  // One for small documents stays with its thread.
  thread_local dom::parser small;
  dom::parser own_parser;
  dom::parser& parser = json.size() <= kKeptBytes ? small : own_parser;
  dom::element root;
  const std::size_t room = std::max(json.size(), kKeptBytes);
  if (parser.capacity() < room && parser.allocate(room, kDepthMax) != simdjson::SUCCESS)
    return failure(ErrorCode::kTooLarge);
  const simdjson::padded_string padded(json);
  switch (parser.parse(padded).get(root)) {
    case simdjson::SUCCESS:
      return own(root);
    case simdjson::DEPTH_ERROR:
      return failure(ErrorCode::kTooLarge);
    default:
      return failure(ErrorCode::kMalformed);
  }
}

}  // namespace liminal::json
