#pragma once

#include <string_view>

#include "io/json/value.hpp"

namespace liminal::uplink {

/// A member of an object; null when there is none of the name, or no object.
inline const json::Value* member(const json::Value& value, std::string_view name) {
  const auto* members = value.as<json::Value::Object>();
  if (members == nullptr) return nullptr;
  for (const auto& [key, held] : *members)
    if (key == name) return &held;
  return nullptr;
}

}  // namespace liminal::uplink
