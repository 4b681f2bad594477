#include "core/limits/decide.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace liminal::limits {
namespace {

using traffic::Decision;
using traffic::Event;
using traffic::EventKind;
using traffic::Override;
using traffic::Reason;
using traffic::Verdict;

constexpr std::size_t kModes = 3;
constexpr auto kMessages = static_cast<std::size_t>(Meter::kMessages);
constexpr auto kSustained = static_cast<std::size_t>(Meter::kMessagesSustained);
constexpr auto kFirstOfBytes = static_cast<std::size_t>(Meter::kBytes);

constexpr std::size_t index(Mode mode) { return static_cast<std::size_t>(mode); }
constexpr bool passes(Decision decision) { return decision <= Decision::kDelay; }

/// What would be done if all policies of at least one mode were enforced.
struct World {
  Decision decision = Decision::kAllow;
  Reason reason = Reason::kNone;
  Duration wait{};
};

/// One world a mode, the strictest word in each.
class Worlds {
 public:
  void see(Mode mode, Decision decision, Reason reason, Duration wait) {
    for (std::size_t m = 0; m <= index(mode); ++m) {
      World& world = worlds_[m];
      const bool stricter =
          decision > world.decision || (decision == world.decision && wait > world.wait);
      if (stricter) world = {decision, reason, wait};
    }
  }

  /// Makes dropping into closing, in every world that drops.
  void persist() {
    for (World& world : worlds_)
      if (world.decision == Decision::kDrop) world.decision = Decision::kClose;
  }

  [[nodiscard]] Decision in(Mode mode) const { return worlds_[index(mode)].decision; }
  [[nodiscard]] bool passes_in(Mode mode) const { return passes(in(mode)); }
  [[nodiscard]] Duration wait_in(Mode mode) const { return worlds_[index(mode)].wait; }

  [[nodiscard]] Verdict verdict(const Event& event) const {
    Verdict verdict{.decision = event.reported ? Decision::kAllow : in(Mode::kEnforce),
                    .shadow = in(Mode::kShadow),
                    .observed = in(Mode::kObserve)};
    const bool acts = verdict.decision != Decision::kAllow;
    const World& speaker = worlds_[index(acts ? Mode::kEnforce : Mode::kShadow)];
    verdict.retry_after = speaker.wait;
    verdict.reason = speaker.decision != Decision::kAllow ? speaker.reason
                                                          : worlds_[index(Mode::kObserve)].reason;
    return verdict;
  }

 private:
  std::array<World, kModes> worlds_{};
};

/// The reasons of a subject's meters: messages, then bytes.
struct Reasons {
  Reason messages, bytes;
  [[nodiscard]] Reason of(std::size_t meter) const {
    return meter < kFirstOfBytes ? messages : bytes;
  }
};
constexpr Reasons kUserReasons{Reason::kUserMessages, Reason::kUserBytes};
constexpr Reasons kAddressReasons{Reason::kAddressMessages, Reason::kAddressBytes};
constexpr Reasons kConnectionReasons{Reason::kConnectionMessages, Reason::kConnectionBytes};

constexpr std::uint32_t cost_of(const Event& event, std::size_t meter) {
  return meter < kFirstOfBytes ? 1 : event.bytes;
}

void see(const MeterPolicies& policies,
         const Meters& meters,
         Reasons reasons,
         Duration delay_max,
         const Event& event,
         SteadyTime now,
         Worlds& worlds) {
  policies.for_each_limiting([&](std::size_t i, const MeterPolicy& policy) {
    const Duration excess = meters.gcra[i].excess(policy.gcra, now, cost_of(event, i));
    if (excess == Duration::zero()) return;
    const Decision decision = excess <= delay_max ? Decision::kDelay : Decision::kDrop;
    worlds.see(policy.mode, decision, reasons.of(i), excess);
  });
}

/// Charges a message when it leaves, which is later than it came when it is held back: so that what
/// leaves keeps to every rate, whichever of them held it.
void charge(const MeterPolicies& policies,
            Meters& meters,
            const Event& event,
            SteadyTime now,
            const Worlds& worlds) {
  policies.for_each_limiting([&](std::size_t i, const MeterPolicy& policy) {
    if (!worlds.passes_in(policy.mode)) return;
    const SteadyTime leaves = now + worlds.wait_in(policy.mode);
    meters.gcra[i].charge(policy.gcra, leaves, cost_of(event, i));
  });
}

std::uint32_t add_saturating(std::uint32_t a, std::uint32_t b) {
  return a + std::min(b, std::numeric_limits<std::uint32_t>::max() - a);
}

/// An override's policy, or the configured one at the user's own pace.
GcraPolicy messages_policy(const Policies& policies, Pace pace, const Override* rate) {
  return rate != nullptr ? policy_of(*rate) : policies.user[kMessages].gcra.at(pace);
}

}  // namespace

