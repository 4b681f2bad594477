#pragma once

#include <array>
#include <cstdint>

#include "core/base/codec.hpp"
#include "core/base/result.hpp"
#include "core/base/time.hpp"
#include "core/features/connections.hpp"
#include "core/stats/bucket_ring.hpp"
#include "core/stats/distinct_window.hpp"
#include "core/stats/gaps.hpp"
#include "core/stats/hour_profile.hpp"
#include "core/stats/ratio_window.hpp"
#include "core/traffic/event.hpp"
#include "core/traffic/schema.hpp"

namespace liminal::features {

/// What learning an event told about the user that the crowd wants to know (crowd.hpp).
struct Learnt {
  bool seen_before = false;
  SteadyTime last_seen{};           ///< the bucket of 10 s of the event before, if any
  bool first_from_address = false;  ///< the user's first use of this address within these 5 min
};

/// Turns one user's events into the features of traffic/schema.hpp.
///
/// Windows are rings of buckets, of which the oldest counts by the share that is still inside:
///
/// | window | bucket | features |
/// |---|---|---|
/// | 60 s | 10 s | messages, bytes, sizes, errors, violations, reconnects, new channels, contents |
/// | 5 min | 1 min | messages_per_minute_5m |
/// | 1 h | 10 min | messages_per_minute_1h |
/// | 1 h | 5 min | channels, addresses |
///
/// Guarantee: a count differs from the exact one by at most what its oldest bucket holds; channels
/// and addresses are remembered for 60 to 65 min. A bucket holds at most 65,535 messages (of those
/// beyond, sizes and errors are not looked at either), 4 GiB, and 255 violations, reconnects and
/// new channels. Channels are exact to 22, addresses to 6 (stats/distinct_window.hpp says how well
/// beyond). A content counts as sent before when it is among the last 8 different ones of messages
/// less than 10 min apart (two contents are mixed up with a probability of 2^-16). Burstiness
/// weighs gaps as stats/gaps.hpp says and starts again after 60 to 70 min without a message.
///
/// Events: a message with `error` is a message and an error; `kRateLimited` is a violation and not
/// a message; `violation` says that our own limits refused this event or would have. Every kind
/// shows the user's address and channels. Connections are counted as connections.hpp says.
///
/// Time never goes back for one user: an earlier `now` counts at the last one's bucket.
///
/// Memory: at most 320 bytes, nothing on the heap. Cost: `learn` O(1), about 25 ns; `read` of one
/// feature a few ns (user_features_bench.cpp). Not thread-safe: owned by a shard.
class UserFeatures {
 public:
  Learnt learn(const traffic::Event& event, SteadyTime now, bool violation);

  [[nodiscard]] traffic::Features read(SteadyTime now) const;
  [[nodiscard]] float read(traffic::FeatureId id, SteadyTime now) const;

  /// Reads several features of one moment without working out again where it stands in the windows.
  /// Valid until the next `learn`.
  class Reading;
  [[nodiscard]] Reading at(SteadyTime now) const;

  /// Whether any event was learnt, and the bucket of 10 s in which the last one was.
  [[nodiscard]] bool seen() const { return (flags_ & kSeen) != 0; }
  [[nodiscard]] SteadyTime last_seen() const { return SteadyTime{kBucket.width * bucket_}; }

  /// After a restart nobody is connected.
  void forget_connections() { connections_ = {}; }

  /// Forgets windows and connections; what was learnt of the user (the hour profile) stays.
  void forget_session();

  /// Format: docs/formats/snapshot.md, "user features".
  void save(Writer& out) const;
  [[nodiscard]] static Result<UserFeatures> load(Reader& in);

 private:
  static constexpr stats::BucketClock kBucket{std::chrono::seconds{10}};
  static constexpr stats::BucketClock kMinute{std::chrono::minutes{1}};
  static constexpr stats::BucketClock kFiveMinutes{std::chrono::minutes{5}};
  static constexpr stats::BucketClock kTenMinutes{std::chrono::minutes{10}};
  static constexpr std::uint64_t kPerMinute = 6, kPerFiveMinutes = 30, kPerTenMinutes = 60,
                                 kPerHour = 360;
  static constexpr std::uint8_t kSeen = 1, kConnected = 2;

  [[nodiscard]] double value(traffic::FeatureId id, SteadyTime now, stats::WindowPosition at) const;
  void advance(SteadyTime now);
  void roll(std::uint64_t bucket);
  void learn_message(const traffic::Event& event, SteadyTime now);
  void learn_size(std::uint32_t bytes);
  void learn_rest(const traffic::Event& event);
  void learn_gap(SteadyTime now);
  void learn_content(std::uint64_t content_hash);
  void learn_connect(const traffic::Event& event, SteadyTime now);
  void take_back_reconnect();
  [[nodiscard]] double size_spread(stats::WindowPosition at) const;
  [[nodiscard]] double hour_unusual(SteadyTime now) const;

  template <class T>
  using Window60s = stats::BucketRing<T, 6>;

  // Ordered by alignment: there is no room to lose.
  Window60s<std::uint32_t> bytes_;
  Window60s<float> size_squares_;  ///< of each bucket, around its own mean
  stats::GapStatistics gaps_;
  std::uint32_t last_message_ = 0;  ///< in ticks of 2^16 ns; meaningless after an hour
  Connections connections_;
  std::uint32_t bucket_ = 0;  ///< the last event's
  Window60s<std::uint16_t> messages_;
  Window60s<std::uint16_t> errors_;
  stats::BucketRing<std::uint16_t, 5> messages_5m_;
  stats::BucketRing<std::uint16_t, 6> messages_1h_;
  std::array<std::uint16_t, 8> contents_{};  ///< fingerprints, latest first; 0: none
  stats::DistinctWindow<22> channels_;
  stats::DistinctWindow<6> addresses_;
  stats::HourProfile hours_;
  Window60s<std::uint8_t> violations_;
  Window60s<std::uint8_t> reconnects_;
  Window60s<std::uint8_t> new_channels_;
  stats::RatioWindow<6> repeats_;
  std::uint8_t flags_ = 0;
};

static_assert(sizeof(UserFeatures) <= 320);

class UserFeatures::Reading {
 public:
  float operator()(traffic::FeatureId id) const {
    return static_cast<float>(user_->value(id, now_, at_));
  }

 private:
  friend class UserFeatures;
  Reading(const UserFeatures& user, SteadyTime now)
      : user_(&user), now_(now), at_(kBucket.position(user.bucket_, now)) {}

  const UserFeatures* user_;
  SteadyTime now_;
  stats::WindowPosition at_;  ///< in the windows of 60 s
};

inline UserFeatures::Reading UserFeatures::at(SteadyTime now) const { return {*this, now}; }
inline float UserFeatures::read(traffic::FeatureId id, SteadyTime now) const { return at(now)(id); }

}  // namespace liminal::features
