#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "app/configuration/configuration.hpp"
#include "app/log.hpp"
#include "app/serve/blocking_thread.hpp"
#include "core/salience/learnt.hpp"
#include "core/traffic/record.hpp"
#include "io/files/file_system.hpp"
#include "io/prometheus/snapshot.hpp"
#include "io/sqlite/store.hpp"
#include "server/api/backend.hpp"
#include "server/api/models_port.hpp"
#include "server/registry/answers.hpp"
#include "server/registry/experiments.hpp"
#include "server/registry/jobs.hpp"
#include "server/registry/learning.hpp"
#include "server/registry/registry.hpp"
#include "server/shards/clock.hpp"
#include "server/training/begin.hpp"
#include "server/training/kenning.hpp"
#include "server/training/rows.hpp"
#include "server/uplink/training.hpp"

namespace liminal::app {

/// The models of a running server: registry, trainings, and what they are trained from.
/// Thread-safe.
class ModelKeeper final : public api::ModelsPort {
 public:
  struct Parts {
    sqlite::Store& store;
    const shards::EngineClock& clock;
    /// The newest feature rows, at most so many.
    std::function<std::vector<traffic::FeatureRow>(std::size_t limit)> recent;
    /// Alerts that operators judged, with what they were ranked by.
    std::function<std::vector<salience::JudgedTerms>()> judged_alerts;
    Log& log;
    /// Has a cluster train; null: there is none.
    std::function<learn::Asked<uplink::Trained>(const learn::TrainRequest&,
                                                const training::Telling&)>
        there{};
  };
  [[nodiscard]] static tl::expected<std::unique_ptr<ModelKeeper>, std::string> open(
      const Configuration& configuration, files::FileSystem& system, const Parts& parts);
  ~ModelKeeper() override;

  /// Makes a file that came from elsewhere a version and champion. Its features must be the
  /// definition's. Why not, in words.
  [[nodiscard]] std::optional<std::string> take_champion(const std::string& model,
                                                         std::string_view file,
                                                         const std::string& actor,
                                                         const std::string& reason);

  /// Who listens to `on_champion_changed` does so here.
  [[nodiscard]] registry::Registry& model_registry() const { return *registry_; }

  bool run(std::function<void()> work) override;
  bool run_foreign(std::function<void()> work) override;
  std::vector<learn::ModelState> models() override;
  learn::Asked<std::vector<learn::AliasChange>> history(const std::string& model,
                                                        std::size_t limit) override;
  learn::Asked<learn::ModelVersion> bring(const std::string& model,
                                          const std::string& file,
                                          const learn::Bringing& bringing) override;
  learn::Asked<std::string> report(const std::string& model,
                                   std::uint32_t version,
                                   bool page) override;
  learn::Asked<std::string> file(const std::string& model,
                                 std::uint32_t version,
                                 bool batches) override;
  learn::Asked<std::uint32_t> load(const std::string& model,
                                   std::optional<std::uint32_t> version) override;
  learn::Asked<void> unload(const std::string& model) override;
  learn::Asked<learn::TrainingJob> train(const learn::TrainRequest& request) override;
  std::vector<learn::TrainingJob> jobs(std::size_t limit) override;
  learn::Asked<learn::TrainingJob> job(std::uint64_t id) override;
  learn::Asked<learn::TrainingJob> cancel(std::uint64_t id) override;
  learn::Asked<learn::ExperimentView> begin_experiment(
      const learn::ExperimentRequest& request) override;
  std::vector<learn::ExperimentView> experiments() override;
  learn::Asked<learn::ExperimentView> experiment(std::uint64_t id) override;
  learn::Asked<learn::ExperimentView> stop_experiment(std::uint64_t id) override;
  learn::Asked<api::Predictor> predictor(const std::string& model,
                                         std::optional<std::uint32_t> version,
                                         std::string_view user) override;
  learn::Asked<api::Predictor> batch_predictor(const std::string& model,
                                               std::optional<std::uint32_t> version) override;
  void predicted(const api::Prediction& prediction) override;
  std::vector<learn::LearningView> learning() override;

