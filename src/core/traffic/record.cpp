#include "core/traffic/record.hpp"

#include <array>

namespace liminal::traffic {
namespace {
constexpr std::array<std::string_view, 3> kOverrideNames{"allow", "block", "rate"};
}

std::string_view name(Override::Kind kind) {
  return kOverrideNames[static_cast<std::size_t>(kind)];
}

std::optional<Override::Kind> override_kind_by_name(std::string_view name) {
  for (std::size_t i = 0; i < kOverrideNames.size(); ++i) {
    if (kOverrideNames[i] == name) return Override::Kind{static_cast<std::uint8_t>(i)};
  }
  return std::nullopt;
}

}  // namespace liminal::traffic
