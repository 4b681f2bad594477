#include "io/json/value.hpp"

#include <simdjson.h>

namespace liminal::json {
namespace {

namespace dom = simdjson::dom;

Value own(dom::element element) {
  switch (element.type()) {
    case dom::element_type::ARRAY: {
      Value::Array items;
      for (const dom::element item : dom::array(element)) items.push_back(own(item));
      return {std::move(items)};
    }
    case dom::element_type::OBJECT: {
      Value::Object members;
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

Result<Value> parse(std::string_view json) {
  dom::parser parser;
  dom::element root;
  if (parser.allocate(json.size(), kDepthMax) != simdjson::SUCCESS)
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
