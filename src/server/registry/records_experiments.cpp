// Experiments and their decisions, as they are kept.
#include "io/sqlite/transaction.hpp"
#include "server/registry/columns.hpp"
#include "server/registry/records.hpp"

namespace liminal::registry {

using sqlite::Row;

Result<std::uint64_t> Records::add(const ExperimentRow& row) {
  const auto added = database_.run(
      "INSERT INTO experiments(model, champion, challenger, options, created_ns, state, saved) "
      "VALUES(?,?,?,?,?,?,?)",
      {row.model,
       row.champion,
       row.challenger,
       row.options,
       row.created,
       row.state,
       sqlite::Blob{row.saved}});
  if (!added) return tl::unexpected(added.error());
  return database_.integer("SELECT last_insert_rowid()").map([](auto id) {
    return static_cast<std::uint64_t>(id.value_or(0));
  });
}

Result<void> Records::update(const ExperimentRow& row) {
  return database_
      .run("UPDATE experiments SET options = ?, state = ?, ended_ns = ?, saved = ? WHERE id = ?",
           {row.options, row.state, row.ended, sqlite::Blob{row.saved}, row.id})
      .map(nothing);
}

Result<std::vector<ExperimentRow>> Records::experiments() {
  std::vector<ExperimentRow> found;
  return database_
      .each(
          "SELECT id, model, champion, challenger, options, created_ns, ended_ns, state, saved "
          "FROM experiments ORDER BY id DESC",
          {},
          [&](const Row& row) {
            found.push_back({static_cast<std::uint64_t>(row.integer(0)),
                             std::string(row.text(1)),
                             static_cast<std::uint32_t>(row.integer(2)),
                             static_cast<std::uint32_t>(row.integer(3)),
                             std::string(row.text(4)),
                             row.time(5),
                             maybe<SteadyTime>(row, 6),
                             std::string(row.text(7)),
                             std::string(row.blob(8))});
          })
      .map([&] { return std::move(found); });
}

Result<void> Records::forget_experiments(std::size_t kept) {
  return sqlite::in_transaction(database_, [&]() -> Result<void> {
    return database_
        .run(
            "DELETE FROM experiments WHERE ended_ns IS NOT NULL "
            "AND id <= (SELECT max(id) FROM experiments) - ?",
            {kept})
        .and_then([&](auto) {
          return database_.run(
              "DELETE FROM decisions WHERE experiment NOT IN (SELECT id FROM experiments)");
        })
        .map(nothing);
  });
}

Result<std::vector<std::uint32_t>> Records::versions_of_experiments(const std::string& model) {
  std::vector<std::uint32_t> found;
  return database_
      .each("SELECT champion, challenger FROM experiments WHERE model = ?",
            {model},
            [&](const Row& row) {
              found.push_back(static_cast<std::uint32_t>(row.integer(0)));
              found.push_back(static_cast<std::uint32_t>(row.integer(1)));
            })
      .map([&] { return std::move(found); });
}

Result<void> Records::decide(std::uint64_t experiment, const DecisionRow& row) {
  return database_
      .run(
          "INSERT INTO decisions(experiment, time_ns, state, difference, low, high, rows, text) "
          "VALUES(?,?,?,?,?,?,?,?)",
          {experiment, row.time, row.state, row.difference, row.low, row.high, row.rows, row.text})
      .map(nothing);
}

Result<std::vector<DecisionRow>> Records::decisions(std::uint64_t experiment) {
  std::vector<DecisionRow> found;
  return database_
      .each(
          "SELECT time_ns, state, difference, low, high, rows, text FROM decisions "
          "WHERE experiment = ? ORDER BY id",
          {experiment},
          [&](const Row& row) {
            found.push_back({row.time(0),
                             std::string(row.text(1)),
                             row.real(2),
                             maybe<double>(row, 3),
                             maybe<double>(row, 4),
                             row.real(5),
                             std::string(row.text(6))});
          })
      .map([&] { return std::move(found); });
}

}  // namespace liminal::registry
