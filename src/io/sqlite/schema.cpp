#include "io/sqlite/schema.hpp"

#include <array>

#include "core/base/check.hpp"

namespace liminal::sqlite {
namespace {

// Times are nanoseconds since the Unix epoch; an alert's id is shard << 56 | number. Numbers of
// enumerations are those of core/traffic, which only appends.
constexpr std::array<Migration, 2> kMigrations{R"sql(
CREATE TABLE numbers(
  name  TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO numbers VALUES ('engine_clock_ns', 0), ('feature_rows', 0), ('audit_kept_from_ns', 0);

CREATE TABLE meta(
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE feature_schemas(
  id    INTEGER PRIMARY KEY,
  hash  INTEGER NOT NULL UNIQUE,
  names TEXT NOT NULL
) STRICT;

CREATE TABLE feature_rows(
  time_ns  INTEGER NOT NULL,
  user     TEXT NOT NULL CHECK (user <> ''),
  address  TEXT NOT NULL,
  schema   INTEGER NOT NULL,
  features BLOB NOT NULL,
  PRIMARY KEY (time_ns, user)
) STRICT, WITHOUT ROWID;
CREATE INDEX feature_rows_by_user ON feature_rows(user, time_ns);

CREATE TABLE alerts(
  id            INTEGER PRIMARY KEY,
  user          TEXT NOT NULL CHECK (user <> ''),
  address       TEXT NOT NULL,
  type          INTEGER NOT NULL,
  severity      INTEGER NOT NULL,
  status        INTEGER NOT NULL,
  feedback      INTEGER NOT NULL,
  first_seen_ns INTEGER NOT NULL,
  last_seen_ns  INTEGER NOT NULL,
  count         INTEGER NOT NULL,
  score         REAL NOT NULL,
  confidence    REAL NOT NULL,
  detectors     INTEGER NOT NULL,
  input         INTEGER NOT NULL,
  first         BLOB NOT NULL,
  worst         BLOB NOT NULL,
  schema        INTEGER NOT NULL,
  features      BLOB NOT NULL
) STRICT;
CREATE INDEX alerts_by_time ON alerts(last_seen_ns);
CREATE INDEX alerts_by_user ON alerts(user, last_seen_ns);
CREATE INDEX alerts_open ON alerts(severity) WHERE status = 0;

CREATE TABLE feedback(
  id      INTEGER PRIMARY KEY,
  alert   INTEGER NOT NULL,
  verdict INTEGER NOT NULL CHECK (verdict > 0),
  note    TEXT NOT NULL,
  actor   TEXT NOT NULL,
  time_ns INTEGER NOT NULL
) STRICT;
CREATE INDEX feedback_by_alert ON feedback(alert);

CREATE TABLE overrides(
  user                TEXT PRIMARY KEY CHECK (user <> ''),
  kind                INTEGER NOT NULL,
  messages_per_second REAL NOT NULL,
  burst               INTEGER NOT NULL,
  reason              TEXT NOT NULL CHECK (reason <> ''),
  created_ns          INTEGER NOT NULL,
  expires_ns          INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE policies(
  name       TEXT PRIMARY KEY CHECK (name <> ''),
  json       TEXT NOT NULL CHECK (json_valid(json)),
  changed_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE audit(
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  time_ns INTEGER NOT NULL,
  actor   TEXT NOT NULL,
  action  TEXT NOT NULL,
  subject TEXT NOT NULL,
  detail  TEXT NOT NULL
) STRICT;
CREATE INDEX audit_by_time ON audit(time_ns);
CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only');
END;
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
WHEN old.time_ns >= (SELECT value FROM numbers WHERE name = 'audit_kept_from_ns') BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only');
END;

CREATE TABLE answers(
  key          TEXT PRIMARY KEY CHECK (key <> ''),
  request_hash INTEGER NOT NULL,
  status       INTEGER NOT NULL,
  headers      TEXT NOT NULL,
  body         BLOB NOT NULL,
  expires_ns   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX answers_by_expiry ON answers(expires_ns);

PRAGMA application_id = 0x4c494d4e; -- "LIMN": `file` and backups tell what this is
PRAGMA user_version = 1;
)sql",
                                               // Alerts that gateways told a cluster of.
                                               R"sql(
ALTER TABLE alerts ADD COLUMN gateway TEXT NOT NULL DEFAULT '';
ALTER TABLE alerts ADD COLUMN gateway_alert INTEGER NOT NULL DEFAULT 0;

PRAGMA user_version = 2;
)sql"};

Result<std::int64_t> version_of(Database& database) {
  return database.integer("PRAGMA user_version").map([](auto version) {
    return version.value_or(0);
  });
}

Result<void> step(Database& database, const Migration& migration, std::int64_t version) {
  return database.script("BEGIN IMMEDIATE")
      .and_then([&] { return database.script(migration); })
      .and_then([&] { return version_of(database); })
      .and_then([&](std::int64_t reached) {
        LIMINAL_CHECK(reached == version);  // every script ends by setting its version
        return database.script("COMMIT");
      });
}

}  // namespace

std::span<const Migration> migrations() { return kMigrations; }

Result<std::int64_t> migrate(Database& database, std::span<const Migration> steps) {
  const Result<std::int64_t> found = version_of(database);
  if (!found) return found;
  const auto newest = static_cast<std::int64_t>(steps.size());
  if (*found < 0 || *found > newest)
    return failure(ErrorCode::kUnsupported, static_cast<std::uint64_t>(*found));
  for (std::int64_t version = *found; version < newest; ++version) {
    const auto done = step(database, steps[static_cast<std::size_t>(version)], version + 1);
    if (done) continue;
    if (!database.idle()) (void)database.script("ROLLBACK");
    return tl::unexpected(done.error());
  }
  return found;
}

}  // namespace liminal::sqlite