/// One decision; a class for the sake of what it may touch.
class Decider {
 public:
  Decider(const Policies& policies,
          UserLimits& user,
          AddressLimits* address,
          ConnectionLimits* connection,
          const Event& event,
          SteadyTime now)
      : policies_(policies),
        user_(user),
        address_(address),
        connection_(connection),
        event_(event),
        now_(now) {}

  /// Of who is not allowed everything; `order` is what an operator decided, or null.
  Verdict judge(const Override* order) {
    if (order != nullptr && order->kind == Override::Kind::kBlock) return refuse(*order);
    if (event_.kind == EventKind::kContinued) return continued(order);
    return event_.kind == EventKind::kConnect ? connect() : message(order);
  }

  void opened() {
    if (user_.connections_ < std::numeric_limits<std::uint16_t>::max()) ++user_.connections_;
    if (address_ != nullptr) ++address_->connections_;
  }

  void closed() {
    if (user_.connections_ > 0) --user_.connections_;
    if (address_ != nullptr && address_->connections_ > 0) --address_->connections_;
  }

 private:
  Verdict message(const Override* rate) {
    const SteadyTime address_now = address_ != nullptr ? address_->hold(now_) : now_;
    const MeterPolicies& own = own_policies(rate);
    follow_rate(own);
    const Cap& size = policies_.message_bytes;
    if (size.exceeded_by(event_.bytes))
      worlds_.see(size.mode, Decision::kClose, Reason::kMessageSize, Duration::max());
    see_meters(own, user_.meters_, kUserReasons, now_);
    if (address_ != nullptr)
      see_meters(policies_.address, address_->meters_, kAddressReasons, address_now);
    if (connection_ != nullptr)
      see_meters(policies_.connection, connection_->meters_, kConnectionReasons, now_);
    close_if_persistent();

    charge_meters(own, user_.meters_, now_);
    if (address_ != nullptr) charge_address(address_now);
    if (connection_ != nullptr) charge_meters(policies_.connection, connection_->meters_, now_);
    if (worlds_.passes_in(Mode::kShadow)) user_.controller_.count(now_);
    return worlds_.verdict(event_);
  }

  Verdict connect() {
    const auto see_cap = [this](const Cap& cap, std::uint64_t with_this, Reason reason) {
      if (cap.exceeded_by(with_this))
        worlds_.see(cap.mode, Decision::kDrop, reason, Duration::max());
    };
    see_cap(policies_.user_connections,
            std::uint64_t{user_.connections()} + 1,
            Reason::kUserConnections);
    if (address_ != nullptr)
      see_cap(policies_.address_connections, of_address(), Reason::kAddressConnections);
    return worlds_.verdict(event_);
  }

  /// What came of a message after it was let through, which cannot be taken back: it is charged,
  /// and closes when it made the message too large. Both where its beginning passed: elsewhere it
  /// would not have come.
  Verdict continued(const Override* rate) {
    const Cap& size = policies_.message_bytes;
    const bool grew = size.exceeded_by(event_.bytes) && !size.exceeded_by(event_.counted);
    if (grew && began_in(size.mode))
      worlds_.see(size.mode, Decision::kClose, Reason::kMessageSize, Duration::max());
    charge_rest(own_policies(rate), user_.meters_, now_);
    if (address_ != nullptr) charge_address_rest();
    if (connection_ != nullptr) charge_rest(policies_.connection, connection_->meters_, now_);
    return worlds_.verdict(event_);
  }

  /// Whether the beginning of what is continued passed in a mode's world.
  [[nodiscard]] bool began_in(Mode mode) const {
    if (mode == Mode::kEnforce) return true;
    return passes(mode == Mode::kShadow ? event_.begun.shadow : event_.begun.observed);
  }

  /// Of who is blocked: closed, or not let in.
  Verdict refuse(const Override& block) {
    const Decision decision =
        event_.kind == EventKind::kConnect ? Decision::kDrop : Decision::kClose;
    const Duration wait = block.expires ? *block.expires - now_ : Duration::max();
    worlds_.see(Mode::kEnforce, decision, Reason::kBlocked, wait);
    return worlds_.verdict(event_);
  }

  /// The user's policies at the user's pace, in `scratch_` unless they are everybody's.
  const MeterPolicies& own_policies(const Override* rate) {
    const bool ordinary = rate == nullptr && user_.pace_ == kNormalPace;
    return ordinary ? policies_.user : paced_policies(rate);
  }

