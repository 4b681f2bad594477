#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/time.hpp"
#include "core/learn/registered.hpp"
#include "core/models/scorer.hpp"

namespace liminal::api {

/// One version that answers; whoever holds it may ask it.
struct Predictor {
  std::uint32_t version = 0;
  std::shared_ptr<const models::Scorer> scorer;
  bool batches = false;  ///< what is kept for batches beside it
};

/// What was asked of a predictor, for measures and experiments.
struct Prediction {
  const std::string& model;
  const Predictor& by;
  std::span<const float> rows;
  std::span<const models::Prediction> said;
  std::string_view user;  ///< empty: not told
  Duration took{};
};

/// What the API needs from the keeper of models. Thread-safe. But for `predictor` and `predicted`,
/// calls may wait for a disk: the API makes them by `run`.
class ModelsPort {
 public:
  virtual ~ModelsPort() = default;

  /// Work that takes longer than the API's threads should, done elsewhere. False when too much
  /// waits.
  virtual bool run(std::function<void()> work) = 0;
  /// The same for asking foreign models, which may be slow: where they hold up nothing but each
  /// other.
  virtual bool run_foreign(std::function<void()> work) = 0;

  [[nodiscard]] virtual std::vector<learn::ModelState> models() = 0;
  [[nodiscard]] virtual learn::Asked<std::vector<learn::AliasChange>> history(
      const std::string& model, std::size_t limit) = 0;
  /// Publishes an ONNX file as the next version and challenger. kConflict when its features are
  /// others, kUnavailable when it needs a library that is not there, kUnsupported or kMalformed for
  /// what cannot be served.
  [[nodiscard]] virtual learn::Asked<learn::ModelVersion> bring(
      const std::string& model, const std::string& file, const learn::Bringing& bringing) = 0;
  /// What a version's training found out: a JSON object, or a page of HTML. kMissing.
  [[nodiscard]] virtual learn::Asked<std::string> report(const std::string& model,
                                                         std::uint32_t version,
                                                         bool page) = 0;
  /// A version as ONNX, or what is kept for batches beside it. kMissing when there is none.
  [[nodiscard]] virtual learn::Asked<std::string> file(const std::string& model,
                                                       std::uint32_t version,
                                                       bool batches) = 0;
  [[nodiscard]] virtual learn::Asked<std::uint32_t> load(const std::string& model,
                                                         std::optional<std::uint32_t> version) = 0;
  /// Takes the champion out of service.
  [[nodiscard]] virtual learn::Asked<void> unload(const std::string& model) = 0;

  /// Reads the rows and queues a job. kOutOfRange with the fields that are wrong, kConflict with
  /// the rows that are missing or while another training of the model runs.
  [[nodiscard]] virtual learn::Asked<learn::TrainingJob> train(
      const learn::TrainRequest& request) = 0;
  [[nodiscard]] virtual std::vector<learn::TrainingJob> jobs(std::size_t limit) = 0;
  [[nodiscard]] virtual learn::Asked<learn::TrainingJob> job(std::uint64_t id) = 0;
  [[nodiscard]] virtual learn::Asked<learn::TrainingJob> cancel(std::uint64_t id) = 0;

  [[nodiscard]] virtual learn::Asked<learn::ExperimentView> begin_experiment(
      const learn::ExperimentRequest& request) = 0;
  [[nodiscard]] virtual std::vector<learn::ExperimentView> experiments() = 0;
  [[nodiscard]] virtual learn::Asked<learn::ExperimentView> experiment(std::uint64_t id) = 0;
  [[nodiscard]] virtual learn::Asked<learn::ExperimentView> stop_experiment(std::uint64_t id) = 0;

  /// How continuous learning stands, by model; empty where nothing is trained by itself.
  [[nodiscard]] virtual std::vector<learn::LearningView> learning() { return {}; }

  /// The version asked for; else the champion, or, in a split, whichever the user belongs to.
  [[nodiscard]] virtual learn::Asked<Predictor> predictor(const std::string& model,
                                                          std::optional<std::uint32_t> version,
                                                          std::string_view user) = 0;
  /// What is kept for batches beside the version asked for, or beside the champion; where there is
  /// nothing, that itself. May wait for a disk.
  [[nodiscard]] virtual learn::Asked<Predictor> batch_predictor(
      const std::string& model, std::optional<std::uint32_t> version) = 0;
  /// Is told of what was asked.
  virtual void predicted(const Prediction& prediction) = 0;
};

}  // namespace liminal::api
