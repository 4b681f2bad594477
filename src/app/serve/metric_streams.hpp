#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "app/log.hpp"
#include "app/serve/blocking_thread.hpp"
#include "app/serve/own_rows.hpp"
#include "io/prometheus/snapshot.hpp"
#include "server/api/anomaly_port.hpp"
#include "server/shards/clock.hpp"
#include "server/signals/anomaly.hpp"
#include "server/signals/forecasts.hpp"
#include "server/signals/limits.hpp"
#include "server/signals/scaling.hpp"
#include "server/signals/told.hpp"
#include "server/signals/work_thread.hpp"

namespace liminal::app {

/// The metric streams of a running server: those that are posted, and Liminal's own totals, which
/// are the source "liminal", and of each upstream "upstream:URL". An anomaly is logged and counted.
/// When the data disk is full and the gateway's certificate ends are limits of "liminal". What
/// comes of the own totals, and of the loads of others' services, is forecast.
///
/// Large batches are judged on a thread of their own, files are written on another, and what only
/// computes (forecasts) has a third, which gives way to the others. Thread-safe.
class MetricStreams final : public api::AnomalyPort {
 public:
  /// Reads what the folder of `options` holds. Settings that cannot be read are logged.
  MetricStreams(const signals::Anomaly::Options& options,
                files::FileSystem& system,
                shards::EngineClock& clock,
                Log& log);
  /// Saves.
  ~MetricStreams() override;

  /// What a reload says.
  void set_bounds(const signals::Anomaly::Bounds& bounds) { anomaly_.set_bounds(bounds); }

  /// Who hears of every batch that is judged or learnt, and of the program's own rows; must not
  /// block. Before the first one.
  void on_batch(std::function<void(const novelty::Batch&)> heard) { heard_ = std::move(heard); }

  /// Who hears that a series, or all of a source, was forgotten by order, on the disk's thread.
  using OnForgotten =
      std::function<void(const std::string& source, const std::optional<std::string>& metric)>;
  void on_forgotten(OnForgotten heard) { forgotten_ = std::move(heard); }

  [[nodiscard]] EventTime now() const override;
  [[nodiscard]] bool run(std::function<void()> task) override;
  [[nodiscard]] bool compute(std::function<void()> task) override {
    return computing_.run(std::move(task));
  }
  [[nodiscard]] Result<void> admits(const novelty::Batch& batch) const override;
  [[nodiscard]] Result<std::vector<novelty::RowScore>> score(const novelty::Batch& batch) override;
  [[nodiscard]] novelty::Intake learn(const novelty::Batch& batch) override;
  void declare(std::string source,
               std::string metric,
               api::SeriesChange change,
               Done<bool> done) override;
  void forget(std::string source, std::optional<std::string> metric, Done<void> done) override;
  [[nodiscard]] Result<api::SeriesView> series(const std::string& source,
                                               const std::string& metric) const override;
  [[nodiscard]] std::vector<api::ForecastSeries> forecasts() const override;
  [[nodiscard]] Result<api::ForecastSeries> forecast(const std::string& source,
                                                     const std::string& metric) const override;

  /// Learns the load of a service that is not the program's own, to be forecast as its metric
  /// "load" (signals::Scaling::OnLoad), or forgets it.
  void hear_load(const std::string& service,
                 std::span<const signals::Scaling::LoadMinute> minutes,
                 bool anew);

  /// Once a second: saves every few seconds, less often what is large. True when it is time to be
  /// `told` the program's own totals.
  [[nodiscard]] bool second();

  /// Ends what is being judged, declared or computed and takes no more, while those who asked are
  /// still there to be answered. What still waits is dropped: it was not acknowledged.
  void finish();

  /// Judges the program's own totals: rates since the last time, and what there is now.
  void told(prometheus::Snapshot totals);

  void add_metrics(prometheus::Snapshot& out) const;

 private:
  /// Between two snapshots of the forecasts: a step of theirs.
  static constexpr std::uint64_t kForecastsSeconds = 300;

  void report(const novelty::Batch& batch, const novelty::RowScore& row);
  void save();
  void save_limits();
  void save_forecasts();
  void load();
  void add_forecasts(prometheus::Snapshot& out) const;
  void report_evictions();
  /// The limits of what the program tells of itself, where none is told.
  void declare_own();

  shards::EngineClock& clock_;
  Log& log_;
  signals::Anomaly anomaly_;
  signals::Limits limits_;
  signals::Forecasts forecasts_;
  const std::uint64_t own_seconds_;  ///< between two rows of the own totals
  std::atomic<bool> saving_{false};
  std::atomic<std::uint64_t> saved_bytes_{0};
  std::uint64_t seconds_ = 0, seconds_until_save_ = 0, seconds_until_limits_ = 0,
                seconds_until_forecasts_ = kForecastsSeconds;
  std::function<void(const novelty::Batch&)> heard_;  ///< may be empty
  OnForgotten forgotten_;                             ///< may be empty
  signals::Anomaly::Counters reported_;               ///< whose evictions were logged
  OwnRows own_rows_;                                  ///< of the thread that judges
  signals::WorkThread computing_;                     ///< outlives those who give it work
  std::unique_ptr<BlockingThread> judging_ = std::make_unique<BlockingThread>();
  std::unique_ptr<BlockingThread> disk_ = std::make_unique<BlockingThread>();
};

}  // namespace liminal::app
