#pragma once

#include <cstdint>
#include <string_view>

#include "core/base/time.hpp"
#include "core/traffic/finding.hpp"

namespace liminal::traffic {

/// What happens to a message or a connection, mildest first.
enum class Decision : std::uint8_t { kAllow, kDelay, kDrop, kClose };
[[nodiscard]] std::string_view name(Decision decision);

/// Which limit spoke; `kFinding` when it was a finding's action. Names are labels of metrics.
enum class Reason : std::uint8_t {
  kNone,
  kUserMessages,
  kUserBytes,
  kUserConnections,
  kAddressMessages,
  kAddressBytes,
  kAddressConnections,
  kConnectionMessages,
  kMessageSize,
  kBlocked,
  kFinding,
  kConnectionBytes,
};
inline constexpr std::size_t kReasons = 12;
[[nodiscard]] std::string_view name(Reason reason);

/// The answer to one event. `decision` is what to do; `shadow` is what would have been done if what
/// is in shadow were enforced (equal to `decision` when it is), `observed` if what is only observed
/// were, too: each at least as strict as the one before.
struct Verdict {
  Decision decision = Decision::kAllow;
  Decision shadow = Decision::kAllow;
  Decision observed = Decision::kAllow;
  Reason reason = Reason::kNone;  ///< of `decision`, or of `shadow` when that is allow
  FindingType finding{};          ///< when the reason is `kFinding`
  Duration retry_after{};         ///< exact; zero when allowed; `Duration::max()` for never
  bool violated = false;          ///< a limit was exceeded, whatever findings came to
  friend bool operator==(const Verdict&, const Verdict&) = default;
};

/// What the beginning of a message came to where more were enforced: a message that goes on was let
/// through, but of one that would have been refused nothing more would have come. And whether it
/// counted as a violation.
struct Beginning {
  Decision shadow = Decision::kAllow;
  Decision observed = Decision::kAllow;
  bool violated = false;

  Beginning() = default;
  explicit Beginning(const Verdict& verdict)
      : shadow(verdict.shadow), observed(verdict.observed), violated(verdict.violated) {}
  friend bool operator==(const Beginning&, const Beginning&) = default;
};

}  // namespace liminal::traffic
