#pragma once

#include <cstdint>

#include "core/base/problem.hpp"
#include "core/base/time.hpp"
#include "io/sqlite/database.hpp"

namespace liminal::sqlite {

/// How long and how much is kept. Ages count in the engine's time.
struct Retention {
  Duration rows_age = std::chrono::hours{7 * 24};     ///< two weekly seasons are the models' matter
  std::int64_t bytes = std::int64_t{1} << 30;         ///< the oldest rows make room for the rest
  Duration alerts_age = std::chrono::hours{90 * 24};  ///< since last seen; their feedback stays
  Duration audit_age = std::chrono::hours{365 * 24};
};

[[nodiscard]] Problems validate(const Retention& retention);

/// Removes the oldest of what is kept too long, at most this many of each kind in one go, so that
/// a commit in between never waits long (some 10 ms).
inline constexpr std::int64_t kRetentionStep = 2'000;

/// One step, in a transaction of its own. Gives what it removed; `more` when another step would
/// find something.
struct Removed {
  std::int64_t rows = 0;
  std::int64_t others = 0;
  bool more = false;
};
[[nodiscard]] Result<Removed> retain(Database& database,
                                     const Retention& retention,
                                     SteadyTime now);

/// Removes at most `kRetentionStep` feature rows older than a moment.
[[nodiscard]] Result<std::int64_t> forget_rows(Database& database, SteadyTime before);

}  // namespace liminal::sqlite
