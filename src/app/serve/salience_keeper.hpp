#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "app/log.hpp"
#include "app/serve/blocking_thread.hpp"
#include "io/files/file_system.hpp"
#include "io/sqlite/store.hpp"
#include "server/api/salience_port.hpp"
#include "server/registry/served.hpp"
#include "server/signals/salience.hpp"
#include "server/signals/state_file.hpp"

namespace liminal::app {

/// The ranking of alerts as the server has it: what the API asks of it, on disk every few seconds
/// and brought back at the start.
class SalienceKeeper final : public api::SaliencePort {
 public:
  /// `folder`: the data directory. Times of the options are the engine's.
  SalienceKeeper(files::FileSystem& system,
                 Log& log,
                 const std::string& folder,
                 signals::SalienceOptions options,
                 double time_scale);

  [[nodiscard]] signals::Salience& signals() { return signals_; }
  [[nodiscard]] const signals::Salience& signals() const { return signals_; }

  /// Loads what was saved, or sets it aside when it makes no sense (what could not be read just now
  /// is left as it is, and nothing saved); then the store's alerts that
  /// are younger than that are noted again, and what operators said since is heard again: it was
  /// acknowledged.
  void load(sqlite::Store& store);

  /// Once a second, with the engine's time.
  void second(SteadyTime now);

  /// Waits for what is under way, and saves.
  void stop(SteadyTime now);

  /// Takes over what terms count for from the champion of training::kSalienceRanking; null: the
  /// stated prior.
  void rank_by(const registry::Served* champion);

  [[nodiscard]] salience::Judgement judge(const traffic::Alert& alert) const override;
  [[nodiscard]] std::vector<salience::Judgement> judge(
      std::span<const Asked> events) const override;
  [[nodiscard]] std::vector<salience::Incident> incidents(const salience::IncidentQuery& query,
                                                          SteadyTime now) const override;
  [[nodiscard]] std::uint32_t weights_version() const override {
    return signals_.weights_version();
  }
  [[nodiscard]] bool later(std::function<void()> task) override;

 private:
  void hear_again(sqlite::Store& store, std::optional<SteadyTime> since);
  void save(SteadyTime now);

  Log& log_;
  signals::StateFile file_;
  const double time_scale_;
  signals::Salience signals_;
  std::uint32_t seconds_ = 0;
  std::unique_ptr<BlockingThread> disk_ = std::make_unique<BlockingThread>();
  std::unique_ptr<BlockingThread> ranking_ = std::make_unique<BlockingThread>();
};

}  // namespace liminal::app
