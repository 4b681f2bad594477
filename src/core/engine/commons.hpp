#pragma once

#include <cstdint>
#include <list>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/codec.hpp"
#include "core/base/ids.hpp"
#include "core/detect/contribution.hpp"
#include "core/detect/options.hpp"
#include "core/detect/population.hpp"
#include "core/detect/rings.hpp"
#include "core/limits/subjects.hpp"

namespace liminal::engine {

/// What the users of one address did in one shard within a second.
struct AddressReport {
  std::string address;
  std::uint64_t hash = 0;
  std::uint32_t messages = 0;    ///< let through
  std::uint64_t bytes = 0;       ///< of these
  std::int64_t connections = 0;  ///< by how many the open ones changed
};

/// What all shards tell about one second, each in its own place.
struct Second {
  std::vector<detect::Contribution> detect = std::vector<detect::Contribution>(kShards);
  /// In the order of first use within the second.
  std::vector<std::vector<AddressReport>> addresses =
      std::vector<std::vector<AddressReport>>(kShards);

  void clear();

  /// What one shard told, for who runs shards elsewhere than the commons. `load` puts it in that
  /// shard's place and fails the reader on what makes no sense.
  void save(ShardId shard, Writer& out) const;
  void load(ShardId shard, Reader& in);
};

/// What all shards together let through at an address within a second.
struct AddressTotal {
  std::string address;
  std::uint64_t hash = 0;
  std::uint64_t shards = 0;  ///< a bit for each shard that has users there
  limits::AddressUsage usage;
};

/// What all shards learn together once a second: one value for all of them.
struct Exchange {
  std::uint64_t number = 0;  ///< counts up
  SteadyTime time;
  detect::Population population;
  bool population_shift = false;        ///< said once, about nobody in particular
  std::vector<AddressTotal> addresses;  ///< active within the second, of more than one shard
  std::vector<detect::RingFinding> rings;

  void save(Writer& out) const;
  [[nodiscard]] Result<void> load(Reader& in);
};

struct CommonsOptions {
  /// Addresses with users in several shards that are remembered; the longest unused goes first.
  std::uint32_t addresses_max = 65'536;
};
[[nodiscard]] Problems validate(const CommonsOptions& options);

/// What spans users: the population and the addresses. It has one owner beside the 64 shards and is
/// advanced once a second with what every shard tells, in the shards' order, whichever threads or
/// machines they run on: so the answers do not depend on how many of those there are
/// (docs/decisions/0002-commons.md).
///
/// Guarantee: what follows depends on the summaries and times alone. Memory: bounded by the options
/// of the rings and its own. Cost: some 100 µs a second and 1 µs an active address.
class Commons {
 public:
  explicit Commons(detect::Profile profile, const CommonsOptions& options = {})
      : options_(options), population_(profile) {}

  /// Learns what all shards told about a second. `out` is what every shard absorbs.
  void advance(const Second& told, SteadyTime now, const detect::Options& options, Exchange& out);

  /// After a restart nobody is connected.
  void forget_connections();

  [[nodiscard]] const detect::Population& population() const { return population_; }
  [[nodiscard]] std::uint64_t number() const { return number_; }
  [[nodiscard]] std::uint64_t evictions() const { return evictions_ + rings_.evicted(); }
  [[nodiscard]] std::size_t memory_bytes() const;

  /// Versioned (docs/formats/snapshot.md).
  void save(Writer& out) const;
  [[nodiscard]] Result<void> load(Reader& in);
  [[nodiscard]] std::uint64_t state_hash() const;

 private:
  struct Address {
    std::uint64_t hash = 0;
    std::uint64_t shards = 0;
    std::int64_t connections = 0;
    std::uint64_t said = 0;  ///< the exchange that carries it
    std::size_t place = 0;   ///< where in that exchange
  };

  Address& touch(std::uint64_t hash);
  void total_addresses(const Second& told, Exchange& out);

  CommonsOptions options_;
  std::uint64_t number_ = 0;
  std::uint64_t evictions_ = 0;
  detect::Population population_;
  detect::Rings rings_;
  std::list<Address> addresses_;  ///< most recently used first
  std::unordered_map<std::uint64_t, std::list<Address>::iterator> index_;  ///< never walked
};

}  // namespace liminal::engine