  /// Whatever changed the rate since the last message (pace, override, expiry, reload): what was
  /// used up stays used up.
  void follow_rate(const MeterPolicies& own) {
    const Duration period = own[kMessages].gcra.period;
    if (period == user_.messages_period_) return;
    user_.meters_.gcra[kMessages].change_rate(user_.messages_period_, period, now_);
    user_.messages_period_ = period;
  }

  const MeterPolicies& paced_policies(const Override* rate) {
    scratch_ = policies_.user;
    policies_.user.for_each_limiting([this](std::size_t i, const MeterPolicy& policy) {
      scratch_.set(i, policy.gcra.at(user_.pace_));
    });
    if (rate != nullptr) {
      scratch_.set(kMessages, policy_of(*rate));
      scratch_.set(kSustained, {});
    }
    return scratch_;
  }

  void see_meters(const MeterPolicies& policies,
                  const Meters& meters,
                  Reasons reasons,
                  SteadyTime now) {
    see(policies, meters, reasons, policies_.delay_max, event_, now, worlds_);
  }

  void charge_meters(const MeterPolicies& policies, Meters& meters, SteadyTime now) {
    charge(policies, meters, event_, now, worlds_);
  }

  /// The address's connections with the one that asks: as who opens them counts them, or as shards
  /// have told each other.
  [[nodiscard]] std::uint64_t of_address() const {
    return event_.address_connections != 0 ? event_.address_connections
                                           : std::uint64_t{address_->connections()} + 1;
  }

  void charge_rest(const MeterPolicies& policies, Meters& meters, SteadyTime now) {
    policies.for_each_limiting([&](std::size_t i, const MeterPolicy& policy) {
      if (i >= kFirstOfBytes && began_in(policy.mode))
        meters.gcra[i].charge_any(policy.gcra, now, event_.rest());
    });
  }

  /// Nothing is decided by the address's time here: it stays where its last message left it.
  void charge_address_rest() {
    charge_rest(policies_.address, address_->meters_, std::max(now_, address_->last_));
    if (began_in(policies_.address[kFirstOfBytes].mode))
      address_->used_bytes_ = add_saturating(address_->used_bytes_, event_.rest());
  }

  void charge_address(SteadyTime now) {
    charge_meters(policies_.address, address_->meters_, now);
    if (worlds_.passes_in(policies_.address[kMessages].mode))
      address_->used_messages_ = add_saturating(address_->used_messages_, 1);
    if (worlds_.passes_in(policies_.address[kFirstOfBytes].mode))
      address_->used_bytes_ = add_saturating(address_->used_bytes_, event_.bytes);
  }

  void close_if_persistent() {
    if (worlds_.in(Mode::kShadow) != Decision::kDrop) return;
    if (!user_.drops_.take(policies_.close_after, now_).allowed) worlds_.persist();
  }

  const Policies& policies_;
  UserLimits& user_;
  AddressLimits* address_;
  ConnectionLimits* connection_;
  const Event& event_;
  SteadyTime now_;
  Worlds worlds_;
  MeterPolicies scratch_;
};

Verdict decide(const Policies& policies,
               UserLimits& user,
               AddressLimits* address,
               const Override* override,
               const Event& event,
               SteadyTime now,
               ConnectionLimits* connection) {
  now = std::clamp(now, SteadyTime{}, kTimeMax);
  Decider decider(policies, user, address, connection, event, now);
  const bool asks = event.kind == EventKind::kMessage || event.kind == EventKind::kConnect ||
                    event.kind == EventKind::kContinued;
  if (!asks) {
    if (event.kind == EventKind::kDisconnect || event.kind == EventKind::kNotServed)
      decider.closed();
    return {};
  }
  const Override* order = in_force(override, now) ? override : nullptr;
  const bool allowed =
      policies.allows(event) || (order != nullptr && order->kind == Override::Kind::kAllow);
  const Verdict verdict = allowed ? Verdict{} : decider.judge(order);
  if (event.kind == EventKind::kConnect && passes(verdict.decision)) decider.opened();
  return verdict;
}

InForce in_force(const Policies& policies,
                 const UserLimits& user,
                 const Override* override,
                 SteadyTime now) {
  // What the next adaptation would find: silence since the last one was calm.
  UserLimits rested = user;
  rested.adapt(policies, 0, now);
  const bool overridden = in_force(override, now);
  const bool rated = overridden && override->kind == Override::Kind::kRate;
  const GcraPolicy policy = messages_policy(policies, rested.pace(), rated ? override : nullptr);
  return {.messages_per_second = policy.per_second(),
          .burst = policy.unlimited() ? 0 : policy.burst,
          .ratio = rested.controller().ratio(policies.controller),
          .personal_ratio = rested.controller().personal_ratio(),
          .suspicion = rested.controller().suspicion(),
          .connections = user.connections(),
          .override = overridden ? override : nullptr};
}

}  // namespace liminal::limits