  /// What a person said of an alert: experiments compare versions by it. Does not wait.
  void judged(const traffic::Alert& alert, traffic::FeedbackVerdict verdict);

  /// Once a second, with the messages of all users so far: what `load_prediction` learns from.
  void second(SteadyTime now, std::uint64_t messages);

  [[nodiscard]] std::vector<std::string> names() const;
  [[nodiscard]] std::size_t unfinished_jobs() const;
  /// What is said of the load in five minutes; none: no champion says anything of it.
  [[nodiscard]] std::optional<learn::LoadForecast> load_forecast() const;
  /// The group of a user of these features; none likewise. Does not wait.
  [[nodiscard]] std::optional<learn::UserGroup> group_of(const traffic::Features& features) const;
  /// Whether all champions that there should be answer.
  [[nodiscard]] api::Check check() const;
  void add_metrics(prometheus::Snapshot& out) const;

  /// Takes what of `learning.…` another configuration says.
  void reload(const Configuration& configuration);

  /// Ends trainings and what is being answered, while those who asked are still there.
  void finish();

 private:
  ModelKeeper(const Configuration& configuration,
              const Parts& parts,
              std::unique_ptr<registry::Registry> registry);
  [[nodiscard]] learn::Asked<learn::TrainingJob> begin_training(const learn::TrainRequest& request);
  [[nodiscard]] learn::Asked<learn::TrainedModel> train_there(
      const learn::ModelDefinition& definition,
      const learn::TrainRequest& request,
      const training::Telling& telling);
  [[nodiscard]] registry::Learning::Ports learning_ports();
  /// Of what the server keeps.
  [[nodiscard]] learn::Asked<training::Rows> kept_rows(const learn::ModelDefinition& definition,
                                                       const learn::TrainRequest& request);
  [[nodiscard]] learn::Asked<training::Rows> minute_rows(const learn::ModelDefinition& definition,
                                                         const learn::TrainRequest& request);
  /// Those since the oldest row.
  [[nodiscard]] learn::Asked<std::vector<traffic::Alert>> alerts_since(SteadyTime oldest);
  void note(std::string_view actor,
            std::string action,
            const std::string& model,
            std::string detail);
  void observe_traffic();
  void observe_minute();
  void foretell(const learn::MinuteTotal& total);
  void foretell_from_newest();
  void keep_minutes(std::int64_t first, std::int64_t count, std::uint64_t messages);

  const Parts parts_;
  const std::string folder_;  ///< of files to train from
  const std::uint32_t workers_;
  const std::uint64_t rows_bytes_max_;
  const training::RowBudgets budgets_;
  const std::vector<learn::ModelDefinition> definitions_;
  std::unique_ptr<registry::Registry> registry_;
  const std::shared_ptr<const training::KenningOptions> kenning_;
  registry::Experiments experiments_;
  registry::Answers answers_;
  SteadyTime observed_{};               ///< feature rows up to here; of the working thread
  std::optional<std::int64_t> minute_;  ///< that is being counted; of the thread of `second`
  std::uint64_t messages_before_ = 0;
  mutable std::mutex foretold_mutex_;
  std::optional<learn::LoadForecast> foretold_;      ///< from the last minute
  std::optional<learn::MinuteTotal> newest_minute_;  ///< from which nothing was foretold yet
  std::unique_ptr<registry::Jobs> jobs_;
  std::unique_ptr<registry::Learning> learning_;
  std::unique_ptr<BlockingThread> work_ = std::make_unique<BlockingThread>();
  std::unique_ptr<BlockingThread> foreign_ = std::make_unique<BlockingThread>();
};

/// The registry that a configuration speaks of.
[[nodiscard]] registry::Registry::Options registry_options(const Configuration& configuration);
[[nodiscard]] registry::Learning::Options learning_options(const Configuration& configuration);

/// The models that a configuration knows: the first three and its own.
[[nodiscard]] std::vector<learn::ModelDefinition> model_definitions(
    const Configuration& configuration);

}  // namespace liminal::app
