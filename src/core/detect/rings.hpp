#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <span>
#include <unordered_map>
#include <vector>

#include "core/base/codec.hpp"
#include "core/base/time.hpp"
#include "core/detect/contribution.hpp"
#include "core/detect/options.hpp"
#include "core/detect/population.hpp"
#include "core/traffic/finding.hpp"

namespace liminal::detect {

/// A finding about one address, raised at the message of one of its users.
struct RingFinding {
  std::uint64_t address = 0, user = 0;  ///< hashes
  traffic::Finding finding;
};

/// Finds rings: many new users of one address that behave alike, which is one person behind many
/// names. A ring's score sums how surprising the number of new users is, how alike the sizes of
/// their messages are, and how often they send the same contents; the number of new users alone
/// raises the rule `address_ring`.
///
/// Learns from the shards' contributions, once a second. After a finding an address is silent for
/// the options' cool-down. Has one owner.
///
/// Memory: 232 bytes an address, at most `addresses_max`; the longest unused is forgotten first,
/// and counted. Cost: about 100 ns a note.
class Rings {
 public:
  /// Learns what the shards noted since the last call, in their order. Adds to `out`.
  void learn(std::span<const Contribution> shards,
             SteadyTime now,
             const Options& options,
             const Population& population,
             std::vector<RingFinding>& out);

  /// The addresses that were found within the cool-down, the latest first.
  [[nodiscard]] std::span<const std::uint64_t> ringing() const { return ringing_; }

  [[nodiscard]] std::size_t size() const { return table_.size(); }
  [[nodiscard]] std::uint64_t evicted() const { return evicted_; }
  [[nodiscard]] std::size_t memory_bytes() const;

  void save(Writer& out) const;
  void load(Reader& in);

 private:
  struct Address {
    std::uint64_t hash = 0;
    SteadyTime last{};
    SteadyTime silent_until{}, rule_silent_until{};
    float users = 0;  // new ones, decayed
    float messages = 0, log_bytes = 0, log_bytes_squared = 0;
    float shared = 0;                          // messages with a content seen before
    std::array<std::uint32_t, 32> contents{};  // by hash
  };
  /// What speaks for a ring, in nat.
  struct Evidence {
    double users = 0, likeness = 0, shared = 0;
  };

  Address& touch(std::uint64_t hash, SteadyTime now, std::size_t addresses_max);
  static void add(Address& address, const AddressNote& note);
  static Evidence judge(const Address& address, const Population& population);
  void report(Address& address,
              const AddressNote& note,
              const Evidence& evidence,
              SteadyTime now,
              const Options& options,
              std::vector<RingFinding>& out);
  void report_rule(Address& address,
                   const AddressNote& note,
                   SteadyTime now,
                   const Options& options,
                   std::vector<RingFinding>& out);

  std::list<Address> used_;  // the latest first
  std::unordered_map<std::uint64_t, std::list<Address>::iterator> table_;
  std::vector<std::uint64_t> ringing_;
  std::uint64_t evicted_ = 0;
};

}  // namespace liminal::detect
