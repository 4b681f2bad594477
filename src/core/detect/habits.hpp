#pragma once

#include <array>
#include <cstddef>

#include "core/detect/channels.hpp"
#include "core/detect/stamp.hpp"

namespace liminal::detect {

/// The windows of the rate statistics: decayed counts of messages with these time constants.
inline constexpr std::size_t kWindows = 4;
inline constexpr std::array<double, kWindows> kWindowSeconds{10, 60, 300, 900};

/// Sums over some of a user's messages, each with its weight. Memory: 56 bytes.
struct Habits {
  float weight = 0;
  std::array<float, kWindows> counts{};  ///< decayed counts less the message itself
  float log_bytes = 0, log_bytes_squared = 0;
  float errors = 0, repeats = 0;
  ChannelFilter channels;

  void add(const Habits& other, float factor);
  void scale(float factor);
  void save(Writer& out) const;
  void load(Reader& in);
};

/// What a user normally does, as it was 10 to 20 minutes ago and before: messages fall into a
/// bucket of ten minutes, then wait ten more, and only then join the reference. So a behaviour that
/// turns out to be an attack has not been learnt when it does; without the lag the worst kind's
/// recall falls from .92 to .59. The reference weighs at most 200 messages and so forgets.
/// Memory: 192 bytes.
class Reference {
 public:
  static constexpr double kBucketSeconds = 600;
  static constexpr float kWeightMax = 200;

  /// Moves full buckets on. To be called before anything is read or learnt.
  void advance(Stamp now);

  [[nodiscard]] const Habits& settled() const { return settled_; }

  /// Where the present message goes, with the weight that its score leaves it.
  [[nodiscard]] Habits& open() { return open_; }

  /// Says that the open bucket holds an alarm: it will join with a quarter of its weight. A hard
  /// freeze would be worse: who changes for good would be accused forever.
  void distrust() { open_trust_ = .25F; }

  void save(Writer& out) const;
  void load(Reader& in);

 private:
  Habits settled_, waiting_, open_;
  float waiting_trust_ = 1, open_trust_ = 1;
  Stamp opened_;
};

}  // namespace liminal::detect
