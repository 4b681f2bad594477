#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/learn/registered.hpp"

namespace liminal::registry {

/// The newest that are kept for good; of versions a setting says how many.
inline constexpr std::size_t kJobsKept = 1000, kExperimentsKept = 200;

/// Numbers of the versions of one model that may go: all but the newest `kept`, those in `held`,
/// and those that one of the others was measured against. `versions` are newest first.
[[nodiscard]] std::vector<std::uint32_t> outdated(const std::vector<learn::ModelVersion>& versions,
                                                  std::size_t kept,
                                                  const std::set<std::uint32_t>& held);

/// Model and number of a registry's file; nothing of what is none.
[[nodiscard]] std::optional<std::pair<std::string, std::uint32_t>> version_of_file(
    std::string_view name);

}  // namespace liminal::registry
