#pragma once

#include <cstdint>

#include "core/base/problem.hpp"

namespace liminal::features {

/// How much a shard keeps of what is going on among all its users.
struct CrowdOptions {
  /// Addresses with the number of their users, about 130 bytes each; the longest without a new user
  /// makes room.
  std::uint32_t addresses_max = 1'024;
  /// Channels that are counted: of N messages one with more than N / channels_max is always among
  /// the hottest.
  std::uint32_t channels_max = 64;
};

[[nodiscard]] Problems validate(const CrowdOptions& options);

}  // namespace liminal::features
