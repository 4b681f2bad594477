#pragma once

#include "core/base/time.hpp"
#include "core/limits/policies.hpp"
#include "core/limits/subjects.hpp"
#include "core/traffic/event.hpp"
#include "core/traffic/record.hpp"
#include "core/traffic/verdict.hpp"

namespace liminal::limits {

/// Decides on one event by every limit that concerns it, and counts it.
///
/// Messages climb a ladder. Within all limits: allow. Early by no more than `delay_max`: delay, by
/// exactly `retry_after`; held for so long, messages leave in order and keep to every limit.
/// Earlier than that: drop; it costs nothing. Dropped more often than `close_after`: close. A
/// message above the size cap closes at once (1009). A connection that is one too many is dropped,
/// that is, refused; its `retry_after` is never, because waiting alone does not help.
///
/// An override or allow list comes first: who is allowed is not limited, counted or charged to an
/// address; who is blocked is closed or refused in every mode, because a person ordered it; a rate
/// replaces both message meters of the user, and neither pace nor what was learnt touches it.
///
/// Modes: `decision` is what the enforcing policies say together, `shadow` what the shadowing ones
/// say with them, `observed` what all say; the excess over an observed policy shows in `reason`
/// too. A meter counts what passes where all policies at least as trusted as its own are enforced,
/// so that switching from shadow to enforce changes nothing but who carries the verdict out.
///
/// The rest of a message that was judged before it was whole (`kContinued`) is charged in full, up
/// to `kDebtMax`, and refused no more; what made it too large closes. Where its beginning would
/// have been refused (`Event::begun`) it would not have come, and neither happens.
///
/// Of an event that is only reported (`Event::reported`) nothing can be refused any more:
/// `decision` is allow, `shadow` says what it would have been, and a connection is open.
///
/// Guarantees: a verdict is a function of the state and the arguments, in integers; only messages
/// that pass are charged, to all meters or none, and only of them what comes later; `retry_after`
/// is the least time after which the same message, alone, would be allowed. `address` and
/// `connection` may be null: not known, not limited. A disconnect must follow only a connect that
/// was let through. Times outside [0, `kTimeMax`] count as the nearest inside. Some 45 ns, `adapt`
/// included (`decide_bench.cpp`).
[[nodiscard]] traffic::Verdict decide(const Policies& policies,
                                      UserLimits& user,
                                      AddressLimits* address,
                                      const traffic::Override* override,
                                      const traffic::Event& event,
                                      SteadyTime now,
                                      ConnectionLimits* connection = nullptr);

/// Whether a limit was exceeded, whatever came of it: a violation, as features count them.
[[nodiscard]] constexpr bool violates(const traffic::Verdict& verdict) {
  return verdict.reason != traffic::Reason::kNone;
}

/// The message limit that holds for a user, for people to read.
struct InForce {
  double messages_per_second = 0;  ///< 0: no limit
  std::uint32_t burst = 0;
  double ratio = 1;           ///< of the configured rate: what the controller makes of it
  double personal_ratio = 1;  ///< the same without suspicion
  double suspicion = 0;       ///< 0–1
  std::uint32_t connections = 0;
  const traffic::Override* override = nullptr;  ///< the one in force, or null
};
[[nodiscard]] InForce in_force(const Policies& policies,
                               const UserLimits& user,
                               const traffic::Override* override,
                               SteadyTime now);

}  // namespace liminal::limits
