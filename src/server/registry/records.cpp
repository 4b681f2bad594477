#include "server/registry/records.hpp"

#include <filesystem>

#include "io/sqlite/transaction.hpp"
#include "server/registry/columns.hpp"
#include "server/registry/registry_schema.hpp"

namespace liminal::registry {
namespace {

using learn::AliasChange;
using learn::MinuteTotal;
using learn::ModelVersion;
using learn::TrainingJob;
using sqlite::Row;

constexpr std::chrono::milliseconds kBusyPatience{5000};

ModelVersion version_of(const Row& row) {
  ModelVersion version;
  version.model = row.text(0);
  version.number = static_cast<std::uint32_t>(row.integer(1));
  version.created = row.time(2);
  version.trainer = row.text(3);
  version.job = static_cast<std::uint64_t>(row.integer(4));
  version.parent = maybe<std::uint32_t>(row, 5);
  version.sha256 = row.text(6);
  version.bytes = static_cast<std::uint64_t>(row.integer(7));
  version.fingerprint = row.text(8);
  version.schema = static_cast<std::uint64_t>(row.integer(9));
  version.metrics = figures_of(row.text(10));
  version.features = list_of(row.text(11));
  version.report = row.text(12);
  if (!row.null(13))
    version.batches = {
        std::string(row.text(13)), static_cast<std::uint64_t>(row.integer(14)), row.real(15)};
  return version;
}

/// A column that a registry of an older version, opened to be read only, may not have.
bool is_set(const Row& row, int column) {
  return column < row.columns() && row.integer(column) != 0;
}

/// Columns in the order of the table.
TrainingJob job_of(const Row& row) {
  TrainingJob job;
  job.id = static_cast<std::uint64_t>(row.integer(0));
  job.request.model = row.text(1);
  job.request.source = learn::data_source_by_name(row.text(2)).value_or(learn::DataSource::kStore);
  job.request.file = row.text(3);
  job.request.trainer = row.text(4);
  job.request.budget_s = row.real(5);
  job.request.fits_max = static_cast<std::uint32_t>(row.integer(6));
  job.request.seed = static_cast<std::uint64_t>(row.integer(7));
  job.request.auto_deploy = row.integer(8) != 0;
  job.state = learn::job_state_by_name(row.text(9)).value_or(learn::JobState::kFailed);
  job.created = row.time(10);
  job.started = maybe<SteadyTime>(row, 11);
  job.finished = maybe<SteadyTime>(row, 12);
  job.progress = row.real(13);
  job.leaderboard = board_of(row.text(14));
  job.version = maybe<std::uint32_t>(row, 15);
  if (!row.null(16)) job.alias = learn::alias_by_name(row.text(16));
  job.reasons = list_of(row.text(17));
  job.problem = row.text(18);
  job.request.unsupervised = is_set(row, 19);
  job.request.leave_out_incidents = is_set(row, 20);
  job.request.injected_abuse = is_set(row, 21);
  job.request.distributed = is_set(row, 22);
  job.request.workers = is_set(row, 23) ? static_cast<std::uint32_t>(row.integer(23)) : 0;
  return job;
}

}  // namespace

Result<Records> Records::open(const std::string& folder, bool read_only) {
  const std::string path = (std::filesystem::path(folder) / kRecordsFile).string();
  std::error_code ignored;
  if (read_only && !std::filesystem::exists(path, ignored)) return failure(ErrorCode::kMissing);
  auto opened =
      sqlite::Database::open(path, {.read_only = read_only, .busy_patience = kBusyPatience});
  if (!opened) return tl::unexpected(opened.error());
  if (!read_only) {
    const auto ready =
        opened->script("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;").and_then([&] {
          return sqlite::migrate(*opened, migrations());
        });
    if (!ready) return tl::unexpected(ready.error());
  }
  return Records(std::move(*opened));
}

Result<std::vector<ModelVersion>> Records::versions() {
  std::vector<ModelVersion> found;
  return database_
      .each(
          "SELECT v.model, v.number, created_ns, trainer, job, parent, v.sha256, v.bytes, "
          "fingerprint, schema, metrics, features, report, b.sha256, b.bytes, b.us_row "
          "FROM versions v LEFT JOIN batch_models b ON b.model = v.model AND b.number = v.number "
          "ORDER BY v.model, v.number DESC",
          {},
          [&](const Row& row) { found.push_back(version_of(row)); })
      .map([&] { return std::move(found); });
}

Result<void> Records::add(const ModelVersion& version) {
  return database_
      .run("INSERT INTO versions VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)",
           {version.model,
            version.number,
            version.created,
            version.trainer,
            version.job,
            version.parent,
            version.sha256,
            version.bytes,
            version.fingerprint,
            version.schema,
            figures_json(version.metrics),
            list_json(version.features),
            version.report.empty() ? "{}" : version.report})
      .and_then([&](std::int64_t) -> Result<void> {
        if (!version.batches) return {};
        const learn::BatchFile& file = *version.batches;
        return database_
            .run("INSERT INTO batch_models VALUES(?,?,?,?,?)",
                 {version.model, version.number, file.sha256, file.bytes, file.us_row})
            .map(nothing);
      });
}

Result<void> Records::remove_versions(const std::string& model,
                                      const std::vector<std::uint32_t>& numbers) {
  return sqlite::in_transaction(database_, [&]() -> Result<void> {
    for (const std::uint32_t number : numbers) {
      const auto of_it = [&](sqlite::Sql sql) { return database_.run(sql, {model, number}); };
      const auto done =
          of_it(
              "INSERT INTO compared SELECT model, parent, 1 FROM versions "
              "WHERE model = ? AND number = ? AND job <> 0 AND parent IS NOT NULL "
              "ON CONFLICT(model, parent) DO UPDATE SET count = count + 1")
              .and_then([&](auto) {
                return of_it("DELETE FROM versions WHERE model = ? AND number = ?");
              })
              .and_then([&](auto) {
                return of_it("DELETE FROM compared WHERE model = ? AND parent = ?");
              })
              .and_then([&](auto) {
                return of_it("DELETE FROM row_references WHERE model = ? AND number = ?");
              })
              .and_then([&](auto) {
                return of_it("DELETE FROM judged_models WHERE model = ? AND number = ?");
              })
              .and_then([&](auto) {
                return of_it("DELETE FROM batch_models WHERE model = ? AND number = ?");
              });
      if (!done) return tl::unexpected(done.error());
    }
    return {};
  });
}

Result<std::vector<Records::ComparedRow>> Records::compared() {
  std::vector<ComparedRow> found;
  return database_
      .each("SELECT model, parent, count FROM compared",
            {},
            [&](const Row& row) {
              found.push_back({std::string(row.text(0)),
                               static_cast<std::uint32_t>(row.integer(1)),
                               static_cast<std::uint32_t>(row.integer(2))});
            })
      .map([&] { return std::move(found); });
}

Result<std::vector<Records::AliasRow>> Records::aliases() {
  std::vector<AliasRow> found;
  return database_
      .each("SELECT model, alias, number FROM aliases",
            {},
            [&](const Row& row) {
              const auto alias = learn::alias_by_name(row.text(1));
              if (alias)
                found.push_back(
                    {std::string(row.text(0)), *alias, static_cast<std::uint32_t>(row.integer(2))});
            })
      .map([&] { return std::move(found); });
}

Result<void> Records::change(const AliasChange& change) {
  const std::string_view alias = learn::name(change.alias);
  const auto set = change.version
                       ? database_.run("INSERT OR REPLACE INTO aliases VALUES(?,?,?)",
                                       {change.model, alias, *change.version})
                       : database_.run("DELETE FROM aliases WHERE model = ? AND alias = ?",
                                       {change.model, alias});
  if (!set) return tl::unexpected(set.error());
  return database_
      .run(
          "INSERT INTO history(model, alias, number, previous, time_ns, actor, reason) "
          "VALUES(?,?,?,?,?,?,?)",
          {change.model,
           alias,
           change.version,
           change.previous,
           change.time,
           change.actor,
           change.reason})
      .map(nothing);
}

Result<std::vector<AliasChange>> Records::history(const std::string& model, std::size_t limit) {
  std::vector<AliasChange> found;
  return database_
      .each(
          "SELECT id, model, alias, number, previous, time_ns, actor, reason FROM history "
          "WHERE model = ? ORDER BY id DESC LIMIT ?",
          {model, limit},
          [&](const Row& row) {
            found.push_back({static_cast<std::uint64_t>(row.integer(0)),
                             std::string(row.text(1)),
                             learn::alias_by_name(row.text(2)).value_or(learn::Alias::kChampion),
                             maybe<std::uint32_t>(row, 3),
                             maybe<std::uint32_t>(row, 4),
                             row.time(5),
                             std::string(row.text(6)),
                             std::string(row.text(7))});
          })
      .map([&] { return std::move(found); });
}

Result<std::uint64_t> Records::add(const TrainingJob& job) {
  const learn::TrainRequest& request = job.request;
  const auto added = database_.run(
      "INSERT INTO jobs(model, source, file, trainer, budget_s, fits_max, seed, auto_deploy, "
      "state, created_ns, progress, leaderboard, reasons, problem, unsupervised, "
      "leave_out_incidents, injected_abuse, distributed, workers) "
      "VALUES(?,?,?,?,?,?,?,?,?,?,0,'[]','[]','',?,?,?,?,?)",
      {request.model,
       learn::name(request.source),
       request.file,
       request.trainer,
       request.budget_s,
       request.fits_max,
       request.seed,
       request.auto_deploy ? 1 : 0,
       learn::name(job.state),
       job.created,
       request.unsupervised ? 1 : 0,
       request.leave_out_incidents ? 1 : 0,
       request.injected_abuse ? 1 : 0,
       request.distributed ? 1 : 0,
       request.workers});
  if (!added) return tl::unexpected(added.error());
  return database_.integer("SELECT last_insert_rowid()").map([](auto id) {
    return static_cast<std::uint64_t>(id.value_or(0));
  });
}

Result<void> Records::update(const TrainingJob& job) {
  std::optional<std::string_view> alias;
  if (job.alias) alias = learn::name(*job.alias);
  return database_
      .run(
          "UPDATE jobs SET state = ?, started_ns = ?, finished_ns = ?, progress = ?, "
          "leaderboard = ?, version = ?, alias = ?, reasons = ?, problem = ? WHERE id = ?",
          {learn::name(job.state),
           job.started,
           job.finished,
           job.progress,
           board_json(job.leaderboard),
           job.version,
           alias,
           list_json(job.reasons),
           job.problem,
           job.id})
      .map(nothing);
}

Result<std::optional<TrainingJob>> Records::job(std::uint64_t id) {
  std::optional<TrainingJob> found;
  return database_
      .each("SELECT * FROM jobs WHERE id = ?", {id}, [&](const Row& row) { found = job_of(row); })
      .map([&] { return std::move(found); });
}

Result<std::vector<TrainingJob>> Records::jobs(std::size_t limit) {
  std::vector<TrainingJob> found;
  return database_
      .each("SELECT * FROM jobs ORDER BY id DESC LIMIT ?",
            {limit},
            [&](const Row& row) { found.push_back(job_of(row)); })
      .map([&] { return std::move(found); });
}

Result<void> Records::forget_jobs(std::size_t kept) {
  return database_
      .run(
          "DELETE FROM jobs WHERE state NOT IN ('queued', 'running') "
          "AND id <= (SELECT max(id) FROM jobs) - ?",
          {kept})
      .map(nothing);
}

Result<std::int64_t> Records::fail_interrupted(SteadyTime now) {
  return database_.run(
      "UPDATE jobs SET state = 'failed', problem = 'interrupted: the server ended', "
      "finished_ns = ? WHERE state IN ('queued', 'running')",
      {now});
}

Result<void> Records::add(const MinuteTotal& total) {
  return database_
      .run(
          "INSERT INTO minutes VALUES(?,?,?,?) ON CONFLICT(minute) DO UPDATE SET "
          "messages = messages + excluded.messages, "
          "connection_duration = excluded.connection_duration, "
          "channels_count = excluded.channels_count",
          {total.minute, total.messages, total.connection_duration, total.channels_count})
      .map(nothing);
}

Result<std::vector<MinuteTotal>> Records::minutes(std::size_t limit) {
  std::vector<MinuteTotal> found;
  return database_
      .each(
          "SELECT minute, messages, connection_duration, channels_count FROM (SELECT * FROM "
          "minutes ORDER BY minute DESC LIMIT ?) ORDER BY minute",
          {limit},
          [&](const Row& row) {
            found.push_back({row.integer(0),
                             static_cast<std::uint64_t>(row.integer(1)),
                             maybe<double>(row, 2),
                             maybe<double>(row, 3)});
          })
      .map([&] { return std::move(found); });
}

Result<void> Records::forget_minutes(std::int64_t before) {
  return database_.run("DELETE FROM minutes WHERE minute < ?", {before}).map(nothing);
}

Result<void> Records::add_reference(const std::string& model,
                                    std::uint32_t number,
                                    const std::string& saved) {
  return database_
      .run("INSERT INTO row_references VALUES(?,?,?)", {model, number, sqlite::Blob{saved}})
      .map(nothing);
}

Result<std::optional<std::string>> Records::reference(const std::string& model,
                                                      std::uint32_t number) {
  std::optional<std::string> found;
  return database_
      .each("SELECT saved FROM row_references WHERE model = ? AND number = ?",
            {model, number},
            [&](const Row& row) { found = std::string(row.blob(0)); })
      .map([&] { return std::move(found); });
}

Result<void> Records::add_judged(const std::string& model,
                                 std::uint32_t number,
                                 const std::string& sha256) {
  return database_.run("INSERT INTO judged_models VALUES(?,?,?)", {model, number, sha256})
      .map(nothing);
}

Result<std::optional<std::string>> Records::judged_sha256(const std::string& model,
                                                          std::uint32_t number) {
  std::optional<std::string> found;
  return database_
      .each("SELECT sha256 FROM judged_models WHERE model = ? AND number = ?",
            {model, number},
            [&](const Row& row) { found = std::string(row.text(0)); })
      .map([&] { return std::move(found); });
}

Result<std::optional<std::uint32_t>> Records::last_champion(const std::string& model) {
  std::optional<std::uint32_t> found;
  return database_
      .each(
          "SELECT number FROM history WHERE model = ? AND alias = 'champion' "
          "AND number IS NOT NULL ORDER BY id DESC LIMIT 1",
          {model},
          [&](const Row& row) { found = static_cast<std::uint32_t>(row.integer(0)); })
      .map([&] { return std::move(found); });
}

Result<void> Records::put(const LearningRow& row) {
  return database_
      .run("INSERT OR REPLACE INTO learning VALUES(?,?,?,?)",
           {row.model, sqlite::Blob{row.retraining}, row.number, sqlite::Blob{row.watch}})
      .map(nothing);
}

Result<std::vector<LearningRow>> Records::learning() {
  std::vector<LearningRow> found;
  return database_
      .each("SELECT model, retraining, number, watch FROM learning",
            {},
            [&](const Row& row) {
              found.push_back({std::string(row.text(0)),
                               std::string(row.blob(1)),
                               static_cast<std::uint32_t>(row.integer(2)),
                               std::string(row.blob(3))});
            })
      .map([&] { return std::move(found); });
}

}  // namespace liminal::registry
