#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/learn/registered.hpp"
#include "io/sqlite/database.hpp"

namespace liminal::registry {

/// An experiment as it is kept. `options` is JSON, `saved` the running figures.
struct ExperimentRow {
  std::uint64_t id = 0;
  std::string model;
  std::uint32_t champion = 0, challenger = 0;
  std::string options;
  SteadyTime created;
  std::optional<SteadyTime> ended;
  std::string state;
  std::string saved;
};

/// Continuous learning of a model as it is kept.
struct LearningRow {
  std::string model;
  std::string retraining;    ///< a `learn::Retraining`
  std::uint32_t number = 0;  ///< the version that is watched; 0: none
  std::string watch;         ///< its `learn::Watch`
};

using DecisionRow = learn::ExperimentView::Decision;

/// The registry's database: one connection, every change committed and synced when its call
/// returns. What it says is what survives a kill or a loss of power. Not thread-safe.
class Records {
 public:
  /// `read_only` opens what is there, beside a server that runs; else the schema is brought up to
  /// date. kMissing when it is to be read and there is none.
  [[nodiscard]] static Result<Records> open(const std::string& folder, bool read_only);

  [[nodiscard]] Result<std::vector<learn::ModelVersion>> versions();
  [[nodiscard]] Result<void> add(const learn::ModelVersion& version);
  /// With all that is kept of them but their lines of the history and how many there were
  /// (`compared`).
  [[nodiscard]] Result<void> remove_versions(const std::string& model,
                                             const std::vector<std::uint32_t>& numbers);

  /// How many versions that were trained against a version were removed.
  struct ComparedRow {
    std::string model;
    std::uint32_t parent = 0, count = 0;
  };
  [[nodiscard]] Result<std::vector<ComparedRow>> compared();

  struct AliasRow {
    std::string model;
    learn::Alias alias{};
    std::uint32_t version = 0;
  };
  [[nodiscard]] Result<std::vector<AliasRow>> aliases();
  /// Sets or removes an alias and appends to the history.
  [[nodiscard]] Result<void> change(const learn::AliasChange& change);
  [[nodiscard]] Result<std::vector<learn::AliasChange>> history(const std::string& model,
                                                                std::size_t limit);

  [[nodiscard]] Result<std::uint64_t> add(const learn::TrainingJob& job);
  [[nodiscard]] Result<void> update(const learn::TrainingJob& job);
  [[nodiscard]] Result<std::optional<learn::TrainingJob>> job(std::uint64_t id);
  [[nodiscard]] Result<std::vector<learn::TrainingJob>> jobs(std::size_t limit);
  /// All that have ended but the newest `kept`.
  [[nodiscard]] Result<void> forget_jobs(std::size_t kept);
  /// Jobs that were waiting or under way when the process ended fail: "interrupted".
  [[nodiscard]] Result<std::int64_t> fail_interrupted(SteadyTime now);

  [[nodiscard]] Result<void> add(const learn::MinuteTotal& total);
  /// The newest `limit`, oldest first.
  [[nodiscard]] Result<std::vector<learn::MinuteTotal>> minutes(std::size_t limit);
  [[nodiscard]] Result<void> forget_minutes(std::int64_t before);

  [[nodiscard]] Result<std::uint64_t> add(const ExperimentRow& row);
  [[nodiscard]] Result<void> update(const ExperimentRow& row);
  [[nodiscard]] Result<std::vector<ExperimentRow>> experiments();
  /// All that have ended but the newest `kept`, with their decisions.
  [[nodiscard]] Result<void> forget_experiments(std::size_t kept);
  /// Those of experiments that are kept.
  [[nodiscard]] Result<std::vector<std::uint32_t>> versions_of_experiments(
      const std::string& model);
  [[nodiscard]] Result<void> decide(std::uint64_t experiment, const DecisionRow& row);
  [[nodiscard]] Result<std::vector<DecisionRow>> decisions(std::uint64_t experiment);

  /// What a version's rows were like: a `learn::WatchReference`.
  [[nodiscard]] Result<void> add_reference(const std::string& model,
                                           std::uint32_t number,
                                           const std::string& saved);
  [[nodiscard]] Result<std::optional<std::string>> reference(const std::string& model,
                                                             std::uint32_t number);
  /// Of the file of what was judged of a version.
  [[nodiscard]] Result<void> add_judged(const std::string& model,
                                        std::uint32_t number,
                                        const std::string& sha256);
  [[nodiscard]] Result<std::optional<std::string>> judged_sha256(const std::string& model,
                                                                 std::uint32_t number);
  /// Which version was champion last.
  [[nodiscard]] Result<std::optional<std::uint32_t>> last_champion(const std::string& model);
  [[nodiscard]] Result<void> put(const LearningRow& row);
  [[nodiscard]] Result<std::vector<LearningRow>> learning();

  [[nodiscard]] sqlite::Database& database() { return database_; }

 private:
  explicit Records(sqlite::Database database) : database_(std::move(database)) {}
  sqlite::Database database_;
};

/// The database's file inside the registry's folder.
inline constexpr std::string_view kRecordsFile = "registry.db";

}  // namespace liminal::registry
