#pragma once

#include <cstdint>
#include <span>

#include "io/sqlite/database.hpp"
#include "io/sqlite/records.hpp"

namespace liminal::sqlite {

/// Finds the number under which this program's feature schema is known to the database, adding it
/// when it is new.
[[nodiscard]] Result<std::int64_t> register_schema(Database& database);

/// Carries out one write inside a transaction.
Result<void> apply(Database& database, const Write& write, std::int64_t schema);

/// Adds rows inside a transaction and counts them; one with the user and time of another is left
/// out. Gives how many were added.
Result<std::int64_t> add_rows(Database& database,
                              std::span<const traffic::FeatureRow> rows,
                              std::int64_t schema);

/// Persists the engine's clock; an older time than the persisted one changes nothing.
Result<void> save_clock(Database& database, SteadyTime now);

}  // namespace liminal::sqlite
