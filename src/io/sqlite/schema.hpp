#pragma once

#include <span>

#include "io/sqlite/database.hpp"

namespace liminal::sqlite {

/// One step from version `n` to `n + 1` of the database (docs/formats/store.md), as it stands in a
/// list at index `n`; it ends by setting `user_version` to `n + 1`. Append only: a script that was
/// released is never edited.
using Migration = Sql;

[[nodiscard]] std::span<const Migration> migrations();

/// Brings a database to the newest version, each step in its own transaction: a crash in between
/// leaves a whole older version, and the next start goes on. Gives the version it had.
/// Errors: kUnsupported when a newer program wrote it (position: its version), else SQLite's.
[[nodiscard]] Result<std::int64_t> migrate(Database& database, std::span<const Migration> steps);

}  // namespace liminal::sqlite
