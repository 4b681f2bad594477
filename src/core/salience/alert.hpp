#pragma once

#include <cstdint>
#include <string>

#include "core/base/ids.hpp"
#include "core/salience/prior.hpp"
#include "core/traffic/alert.hpp"

namespace liminal::salience {

/// What an alert says of itself: its severity, and its confidence as its value.
[[nodiscard]] Fields fields_of(const traffic::Alert& alert);

/// An alert's id as a number: its shard above its number.
[[nodiscard]] constexpr std::uint64_t member_id(ShardId shard, std::uint64_t number) {
  return std::uint64_t{index(shard)} << 56 | (number & ((std::uint64_t{1} << 56) - 1));
}
/// And back, in the words of the API ("17-42").
[[nodiscard]] std::string alert_of(std::uint64_t member);

}  // namespace liminal::salience
