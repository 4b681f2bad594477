#pragma once

#include <array>
#include <cstdint>

#include "core/base/codec.hpp"
#include "core/base/time.hpp"
#include "core/limits/options.hpp"

namespace liminal::limits {

/// Moves one user's rate, slowly, from what the user does and how anomalous it is.
///
/// Two things are learnt: suspicion f in [0, 1] and the personal ratio p. The rate is the
/// configured one times r = p^(1-f) · floor^f: p when calm, the floor when f is 1.
///   - f follows clamp((score - calm) / (worst - calm), 0, 1) with time constant `slow_down`
///     upwards and `recover` downwards, in steps of a second or more. The worst score between two
///     steps holds for a second; the rest of a longer step is silence, and silence is calm.
///   - p follows clamp(headroom · q / configured, personal floor, ceiling) with time constant
///     `personal_follow`. q is the quantile of the user's own messages per active minute, from a
///     histogram by octaves (its upper edge: up to twice too high, never too low), which is halved
///     when it is full and at the turn of each week. A minute that was not calm counts as one of a
///     single message: nobody raises a limit by what looked like abuse.
///
/// Guarantees: floor ≤ r ≤ ceiling; over the same messages a higher score never gives a higher
/// rate, then or later; when calm, r goes back to p, and p to 1 where there is no evidence. NaN as
/// a score is no evidence. Time that stands still or goes back changes nothing.
///
/// Memory: 40 bytes. Cost: a comparison a message, some 30 ns once a second. Told the time; owned
/// by a shard.
class Controller {
 public:
  /// Counts a message that was let through.
  void count(SteadyTime now);

  /// Takes an anomaly score (1 = the alarm line); once a second moves on, and then returns true:
  /// `ratio` may have changed. `configured_per_second` 0: there is no rate to compare habits with.
  bool adapt(const ControllerOptions& options,
             double configured_per_second,
             float score,
             SteadyTime now);

  /// r as above; 1 when the controller is switched off.
  [[nodiscard]] double ratio(const ControllerOptions& options) const;
  [[nodiscard]] double personal_ratio() const { return personal_; }
  [[nodiscard]] double suspicion() const { return suspicion_; }

  /// q as above; 0 when there are fewer active minutes than `personal_minutes_min`.
  [[nodiscard]] double messages_per_minute_quantile(const ControllerOptions& options) const;

  void save(Writer& out) const;
  /// Fails the reader on what `save` could not have written.
  [[nodiscard]] static Controller load(Reader& in);
  friend bool operator==(const Controller&, const Controller&) = default;

 private:
  static constexpr std::size_t kOctaves = 15;  ///< 1, 2, 3–4, 5–8, … 8193 and more messages

  void open_minute_of(SteadyTime now);
  void record_minute();
  void halve();
  [[nodiscard]] unsigned active_minutes() const;
  [[nodiscard]] double personal_target(const ControllerOptions& options,
                                       double configured_per_second) const;

  SteadyTime adapted_at_{};
  float suspicion_ = 0;
  float personal_ = 1;
  std::uint32_t minute_ = 0;          ///< the open minute, since the epoch
  std::uint16_t messages_ = 0;        ///< in the open minute, saturating
  std::uint16_t peak_score_256_ = 0;  ///< since the last step, in 1/256
  bool anomalous_ = false;            ///< the open minute was not calm
  std::array<std::uint8_t, kOctaves> minutes_by_octave_{};
};
static_assert(sizeof(Controller) == 40);

}  // namespace liminal::limits
