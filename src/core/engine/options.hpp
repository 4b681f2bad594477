#pragma once

#include <cstdint>

#include "core/base/problem.hpp"
#include "core/base/time.hpp"
#include "core/detect/options.hpp"
#include "core/detect/rules.hpp"
#include "core/engine/alert_book.hpp"
#include "core/features/options.hpp"
#include "core/limits/options.hpp"
#include "core/limits/policies.hpp"

namespace liminal::engine {

struct Options {
  limits::Options limits;
  detect::Options detect;
  AlertOptions alerts;
  features::CrowdOptions crowd;
  /// Users and addresses a shard keeps; the least recently active is forgotten beyond it, counted.
  std::uint32_t users_max = 32'768;
  std::uint32_t addresses_max = 16'384;
  /// Overrides a shard keeps; a further one is refused.
  std::uint32_t overrides_max = 4'096;
  /// A user's features are handed out as a row to store at most so often.
  Duration row_interval = std::chrono::seconds{10};
  /// How far ahead of the last tick an event's time may be before it is held to be wrong.
  Duration horizon = std::chrono::seconds{2};
};
/// All that is wrong, with paths as in the configuration: "limits.user.messages.burst".
[[nodiscard]] Problems validate(const Options& options);

/// Options worked out once for the path of a message. Immutable, shared by all shards; a reload
/// makes new ones.
class Settings {
 public:
  /// `options` must be valid.
  explicit Settings(Options options);
  Settings(const Settings&) = delete;
  Settings& operator=(const Settings&) = delete;

  const Options options;
  const limits::Policies policies;
  const detect::Rules rules;
};

}  // namespace liminal::engine
