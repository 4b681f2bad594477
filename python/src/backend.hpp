#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine.hpp"
#include "models.hpp"
#include "server/api/anomaly_port.hpp"
#include "server/api/backend.hpp"
#include "server/api/salience_port.hpp"
#include "server/api/scaling_port.hpp"
#include "server/signals/anomaly.hpp"
#include "server/signals/limits.hpp"
#include "server/signals/scaling.hpp"
#include "server/signals/told.hpp"

namespace liminal::python {

/// What goes on among all users of an engine.
[[nodiscard]] features::CrowdSummary crowd_of(const engine::LocalEngine& engine);

/// Alerts and events as the engine's own history ranks them.
class SalienceOf final : public api::SaliencePort {
 public:
  explicit SalienceOf(signals::Salience& signals) : signals_(signals) {}
  [[nodiscard]] salience::Judgement judge(const traffic::Alert& alert) const override {
    return signals_.judge(alert);
  }
  [[nodiscard]] std::vector<salience::Judgement> judge(
      std::span<const Asked> events) const override;
  [[nodiscard]] std::vector<salience::Incident> incidents(const salience::IncidentQuery& query,
                                                          SteadyTime now) const override {
    return signals_.incidents(query, now);
  }
  [[nodiscard]] bool later(std::function<void()> task) override {
    task();
    return true;
  }

 private:
  signals::Salience& signals_;
};

/// What the API asks for, answered by an engine in this process. Every question is answered before
/// the call returns. Thread-safe.
class EngineBackend final : public api::Backend {
 public:
  explicit EngineBackend(std::shared_ptr<Engine> engine)
      : engine_(std::move(engine)), salience_(engine_->salience()) {}

  [[nodiscard]] EventTime now() const override {
    return EventTime{engine_->now().time_since_epoch()};
  }
  void status(Done<api::Status> done) override;
  void readiness(Done<std::vector<api::Check>> done) override;
  void metrics(Done<prometheus::Snapshot> done) override;
  void submit(std::vector<traffic::StoredEvent> events, Done<void> done) override;
  void rows(api::RowQuery query, Done<std::vector<traffic::FeatureRow>> done) override;
  void take_rows(std::vector<traffic::FeatureRow> rows, Done<void> done) override;
  void cleanup(Duration age_max, Done<api::CleanupReport> done) override;
  void alerts(api::AlertQuery query, Done<std::vector<traffic::Alert>> done) override;
  void alert(api::AlertId id, Done<traffic::Alert> done) override;
  void take_alerts(std::vector<traffic::JudgedAlert> alerts, Done<void> done) override;
  void words_for(std::string gateway,
                 std::size_t limit,
                 Done<std::vector<traffic::JudgedAlert>> done) override {
    done(engine_->words_for(gateway, limit));
  }
  [[nodiscard]] std::vector<std::string> gateways_of(
      std::span<const std::uint64_t> members) const override {
    return engine_->gateways_of(members);
  }
  void explain(api::AlertId id, Done<api::Explanation> done) override;
  void feedback(api::AlertId id,
                traffic::FeedbackVerdict verdict,
                std::string note,
                Done<traffic::Alert> done) override;
  void analyze(std::string user, Done<std::vector<traffic::Alert>> done) override;
  void users(api::UserQuery query, Done<std::vector<api::UserSummary>> done) override;
  void user(std::string user, Done<api::UserView> done) override;
  void crowd(Done<features::CrowdSummary> done) override;
  void limits(Done<api::HeldLimits> done) override;
  void set_limits(limits::Options options, Done<void> done) override;
  void reset_limits(Done<void> done) override;
  /// As `set_limits`, without a line in the audit log.
  void restore_limits(limits::Options options);
  void overrides(std::size_t limit, Done<std::vector<traffic::Override>> done) override;
  void override_of(std::string user, Done<traffic::Override> done) override;
  void set_override(traffic::Override decision, Done<bool> done) override;
  void remove_override(std::string user, Done<void> done) override;
  void audit_log(api::AuditQuery query, Done<std::vector<traffic::AuditEntry>> done) override {
    done(engine_->audit_log(query.limit, query.subject));
  }

