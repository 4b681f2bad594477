#include "server/registry/registry_schema.hpp"

#include <array>

namespace liminal::registry {
namespace {

// Times are nanoseconds since the Unix epoch, by the engine's clock.
constexpr std::array<sqlite::Migration, 8> kMigrations{R"sql(
CREATE TABLE versions(
  model       TEXT NOT NULL CHECK (model <> ''),
  number      INTEGER NOT NULL CHECK (number > 0),
  created_ns  INTEGER NOT NULL,
  trainer     TEXT NOT NULL,
  job         INTEGER NOT NULL,
  parent      INTEGER,
  sha256      TEXT NOT NULL CHECK (length(sha256) = 64),
  bytes       INTEGER NOT NULL,
  fingerprint TEXT NOT NULL,
  schema      INTEGER NOT NULL,
  metrics     TEXT NOT NULL CHECK (json_valid(metrics)),
  features    TEXT NOT NULL CHECK (json_valid(features)),
  report      TEXT NOT NULL CHECK (json_valid(report)),
  PRIMARY KEY (model, number)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER version_is_never_changed BEFORE UPDATE ON versions BEGIN
  SELECT RAISE(ABORT, 'versions are immutable');
END;

CREATE TABLE aliases(
  model  TEXT NOT NULL,
  alias  TEXT NOT NULL CHECK (alias IN ('champion', 'challenger')),
  number INTEGER NOT NULL,
  PRIMARY KEY (model, alias)
) STRICT, WITHOUT ROWID;

CREATE TABLE history(
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  model    TEXT NOT NULL,
  alias    TEXT NOT NULL,
  number   INTEGER,
  previous INTEGER,
  time_ns  INTEGER NOT NULL,
  actor    TEXT NOT NULL CHECK (actor <> ''),
  reason   TEXT NOT NULL CHECK (reason <> '')
) STRICT;
CREATE INDEX history_by_model ON history(model, id);
CREATE TRIGGER history_is_never_changed BEFORE UPDATE ON history BEGIN
  SELECT RAISE(ABORT, 'the history is append-only');
END;
CREATE TRIGGER history_is_kept BEFORE DELETE ON history BEGIN
  SELECT RAISE(ABORT, 'the history is append-only');
END;

CREATE TABLE jobs(
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  model       TEXT NOT NULL,
  source      TEXT NOT NULL,
  file        TEXT NOT NULL,
  trainer     TEXT NOT NULL,
  budget_s    REAL NOT NULL,
  fits_max    INTEGER NOT NULL,
  seed        INTEGER NOT NULL,
  auto_deploy INTEGER NOT NULL,
  state       TEXT NOT NULL,
  created_ns  INTEGER NOT NULL,
  started_ns  INTEGER,
  finished_ns INTEGER,
  progress    REAL NOT NULL,
  leaderboard TEXT NOT NULL CHECK (json_valid(leaderboard)),
  version     INTEGER,
  alias       TEXT,
  reasons     TEXT NOT NULL CHECK (json_valid(reasons)),
  problem     TEXT NOT NULL
) STRICT;

CREATE TABLE minutes(
  minute              INTEGER PRIMARY KEY,
  messages            INTEGER NOT NULL,
  connection_duration REAL,
  channels_count      REAL
) STRICT;

CREATE TABLE experiments(
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  model      TEXT NOT NULL,
  champion   INTEGER NOT NULL,
  challenger INTEGER NOT NULL,
  options    TEXT NOT NULL CHECK (json_valid(options)),
  created_ns INTEGER NOT NULL,
  ended_ns   INTEGER,
  state      TEXT NOT NULL,
  saved      BLOB NOT NULL
) STRICT;

CREATE TABLE decisions(
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  experiment INTEGER NOT NULL,
  time_ns    INTEGER NOT NULL,
  state      TEXT NOT NULL,
  difference REAL NOT NULL,
  low        REAL,
  high       REAL,
  rows       REAL NOT NULL,
  text       TEXT NOT NULL
) STRICT;
CREATE INDEX decisions_by_experiment ON decisions(experiment, id);
CREATE TRIGGER decision_is_never_changed BEFORE UPDATE ON decisions BEGIN
  SELECT RAISE(ABORT, 'the decision log is append-only');
END;
CREATE TRIGGER decision_is_kept BEFORE DELETE ON decisions BEGIN
  SELECT RAISE(ABORT, 'the decision log is append-only');
END;

PRAGMA application_id = 0x4c494d52; -- "LIMR"
PRAGMA user_version = 1;
)sql",
                                                       R"sql(
CREATE TABLE row_references(
  model  TEXT NOT NULL,
  number INTEGER NOT NULL,
  saved  BLOB NOT NULL,
  PRIMARY KEY (model, number)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER row_reference_is_never_changed BEFORE UPDATE ON row_references BEGIN
  SELECT RAISE(ABORT, 'versions are immutable');
END;

CREATE TABLE learning(
  model      TEXT PRIMARY KEY,
  retraining BLOB NOT NULL,
  number     INTEGER NOT NULL,
  watch      BLOB NOT NULL
) STRICT, WITHOUT ROWID;

PRAGMA user_version = 2;
)sql",
                                                       R"sql(
ALTER TABLE jobs ADD COLUMN unsupervised INTEGER NOT NULL DEFAULT 0;

PRAGMA user_version = 3;
)sql",
                                                       R"sql(
CREATE TABLE judged_models(
  model  TEXT NOT NULL,
  number INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  PRIMARY KEY (model, number)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER judged_model_is_never_changed BEFORE UPDATE ON judged_models BEGIN
  SELECT RAISE(ABORT, 'versions are immutable');
END;

PRAGMA user_version = 4;
)sql",
                                                       R"sql(
CREATE TABLE batch_models(
  model  TEXT NOT NULL,
  number INTEGER NOT NULL,
  sha256 TEXT NOT NULL CHECK (length(sha256) = 64),
  bytes  INTEGER NOT NULL,
  us_row REAL NOT NULL,
  PRIMARY KEY (model, number)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER batch_model_is_never_changed BEFORE UPDATE ON batch_models BEGIN
  SELECT RAISE(ABORT, 'versions are immutable');
END;

-- A log stays whole as long as its experiment is kept.
DROP TRIGGER decision_is_kept;
CREATE TRIGGER decision_is_kept BEFORE DELETE ON decisions
WHEN EXISTS (SELECT 1 FROM experiments WHERE id = OLD.experiment) BEGIN
  SELECT RAISE(ABORT, 'the decision log is append-only');
END;

PRAGMA user_version = 5;
)sql",
                                                       R"sql(
CREATE TABLE compared(
  model  TEXT NOT NULL,
  parent INTEGER NOT NULL,
  count  INTEGER NOT NULL CHECK (count > 0),
  PRIMARY KEY (model, parent)
) STRICT, WITHOUT ROWID;

PRAGMA user_version = 6;
)sql",
                                                       R"sql(
ALTER TABLE jobs ADD COLUMN leave_out_incidents INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN injected_abuse INTEGER NOT NULL DEFAULT 0;

PRAGMA user_version = 7;
)sql",
                                                       R"sql(
ALTER TABLE jobs ADD COLUMN distributed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN workers INTEGER NOT NULL DEFAULT 0;

PRAGMA user_version = 8;
)sql"};

}  // namespace

std::span<const sqlite::Migration> migrations() { return kMigrations; }

}  // namespace liminal::registry
