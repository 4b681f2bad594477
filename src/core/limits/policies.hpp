#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/limits/gcra.hpp"
#include "core/limits/options.hpp"
#include "core/traffic/event.hpp"
#include "core/traffic/record.hpp"

namespace liminal::limits {

/// The meters that every user, address and connection has, in this order.
enum class Meter : std::uint8_t { kMessages, kMessagesSustained, kBytes, kBytesSustained };
inline constexpr std::size_t kMeters = 4;

struct MeterPolicy {
  GcraPolicy gcra;
  Mode mode = Mode::kShadow;
  friend bool operator==(const MeterPolicy&, const MeterPolicy&) = default;
};

/// The policies of one kind of subject, and which of them limit anything: most do not.
class MeterPolicies {
 public:
  MeterPolicies() = default;
  explicit MeterPolicies(const std::array<MeterPolicy, kMeters>& meters) : meters_(meters) {
    for (std::size_t i = 0; i < kMeters; ++i) set(i, meters[i].gcra);
  }

  const MeterPolicy& operator[](std::size_t meter) const { return meters_[meter]; }
  void set(std::size_t meter, const GcraPolicy& gcra) {
    meters_[meter].gcra = gcra;
    const unsigned bit = 1U << meter;
    limiting_ = gcra.unlimited() ? limiting_ & ~bit : limiting_ | bit;
  }

  [[nodiscard]] bool limit_anything() const { return limiting_ != 0; }

  /// Calls `f(meter, policy)` for each that limits.
  template <class F>
  void for_each_limiting(F f) const {
    for (unsigned left = limiting_; left != 0; left &= left - 1) {
      const auto meter = static_cast<std::size_t>(std::countr_zero(left));
      f(meter, meters_[meter]);
    }
  }

 private:
  std::array<MeterPolicy, kMeters> meters_{};
  unsigned limiting_ = 0;  ///< bit by meter
};

struct Cap {
  std::uint32_t max = 0;  ///< 0: no limit
  Mode mode = Mode::kShadow;
  /// Whether `count` more than fits.
  [[nodiscard]] bool exceeded_by(std::uint64_t count) const { return max != 0 && count > max; }
};

/// Options worked out once for the path of a message: rates as integer periods, each policy with
/// its mode, the allow list sorted. Immutable; a reload makes new ones (and then `carry_over`).
class Policies {
 public:
  /// `options` must be valid.
  explicit Policies(const Options& options);

  /// Whether the allow list names the event's user or address. Exact: equal hashes are not enough.
  [[nodiscard]] bool allows(const traffic::Event& event) const {
    return (!allow_users_.empty() && contains(allow_users_, event.user)) ||
           (!allow_addresses_.empty() && contains(allow_addresses_, event.address));
  }

  MeterPolicies user, address, connection;
  double user_messages_per_second = 0;  ///< as configured; 0: no limit
  Cap user_connections, address_connections, message_bytes;
  Duration delay_max{};
  GcraPolicy close_after;
  ControllerOptions controller;

 private:
  using Names = std::vector<std::pair<std::uint64_t, std::string>>;
  [[nodiscard]] static Names sorted(const std::vector<std::string>& texts);
  [[nodiscard]] static bool contains(const Names& names, const traffic::Name& name);

  Names allow_users_, allow_addresses_;
};

/// The policy that an override of kind rate puts in place of both message meters. A rate that an
/// operator could not have meant (not a number, out of range) is held to the range of
/// `RateOptions`.
[[nodiscard]] GcraPolicy policy_of(const traffic::Override& override);

/// Whether an override counts at `now`.
[[nodiscard]] inline bool in_force(const traffic::Override* override, SteadyTime now) {
  return override != nullptr && (!override->expires || now < *override->expires);
}

/// All that is wrong with an override before it is taken: the paths are those of the API's body.
[[nodiscard]] Problems validate(const traffic::Override& override);

}  // namespace liminal::limits
