#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/base/codec.hpp"
#include "core/base/time.hpp"
#include "core/limits/controller.hpp"
#include "core/limits/gcra.hpp"
#include "core/limits/policies.hpp"

namespace liminal::limits {

/// What one user, address or connection has used up of its four meters. 32 bytes.
struct Meters {
  std::array<Gcra, kMeters> gcra{};

  [[nodiscard]] bool whole(SteadyTime now) const {
    return std::all_of(gcra.begin(), gcra.end(), [now](const Gcra& g) { return g.whole(now); });
  }
  /// Goes over from one configuration to another without granting a fresh burst.
  void carry_over(const MeterPolicies& before, const MeterPolicies& after, SteadyTime now);

  void save(Writer& out) const {
    for (const Gcra& meter : gcra) meter.save(out);
  }
  void load(Reader& in) {
    for (Gcra& meter : gcra) meter = Gcra::load(in);
  }
  friend bool operator==(const Meters&, const Meters&) = default;
};

/// What one user has used up, how many connections are open, and the user's own rate.
///
/// The time that it is told must not go back (the engine holds it per user) and must lie in
/// [0, `kTimeMax`]. Regular value; owned by a shard. Changed by `decide` (decide.hpp).
class UserLimits {
 public:
  /// Moves the user's rate by an anomaly score (1 = the alarm line); to be called after each
  /// message. Whatever it does, it grants no fresh burst.
  void adapt(const Policies& policies, float score, SteadyTime now);

  /// Follows a reload: to be called for each user with the old and the new policies.
  void carry_over(const Policies& before, const Policies& after, SteadyTime now);

  /// After a restart nobody is connected; also when sessions are forgotten.
  void forget_connections() { connections_ = 0; }

  [[nodiscard]] std::uint32_t connections() const { return connections_; }
  [[nodiscard]] Pace pace() const { return pace_; }
  [[nodiscard]] const Controller& controller() const { return controller_; }

  /// Nothing would change, but what was learnt, if the user were forgotten at `now`.
  [[nodiscard]] bool idle(SteadyTime now) const {
    return connections_ == 0 && meters_.whole(now) && drops_.whole(now);
  }
  [[nodiscard]] std::size_t memory_bytes() const { return sizeof *this; }

  static constexpr std::uint8_t kFormat = 1;
  void save(Writer& out) const;
  [[nodiscard]] static Result<UserLimits> load(Reader& in);
  [[nodiscard]] std::uint64_t state_hash() const;
  friend bool operator==(const UserLimits&, const UserLimits&) = default;

 private:
  friend class Decider;

  Meters meters_;
  Gcra drops_;  ///< messages dropped of late: persistence closes
  /// Of the messages meter when it was last charged: an override replaces it and expires again.
  Duration messages_period_{};
  Controller controller_;
  Pace pace_ = kNormalPace;
  std::uint16_t connections_ = 0;
};
static_assert(sizeof(UserLimits) <= 96);

/// What was used of one address in a while, as shards tell each other.
struct AddressUsage {
  std::uint32_t messages = 0;
  std::uint64_t bytes = 0;
  std::uint32_t connections = 0;  ///< open at the end of the while
  AddressUsage& operator+=(const AddressUsage& other) {
    messages += other.messages;
    bytes += other.bytes;
    connections += other.connections;
    return *this;
  }
  friend bool operator==(const AddressUsage&, const AddressUsage&) = default;
};

/// What the users of one address that one shard owns have used up, and what it was told of the
/// address's users elsewhere.
///
/// The users of an address live in many shards, which tell each other once a second what they let
/// through (`take_usage`, summed over the other shards, to `charge_remote`). So, for one exchange
/// interval I: what all shards together let through in any interval of length T is at most
/// burst + rate · T, plus what each shard let through since it was last told; and an address that
/// keeps to the rate with a burst of burst − rate · I is never refused. Connections count alike.
///
/// Time may go back between users: then it stands still. Regular value, 64 bytes; owned by a shard.
class AddressLimits {
 public:
  /// What was let through here since the last call, and how many connections are open here.
  [[nodiscard]] AddressUsage take_usage();

  /// Counts what all other shards let through since the last time, and their open connections.
  void charge_remote(const Policies& policies, const AddressUsage& others, SteadyTime now);

  void carry_over(const Policies& before, const Policies& after, SteadyTime now);
  void forget_connections() { connections_ = remote_connections_ = 0; }

  /// Here and, as last told, elsewhere.
  [[nodiscard]] std::uint32_t connections() const { return connections_ + remote_connections_; }

  /// Nothing would change if the address were forgotten at `now`.
  [[nodiscard]] bool idle(SteadyTime now) const {
    return connections_ == 0 && remote_connections_ == 0 && used_messages_ == 0 &&
           used_bytes_ == 0 && meters_.whole(now);
  }
  [[nodiscard]] std::size_t memory_bytes() const { return sizeof *this; }

  static constexpr std::uint8_t kFormat = 1;
  void save(Writer& out) const;
  [[nodiscard]] static Result<AddressLimits> load(Reader& in);
  [[nodiscard]] std::uint64_t state_hash() const;
  friend bool operator==(const AddressLimits&, const AddressLimits&) = default;

 private:
  friend class Decider;

  /// The latest time it was told.
  SteadyTime hold(SteadyTime now) { return last_ = std::max(last_, now); }

  Meters meters_;
  SteadyTime last_{};
  std::uint32_t used_messages_ = 0;
  std::uint32_t used_bytes_ = 0;  ///< saturating: 4 GiB between two exchanges is over any limit
  std::uint32_t connections_ = 0;
  std::uint32_t remote_connections_ = 0;
};
static_assert(sizeof(AddressLimits) <= 64);

/// What one connection has used up; only needed where `Policies::connection` limits anything.
class ConnectionLimits {
 public:
  void carry_over(const Policies& before, const Policies& after, SteadyTime now) {
    meters_.carry_over(before.connection, after.connection, now);
  }
  [[nodiscard]] std::size_t memory_bytes() const { return sizeof *this; }

  static constexpr std::uint8_t kFormat = 1;
  void save(Writer& out) const;
  [[nodiscard]] static Result<ConnectionLimits> load(Reader& in);
  [[nodiscard]] std::uint64_t state_hash() const;
  friend bool operator==(const ConnectionLimits&, const ConnectionLimits&) = default;

 private:
  friend class Decider;
  Meters meters_;
};

}  // namespace liminal::limits
