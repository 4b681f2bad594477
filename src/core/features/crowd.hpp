#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/codec.hpp"
#include "core/base/result.hpp"
#include "core/base/time.hpp"
#include "core/features/options.hpp"
#include "core/features/user_features.hpp"
#include "core/features/user_table.hpp"
#include "core/stats/bucket_ring.hpp"
#include "core/stats/distinct_window.hpp"
#include "core/stats/space_saving.hpp"
#include "core/traffic/event.hpp"

namespace liminal::features {

/// What is going on among all users, of one shard or merged over several.
struct CrowdSummary {
  struct Address {
    std::string text;
    std::uint64_t hash = 0;
    double users = 0;
    double connections_per_minute = 0;  ///< as of all users
  };
  struct Channel {
    std::string text;
    double per_minute = 0;  ///< an upper bound, at most `error_per_minute` too high
    double error_per_minute = 0;
  };
  static constexpr std::size_t kBins = 512;

  double active_users = 0;              ///< seen within 5 min
  double messages_per_minute = 0;       ///< over the last 60 s
  double connections_per_minute = 0;    ///< new ones over the last 60 s, refused ones with them
  std::uint64_t address_evictions = 0;  ///< addresses that made room since the start
  /// Events by hashed address, decayed with a half-life of a minute.
  std::array<double, kBins> address_bins{};
  std::vector<Address> addresses;  ///< by hash, those with users within the hour or connections
  stats::SpaceSaving channels{1};  ///< decayed counts of messages
  double channel_minutes = 1;      ///< what the decayed counts are worth, in minutes

  /// Adds what another shard knows. The order does not matter but for rounding and for ties among
  /// channels: merge in the order of shards.
  void merge(const CrowdSummary& other);

  /// How evenly the events come from different addresses, in bits: 0 all from one, at most 9. Never
  /// above the exact entropy (of the same weights); below it by what collisions among 512 bins
  /// hide: nothing for few addresses, .07 bits for 50 equal ones.
  [[nodiscard]] double address_entropy_bits() const;

  /// The addresses with the most users, the most crowded first.
  [[nodiscard]] std::vector<Address> most_crowded(std::size_t limit) const;

  /// The addresses with the most new connections, the fastest first; none without any.
  [[nodiscard]] std::vector<Address> most_connecting(std::size_t limit) const;

  /// The channels with the most messages, the hottest first.
  [[nodiscard]] std::vector<Channel> hottest(std::size_t limit) const;
};

/// Keeps one shard's part of what is going on among all users.
///
/// Guarantee: `active_users` counts each user once, who was seen within the last 300 to 310 s (a
/// user who was evicted and came back may count twice that long). Users of an address are as exact
/// as `stats::DistinctWindow<22>` over 60 to 65 min, and since a user has one shard they add up
/// over shards; an address that had to make room is forgotten. Messages and connections are as
/// exact as `stats::BucketRing` over six buckets of 10 s; of one address up to 65,535 connections a
/// bucket and shard. Hotness is as exact as `stats::SpaceSaving`.
///
/// Memory: bounded by the options: about 140 bytes an address, 80 a channel, 4 KiB of bins. Cost:
/// `learn` some 10 ns for an ordinary message. Not thread-safe: owned by a shard.
class Crowd {
 public:
  /// `options` must be valid.
  explicit Crowd(const CrowdOptions& options);

  /// `learnt` is what `UserFeatures::learn` returned for this event.
  void learn(const traffic::Event& event, SteadyTime now, const Learnt& learnt);

  [[nodiscard]] CrowdSummary summary(SteadyTime now) const;
  /// That of the summary, without the rest of it.
  [[nodiscard]] double active_users(SteadyTime now) const;
  /// Users of one address in this shard; 0 when it is not known.
  [[nodiscard]] double users_of(const traffic::Name& address, SteadyTime now) const;

  [[nodiscard]] std::size_t memory_bytes() const;

  /// Part of a shard's snapshot, whose version is its own too. Earlier ones knew no connections of
  /// addresses: these begin anew.
  void save(Writer& out) const;
  [[nodiscard]] Result<void> load(Reader& in, bool with_connections_of_addresses = true);

 private:
  static constexpr stats::BucketClock kBucket{std::chrono::seconds{10}};
  static constexpr stats::BucketClock kMinute{std::chrono::minutes{1}};
  static constexpr stats::BucketClock kEpoch{std::chrono::minutes{5}};
  static constexpr std::uint64_t kPerMinute = 6, kPerEpoch = 30;

  /// Of one address.
  struct Place {
    stats::DistinctWindow<22> users;
    stats::BucketRing<std::uint16_t, 6> connections;
    std::uint32_t bucket = 0;  ///< the newest of the connections; the epoch of the users is its own

    void advance(std::uint64_t to);
    [[nodiscard]] double users_at(SteadyTime now) const;
  };
  using Active = stats::BucketRing<std::uint32_t, 30>;

  void advance(SteadyTime now);
  void learn_active(SteadyTime now, const Learnt& learnt);
  void learn_address(const traffic::Event& event, SteadyTime now, const Learnt& learnt);

  std::uint64_t bucket_ = 0;
  Active active_;  ///< users by the bucket in which they were last seen
  stats::BucketRing<std::uint32_t, 6> messages_, connections_;
  std::array<std::uint32_t, CrowdSummary::kBins> address_bins_{};
  UserTable<Place> addresses_;
  stats::SpaceSaving channels_;
};

}  // namespace liminal::features