  [[nodiscard]] api::SaliencePort& salience() { return salience_; }

  /// Where events go instead of the engine; empty: into it.
  using Divert = std::function<void(std::vector<traffic::StoredEvent>)>;
  void divert(Divert divert) { divert_ = std::move(divert); }
  /// Models whose state is told, and that hear what people say of alerts; null: none. Before the
  /// first request.
  void attach(ModelsOf* models) { models_ = models; }

 private:
  /// Somebody said something of an alert: noted, and told to the models.
  void hear(const Engine::Judged& judged, std::string by);

  const std::shared_ptr<Engine> engine_;
  Divert divert_;
  ModelsOf* models_ = nullptr;
  std::atomic<bool> limits_set_{false};
  SalienceOf salience_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

/// Metric streams of this process. `folder` and `files` as of `signals::Anomaly`.
class MetricsOf final : public api::AnomalyPort {
 public:
  /// `owns`: whose pushed rows are learnt here; empty: everybody's.
  using Owns = std::function<bool(std::string_view source)>;
  MetricsOf(Engine& engine, const std::string& folder, files::FileSystem& files, Owns owns);
  ~MetricsOf() override { (void)save(); }

  [[nodiscard]] EventTime now() const override {
    return EventTime{engine_.now().time_since_epoch()};
  }
  [[nodiscard]] bool run(std::function<void()> task) override {
    task();
    return true;
  }
  [[nodiscard]] bool compute(std::function<void()> task) override { return run(std::move(task)); }
  [[nodiscard]] Result<void> admits(const novelty::Batch& batch) const override {
    return anomaly_.admits(batch);
  }
  [[nodiscard]] Result<std::vector<novelty::RowScore>> score(const novelty::Batch& batch) override;
  [[nodiscard]] novelty::Intake learn(const novelty::Batch& batch) override;
  void declare(std::string source,
               std::string metric,
               api::SeriesChange change,
               Done<bool> done) override;
  void forget(std::string source, std::optional<std::string> metric, Done<void> done) override;
  [[nodiscard]] Result<api::SeriesView> series(const std::string& source,
                                               const std::string& metric) const override;
  [[nodiscard]] Result<void> save();

 private:
  Engine& engine_;
  signals::Anomaly anomaly_;
  signals::Limits limits_;
  std::mutex declaring_;  ///< one change after the other
  const Owns owns_;
};

/// Services and their loads, kept by this process.
class ScalingOf final : public api::ScalingPort {
 public:
  ScalingOf(signals::ScalingOptions options, files::FileSystem& files)
      : scaling_(std::move(options), files) {}

  bool run(std::function<void()> work) override { return scaling_.run(std::move(work)); }
  void advise(scaling::Report report, Done<scaling::Advice> done) override {
    scaling_.advise(std::move(report), std::move(done));
  }
  void services(EventTime now,
                std::size_t count_max,
                Done<std::vector<scaling::ServiceSummary>> done) override {
    scaling_.services(now, count_max, std::move(done));
  }
  void advice(std::string service, EventTime now, Done<scaling::Advice> done) override {
    done(scaling_.advice(service, now));
  }
  void state(std::string service, Done<scaling::ServiceState> done) override {
    scaling_.state(service, std::move(done));
  }
  void backtest(std::string service, Done<scaling::Backtest> done) override {
    scaling_.backtest(std::move(service), std::move(done));
  }
  void change_options(std::string service,
                      scaling::ChangeOptions change,
                      Done<scaling::OptionsChanged> done) override {
    done(scaling_.change_options(service, change));
  }
  void forget(std::string service, Done<void> done) override { done(scaling_.forget(service)); }
  Result<void> save() { return scaling_.save(); }

 private:
  signals::Scaling scaling_;
};

}  // namespace liminal::python
