#pragma once

#include <utility>

#include "io/sqlite/database.hpp"

namespace liminal::sqlite {

/// Undoes the open transaction, if SQLite has not done so itself.
inline void roll_back(Database& database) {
  if (!database.idle()) (void)database.run("ROLLBACK");
}

/// Runs `body`, which gives a Result, between BEGIN and COMMIT: all of it or nothing.
template <class Body>
auto in_transaction(Database& database, Body&& body) -> decltype(body()) {
  if (const auto begun = database.run("BEGIN IMMEDIATE"); !begun)
    return tl::unexpected(begun.error());
  auto done = std::forward<Body>(body)();
  if (!done) {
    roll_back(database);
    return done;
  }
  if (const auto committed = database.run("COMMIT"); !committed) {
    roll_back(database);
    return tl::unexpected(committed.error());
  }
  return done;
}

}  // namespace liminal::sqlite
