#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <tl/expected.hpp>
#include <vector>

#include "core/traffic/alert.hpp"
#include "core/traffic/record.hpp"
#include "io/files/file_system.hpp"
#include "io/prometheus/snapshot.hpp"
#include "io/sqlite/directory_lock.hpp"
#include "remote_fits.hpp"
#include "server/api/backend.hpp"
#include "server/api/models_port.hpp"
#include "server/registry/answers.hpp"
#include "server/registry/experiments.hpp"
#include "server/registry/foreign.hpp"
#include "server/registry/jobs.hpp"
#include "server/registry/registry.hpp"
#include "server/training/rows.hpp"

namespace liminal::python {

/// What models of users learn from: feature rows, newest first, and alerts.
struct Material {
  std::vector<traffic::FeatureRow> rows;
  std::vector<traffic::Alert> alerts;
};
/// Adds what `Engine::material` gave; kMalformed, and nothing is added, when it makes no sense.
[[nodiscard]] Result<void> read_material(std::string_view bytes, Material& to);

struct ModelOptions {
  std::string folder;                    ///< of the registry
  std::vector<std::string> definitions;  ///< beside the first three (`learn::parse_definition`)
  std::uint32_t workers = 1;             ///< fits at a time
  std::shared_ptr<RemoteFits> fits{};    ///< of the trainer ray; null: there is none
  registry::ForeignOptions foreign{};    ///< what computes models of others
};

/// The models of a process in Python: registry, trainings and experiments as the program has them,
/// in a folder that nobody else writes. Thread-safe. Threads: one for trainings, one that lives
/// seconds.
class ModelsOf final : public api::ModelsPort {
 public:
  struct Sources {
    std::function<SteadyTime()> now;
    std::function<Material()> material;
  };
  /// Fails in words: the folder, or a definition.
  [[nodiscard]] static tl::expected<std::unique_ptr<ModelsOf>, std::string> open(
      files::FileSystem& system, const ModelOptions& options, Sources sources);
  ~ModelsOf() override;

  /// At once: who asks waits, whoever it is.
  bool run(std::function<void()> work) override {
    work();
    return true;
  }
  bool run_foreign(std::function<void()> work) override { return run(std::move(work)); }
  std::vector<learn::ModelState> models() override { return registry_->models(); }
  learn::Asked<std::vector<learn::AliasChange>> history(const std::string& model,
                                                        std::size_t limit) override {
    return registry_->history(model, limit);
  }
  learn::Asked<learn::ModelVersion> bring(const std::string& model,
                                          const std::string& file,
                                          const learn::Bringing& bringing) override {
    return registry_->bring(model, file, bringing, sources_.now(), "api");
  }
  learn::Asked<std::string> report(const std::string& model,
                                   std::uint32_t version,
                                   bool page) override;
  learn::Asked<std::string> file(const std::string& model,
                                 std::uint32_t version,
                                 bool batches) override {
    return registry_->file(model, version, batches);
  }
  learn::Asked<std::uint32_t> load(const std::string& model,
                                   std::optional<std::uint32_t> version) override;
  learn::Asked<void> unload(const std::string& model) override;
  learn::Asked<learn::TrainingJob> train(const learn::TrainRequest& request) override;
  std::vector<learn::TrainingJob> jobs(std::size_t limit) override { return jobs_->list(limit); }
  learn::Asked<learn::TrainingJob> job(std::uint64_t id) override { return jobs_->job(id); }
  learn::Asked<learn::TrainingJob> cancel(std::uint64_t id) override { return jobs_->cancel(id); }
  learn::Asked<learn::ExperimentView> begin_experiment(
      const learn::ExperimentRequest& request) override {
    return experiments_.begin(request);
  }
  std::vector<learn::ExperimentView> experiments() override { return experiments_.list(); }
  learn::Asked<learn::ExperimentView> experiment(std::uint64_t id) override {
    return experiments_.view(id);
  }
  learn::Asked<learn::ExperimentView> stop_experiment(std::uint64_t id) override {
    return experiments_.stop(id, "stopped by an operator");
  }
  learn::Asked<api::Predictor> predictor(const std::string& model,
                                         std::optional<std::uint32_t> version,
                                         std::string_view user) override;
  learn::Asked<api::Predictor> batch_predictor(const std::string& model,
                                               std::optional<std::uint32_t> version) override;
  void predicted(const api::Prediction& prediction) override;

  /// What a person said of an alert: experiments compare versions by it.
  void judged(const traffic::Alert& alert, traffic::FeedbackVerdict verdict);

  [[nodiscard]] std::vector<std::string> names() const;
  [[nodiscard]] std::size_t unfinished_jobs() const { return jobs_->unfinished(); }
  /// The group of a user of these features; none: no champion says anything of it.
  [[nodiscard]] std::optional<learn::UserGroup> group_of(const traffic::Features& features) const;
  /// Whether all champions that there should be answer.
  [[nodiscard]] api::Check check() const;
  void add_metrics(prometheus::Snapshot& out) const;
  [[nodiscard]] bool compares(const std::string& model) const { return experiments_.runs(model); }

