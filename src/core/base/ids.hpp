#pragma once

#include <cstdint>

namespace liminal {

/// Users are spread over this many virtual shards, whatever the number of threads or machines: it
/// is part of every snapshot, and the answers do not depend on who owns which shard.
inline constexpr std::uint32_t kShards = 64;

enum class ShardId : std::uint8_t {};

/// The one shard that owns a user, by the hash of the user's id.
[[nodiscard]] constexpr ShardId shard_of(std::uint64_t user_hash) {
  return ShardId{static_cast<std::uint8_t>(user_hash >> 58)};
}

[[nodiscard]] constexpr std::uint32_t index(ShardId shard) {
  return static_cast<std::uint32_t>(shard);
}

/// No shard, but where a cluster keeps what gateways tell of their alerts: it numbers them like a
/// shard of its own, so that they have ids beside those of its users' alerts.
inline constexpr ShardId kOfGateways{kShards};

}  // namespace liminal
