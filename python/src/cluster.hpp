#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine/commons.hpp"
#include "core/features/crowd.hpp"
#include "core/traffic/event.hpp"

namespace liminal::python {

/// The commons of engines that share the shards: once a second it learns what all of them told and
/// says what every one absorbs. Deterministic: what it says depends on the summaries and times
/// alone. One owner.
class CommonsOwner {
 public:
  explicit CommonsOwner(detect::Profile profile);

  /// `told`: what `Engine::tick` gave, one an engine; who did not answer is left out. kMalformed
  /// when bytes make no sense or two engines told of the same shard, and then nothing was learnt.
  [[nodiscard]] Result<std::string> advance(std::span<const std::string_view> told, SteadyTime now);

  [[nodiscard]] std::uint64_t number() const { return commons_.number(); }
  [[nodiscard]] std::uint64_t state_hash() const { return commons_.state_hash(); }
  [[nodiscard]] std::string save() const;
  [[nodiscard]] Result<void> load(std::string_view bytes);

 private:
  detect::Options options_;
  engine::Commons commons_;
  engine::Second told_;
  engine::Exchange exchange_;
};

/// What an engine's shards know of all its users, in bytes and back; kMalformed when they make no
/// sense.
[[nodiscard]] std::string encode_crowd(const features::CrowdSummary& crowd);
[[nodiscard]] Result<features::CrowdSummary> decode_crowd(std::string_view bytes);

/// Who has the shard of a user, of so many engines.
[[nodiscard]] inline std::size_t owner_of(ShardId shard, std::size_t owners) {
  return index(shard) % owners;
}

/// Events in the bytes of the journal, for each of so many engines those of its users, in order.
[[nodiscard]] std::vector<std::string> encode_by_owner(std::span<const traffic::StoredEvent> events,
                                                       std::size_t owners);
[[nodiscard]] Result<std::vector<traffic::StoredEvent>> decode_events(std::string_view bytes);

}  // namespace liminal::python
