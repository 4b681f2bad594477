#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/learn/registered.hpp"
#include "core/traffic/finding.hpp"
#include "io/prometheus/snapshot.hpp"
#include "server/registry/registry.hpp"

namespace liminal::registry {

/// Trains models anew by itself: by the clock, and when champions no longer fit what passes by.
///
/// What begins is a training like any other, through the same call, with the same gate. Every
/// beginning and every refusal is told to `note` with its reason.
///
/// Guarantees: at most one training of a model at a time. What decides when the next one begins is
/// durable before anything else happens; of what was observed, a minute may be lost by a kill. A
/// training that the end of the process interrupted counts as failed.
/// Thread rule: `second`, `observe…`, `judged`, `began` and `save` from one thread, the others from
/// any.
class Learning {
 public:
  struct Options {
    /// Observe: says what it would train. Shadow: trains challengers. Enforce: the gate may make
    /// them champions.
    traffic::Mode mode = traffic::Mode::kShadow;
    learn::RetrainOptions when;
    double budget_s = 60;
    bool leave_out_incidents = true;
  };
  /// What it needs of others; none may call back.
  struct Ports {
    std::function<SteadyTime()> now;
    /// Whether a model is trained from traffic at all.
    std::function<bool(const learn::ModelDefinition&)> from_traffic;
    std::function<learn::Asked<learn::TrainingJob>(const learn::TrainRequest&)> train;
    std::function<bool(const std::string& model)> under_way;
    std::function<learn::Asked<learn::TrainingJob>(std::uint64_t id)> job;
    /// Words of people since a moment that a model learns from, at most `limit`.
    std::function<std::uint64_t(const std::string& model, SteadyTime since, std::size_t limit)>
        feedback;
    std::function<void(std::string action, const std::string& model, std::string detail)> note;
  };

  /// Takes up what was kept.
  Learning(Registry& registry, Ports ports, Options options);

  void configure(const Options& options);

  /// Whether rows of this model are compared with anything.
  [[nodiscard]] bool watches(const std::string& model) const;
  /// One row of a user; of each user one a minute is looked at.
  void observe(const std::string& model,
               std::span<const float> row,
               std::uint64_t user,
               SteadyTime at);
  /// The truth of a row.
  void observe_truth(const std::string& model, std::span<const float> row, double truth);
  /// Feedback was given: it is counted anew.
  void judged();

  /// A person's training was queued.
  void began(const learn::TrainingJob& job);
  /// Once a second: takes what ended, begins what is due, keeps what changed.
  void second();
  void save();

  [[nodiscard]] std::vector<learn::LearningView> views() const;
  /// The same of what was kept, without a server.
  [[nodiscard]] static std::vector<learn::LearningView> kept(
      Records& records,
      const std::vector<learn::ModelState>& models,
      const learn::RetrainOptions& when,
      SteadyTime now);

  void add_metrics(prometheus::Snapshot& out) const;

 private:
  struct Model {
    learn::ModelDefinition definition;
    bool from_traffic = false;
    learn::Retraining retraining;
    std::shared_ptr<const Served> champion;
    std::optional<learn::Watch> watch;
    bool dirty = false;
    bool count_feedback = true;
    std::uint64_t feedback = 0;
    std::int64_t minute = 0;  ///< of `seen`
    std::unordered_set<std::uint64_t> seen;
    std::array<std::uint64_t, learn::kTriggers> begun{};
    std::uint64_t refused = 0;
  };

  void take_up(Records& records);
  void follow_champion(Model& model);
  void take_end(Model& model);
  [[nodiscard]] std::optional<learn::Retraining::Due> look(Model& model);
  void begin(Model& model, const learn::Retraining::Due& due);
  void keep(Model& model);
  [[nodiscard]] learn::RetrainFacts facts(Model& model) const;
  [[nodiscard]] Model* find(const std::string& name);

  Registry& registry_;
  const Ports ports_;
  /// Of all below, which one thread alone changes; not held while rows are read.
  mutable std::mutex mutex_;
  Options options_;
  std::map<std::string, Model> models_;
  std::uint32_t seconds_ = 0;  ///< since all was kept
};

}  // namespace liminal::registry
