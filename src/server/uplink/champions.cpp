#include "server/uplink/champions.hpp"

#include "io/json/fields.hpp"
#include "io/json/value.hpp"

namespace liminal::uplink {
namespace {

const std::string* text(const json::Value& value, std::string_view name) {
  const json::Value* found = member(value, name);
  return found == nullptr ? nullptr : found->as<std::string>();
}

/// False when the model makes no sense.
bool add_champion(const json::Value& model, std::vector<Champion>& out) {
  const std::string* const name = text(model, "name");
  const json::Value* const champion = member(model, "champion");
  const json::Value* const versions = member(model, "versions");
  const auto* const list = versions == nullptr ? nullptr : versions->as<json::Value::Array>();
  if (name == nullptr || champion == nullptr || list == nullptr) return false;
  const auto number = json::as_whole(*champion);
  if (!number) return champion->as<std::nullptr_t>() != nullptr;
  for (const json::Value& version : *list) {
    const json::Value* const its = member(version, "version");
    const std::string* const sha256 = text(version, "onnx_sha256");
    if (its == nullptr || sha256 == nullptr) return false;
    if (json::as_whole(*its) != number) continue;
    out.push_back({*name, static_cast<std::uint32_t>(*number), *sha256});
    return true;
  }
  return false;
}

}  // namespace

Result<std::vector<Champion>> read_champions(std::string_view answer) {
  const auto value = json::parse(answer);
  if (!value) return failure(ErrorCode::kMalformed);
  const json::Value* const models = member(*value, "models");
  const auto* const list = models == nullptr ? nullptr : models->as<json::Value::Array>();
  if (list == nullptr) return failure(ErrorCode::kMalformed);
  std::vector<Champion> champions;
  for (std::size_t i = 0; i < list->size(); ++i)
    if (!add_champion((*list)[i], champions)) return failure(ErrorCode::kMalformed, i);
  return champions;
}

}  // namespace liminal::uplink
