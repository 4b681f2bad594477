#pragma once

#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>

#include "server/registry/registry.hpp"

namespace liminal::registry {

/// A folder that is gone afterwards.
class TestFolder {
 public:
  TestFolder() {
    std::string name =
        (std::filesystem::temp_directory_path() / "liminal-registry-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~TestFolder() { std::filesystem::remove_all(path_); }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline SteadyTime at_second(int s) { return SteadyTime{std::chrono::seconds{1'800'000'000 + s}}; }

/// A logistic model of the features of `anomaly_detection`.
inline learn::TrainedModel trained(float weight = 1) {
  learn::TrainedModel made;
  models::Metadata& metadata = made.model.metadata;
  metadata.name = "anomaly_detection";
  metadata.task = models::Task::kClassification;
  metadata.trainer = "builtin";
  const std::vector<learn::ModelDefinition> definitions = learn::first_models();
  for (const std::string& feature : definitions[0].features)
    metadata.features.push_back({feature, ""});
  models::Linear linear;
  linear.weights = {weight, 0, 0, 0};
  linear.link = models::Link::kLogistic;
  made.model.predictor = linear;
  made.metrics = {{"roc_auc", .9}};
  made.report = "{}";
  made.reasons = {"better: AUC 0.5 to 0.9"};
  made.better = true;
  return made;
}

inline learn::TrainingJob job_of(const std::string& model, std::uint64_t id = 0) {
  learn::TrainingJob job;
  job.id = id;
  job.request.model = model;
  return job;
}

inline std::unique_ptr<Registry> open_registry(
    files::FileSystem& system,
    const TestFolder& folder,
    std::vector<learn::ModelDefinition> definitions = learn::first_models()) {
  auto opened =
      Registry::open(system, {.folder = folder.path(), .definitions = definitions}, at_second(0));
  return opened ? std::move(*opened) : nullptr;
}

}  // namespace liminal::registry