 private:
  ModelsOf(const ModelOptions& options,
           Sources sources,
           sqlite::DirectoryLock lock,
           std::unique_ptr<registry::Registry> registry);
  /// Of what users' engines keep.
  [[nodiscard]] learn::Asked<training::Rows> kept_rows(const learn::ModelDefinition& definition,
                                                       const learn::TrainRequest& request) const;
  void live();

  const ModelOptions options_;
  const Sources sources_;
  const sqlite::DirectoryLock lock_;
  const std::unique_ptr<registry::Registry> registry_;
  registry::Experiments experiments_;
  registry::Answers answers_;
  mutable std::mutex mutex_;
  std::condition_variable ended_;
  bool ending_ = false;
  /// Last: its threads end first.
  const std::unique_ptr<registry::Jobs> jobs_;
  std::thread seconds_;
};

/// A version as it is sent to processes that only answer.
struct ModelCopy {
  std::string model;
  std::uint32_t version = 0;
  bool champion = false;
  std::string sha256, bytes;
};

/// Versions that another process keeps, here only to be asked: everything but `predictor` is
/// refused. Thread-safe.
class ModelCopies final : public api::ModelsPort {
 public:
  struct LeftOut {
    std::string model, why;
  };
  explicit ModelCopies(registry::ForeignOptions foreign) : runtime_(std::move(foreign)) {}
  /// Whether models of others can be computed as the options say (`ForeignRuntime::ready`).
  [[nodiscard]] learn::Asked<void> ready() const { return runtime_.ready(); }

  /// Takes these in the place of all before; a version whose bytes are empty is the one that is
  /// there already. What cannot be answered by here is left out, and given with the reason.
  [[nodiscard]] std::vector<LeftOut> take(const std::vector<ModelCopy>& copies);

  bool run(std::function<void()> work) override {
    work();
    return true;
  }
  bool run_foreign(std::function<void()> work) override { return run(std::move(work)); }
  std::vector<learn::ModelState> models() override { return {}; }
  learn::Asked<std::vector<learn::AliasChange>> history(const std::string&, std::size_t) override {
    return elsewhere();
  }
  learn::Asked<learn::ModelVersion> bring(const std::string&,
                                          const std::string&,
                                          const learn::Bringing&) override {
    return elsewhere();
  }
  learn::Asked<std::string> report(const std::string&, std::uint32_t, bool) override {
    return elsewhere();
  }
  learn::Asked<std::string> file(const std::string&, std::uint32_t, bool) override {
    return elsewhere();
  }
  learn::Asked<std::uint32_t> load(const std::string&, std::optional<std::uint32_t>) override {
    return elsewhere();
  }
  learn::Asked<void> unload(const std::string&) override { return elsewhere(); }
  learn::Asked<learn::TrainingJob> train(const learn::TrainRequest&) override {
    return elsewhere();
  }
  std::vector<learn::TrainingJob> jobs(std::size_t) override { return {}; }
  learn::Asked<learn::TrainingJob> job(std::uint64_t) override { return elsewhere(); }
  learn::Asked<learn::TrainingJob> cancel(std::uint64_t) override { return elsewhere(); }
  learn::Asked<learn::ExperimentView> begin_experiment(const learn::ExperimentRequest&) override {
    return elsewhere();
  }
  std::vector<learn::ExperimentView> experiments() override { return {}; }
  learn::Asked<learn::ExperimentView> experiment(std::uint64_t) override { return elsewhere(); }
  learn::Asked<learn::ExperimentView> stop_experiment(std::uint64_t) override {
    return elsewhere();
  }
  learn::Asked<api::Predictor> predictor(const std::string& model,
                                         std::optional<std::uint32_t> version,
                                         std::string_view user) override;
  /// kMissing always: what is kept for batches is not copied, so who keeps it must be asked.
  learn::Asked<api::Predictor> batch_predictor(const std::string&,
                                               std::optional<std::uint32_t>) override {
    return learn::refusal(ErrorCode::kMissing, "what is kept for batches is not here");
  }
  void predicted(const api::Prediction&) override {}

 private:
  static tl::unexpected<learn::Refusal> elsewhere() {
    return learn::refusal(ErrorCode::kUnavailable, "the models are kept elsewhere");
  }

  struct Held {
    bool champion = false;
    std::shared_ptr<const registry::Served> served;
  };
  using Versions = std::map<std::pair<std::string, std::uint32_t>, Held>;
  const registry::ForeignRuntime runtime_;
  std::mutex mutex_;
  Versions versions_;
};

}  // namespace liminal::python
