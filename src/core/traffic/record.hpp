#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/base/time.hpp"
#include "core/traffic/schema.hpp"

namespace liminal::traffic {

/// A user's features at one moment, as stored and as models are trained on.
struct FeatureRow {
  std::string user;
  std::string address;  ///< last seen; may be empty
  SteadyTime time;
  Features features;
};

/// What an operator decided about one user: beats every learnt limit until it expires.
struct Override {
  enum class Kind : std::uint8_t {
    kAllow,  ///< never limited, whatever is found
    kBlock,  ///< every message and connection is refused
    kRate,   ///< the messages policy is `messages_per_second` with `burst`
  };
  std::string user;
  Kind kind = Kind::kRate;
  double messages_per_second = 0;  ///< > 0 for `kRate`
  std::uint32_t burst = 0;         ///< ≥ 1 for `kRate`
  std::string reason;              ///< never empty: who reads it later asks why
  SteadyTime created;
  std::optional<SteadyTime> expires;  ///< none: until it is deleted
};

[[nodiscard]] std::string_view name(Override::Kind kind);
[[nodiscard]] std::optional<Override::Kind> override_kind_by_name(std::string_view name);

/// One line of the append-only audit log: an enforcement or a change that somebody made.
struct AuditEntry {
  SteadyTime time;
  std::string actor;    ///< "engine", "api", "command line", "configuration"
  std::string action;   ///< "drop", "close", "override.set", "feedback", "cleanup", "reload", …
  std::string subject;  ///< a user, an alert id, a file
  std::string detail;   ///< in words and numbers
};

}  // namespace liminal::traffic
