#include "backend.hpp"

#include <algorithm>
#include <utility>

#include "io/json/writer.hpp"
#include "server/api/answers.hpp"
#include "server/api/engine_views.hpp"

namespace liminal::python {
namespace {

using prometheus::Family;

ShardId shard_of_user(std::string_view user) { return shard_of(traffic::Name(user).hash); }

template <class Visit>
void for_each_shard(const engine::LocalEngine& engine, Visit visit) {
  for (std::uint32_t i = 0; i < kShards; ++i)
    visit(engine.shard(ShardId{static_cast<std::uint8_t>(i)}));
}

api::EngineTotals totals_of(const engine::LocalEngine& engine) {
  api::EngineTotals totals;
  for_each_shard(engine, [&](const engine::Shard& shard) { totals.add(shard); });
  totals.memory_bytes = engine.memory_bytes();  // the commons too
  return totals;
}

/// A value that may be missing, as the API is answered.
template <class T>
void give(const api::Backend::Done<T>& done, std::optional<T> found) {
  if (!found) return done(failure(ErrorCode::kMissing));
  done(std::move(*found));
}

signals::Anomaly::Options metric_options(const std::string& folder) {
  signals::Anomaly::Options options;
  options.folder = folder;
  return options;
}

signals::Limits::Options limit_options(const std::string& folder) {
  signals::Limits::Options options;
  options.folder = folder;
  return options;
}

}  // namespace

features::CrowdSummary crowd_of(const engine::LocalEngine& engine) {
  features::CrowdSummary all = engine.shard(ShardId{0}).crowd();
  for (std::uint32_t i = 1; i < kShards; ++i)
    all.merge(engine.shard(ShardId{static_cast<std::uint8_t>(i)}).crowd());
  return all;
}

std::vector<salience::Judgement> SalienceOf::judge(std::span<const Asked> events) const {
  std::vector<signals::Salience::Asked> asked;
  asked.reserve(events.size());
  for (const Asked& event : events) asked.push_back({event.type, event.source, event.fields});
  return signals_.judge(asked);
}

MetricsOf::MetricsOf(Engine& engine, const std::string& folder, files::FileSystem& files, Owns owns)
    : engine_(engine),
      anomaly_(metric_options(folder), files),
      limits_(limit_options(folder), files),
      owns_(std::move(owns)) {
  // What cannot be read is left out: the streams are learnt anew.
  (void)anomaly_.load();
  (void)limits_.load();
}

Result<std::vector<novelty::RowScore>> MetricsOf::score(const novelty::Batch& batch) {
  auto scores = anomaly_.score(batch, true);
  if (scores) limits_.observe(batch);
  return scores;
}

novelty::Intake MetricsOf::learn(const novelty::Batch& batch) {
  if (owns_ && !owns_(batch.source)) return {};
  limits_.observe(batch);
  return anomaly_.learn(batch, now());
}

void MetricsOf::declare(std::string source,
                        std::string metric,
                        api::SeriesChange change,
                        Done<bool> done) {
  const Result<bool> created = [&] {
    const std::lock_guard lock(declaring_);
    return signals::declare(anomaly_, limits_, source, metric, [&](signals::Told& told) {
      change.apply(told.settings, told.limit, told.sent_as_counter);
    });
  }();
  done(created);
}

void MetricsOf::forget(std::string source, std::optional<std::string> metric, Done<void> done) {
  const Result<void> gone = [&] {
    const std::lock_guard lock(declaring_);
    return signals::forget(anomaly_, limits_, source, metric);
  }();
  if (!gone) return done(gone);
  engine_.audit("series.forget", source, metric.value_or("all its series"));
  done({});
}

Result<api::SeriesView> MetricsOf::series(const std::string& source,
                                          const std::string& metric) const {
  const auto known = anomaly_.describe(source, metric);
  const auto limited = limits_.line(source, metric);
  if (!known && !limited) return failure(ErrorCode::kMissing);
  api::SeriesView out;
  if (known) out.status = known->status;
  if (!limited) return out;
  out.limit = limited->limit;
  out.passage = limited->passage;
  out.within_s = signals::Limits::kWithinS;
  return out;
}

Result<void> MetricsOf::save() {
  if (const auto saved = limits_.save(); !saved) return saved;
  if (const auto saved = anomaly_.save(now()); !saved) return tl::unexpected(saved.error());
  return {};
}

void EngineBackend::status(Done<api::Status> done) {
  api::Status status;
  status.uptime_s =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
  engine_->look([&](const engine::LocalEngine& engine) {
    status.time = engine.now();
    status.mode = engine.settings()->options.limits.mode;
    status.rules = engine.settings()->options.detect.rules.size();
    api::tell(totals_of(engine), status);
  });
  status.events_per_second = engine_->events_per_second();
  status.threads = 1;
  if (models_ != nullptr) {
    status.models = models_->names();
    status.jobs = models_->unfinished_jobs();
  }
  status.row_buffer_size = engine_->rows_max();
  status.rows_buffered = engine_->rows_buffered();
  done(std::move(status));
}

void EngineBackend::readiness(Done<std::vector<api::Check>> done) {
  const std::uint64_t number =
      engine_->look([](const engine::LocalEngine& engine) { return engine.commons().number(); });
  std::vector<api::Check> checks{{"engine", true, std::to_string(number) + " s lived"}};
  if (models_ != nullptr) checks.push_back(models_->check());
  done(std::move(checks));
}

void EngineBackend::metrics(Done<prometheus::Snapshot> done) {
  prometheus::Snapshot out;
  engine_->look([&](const engine::LocalEngine& engine) {
    api::add_totals(totals_of(engine), out);
    out.add(Family::kEngineTime, seconds(engine.now().time_since_epoch()));
    api::add_crowd(crowd_of(engine), out);
  });
  api::add_raised([this](auto type, auto severity) { return engine_->raised(type, severity); },
                  out);
  if (models_ != nullptr) models_->add_metrics(out);
  done(std::move(out));
}

void EngineBackend::submit(std::vector<traffic::StoredEvent> events, Done<void> done) {
  if (divert_) {
    divert_(std::move(events));
  } else {
    engine_->track(events);
  }
  done({});
}

void EngineBackend::rows(api::RowQuery query, Done<std::vector<traffic::FeatureRow>> done) {
  done(engine_->rows(query.limit, query.user.value_or("")));
}

void EngineBackend::take_rows(std::vector<traffic::FeatureRow> rows, Done<void> done) {
  engine_->take_rows(std::move(rows));
  done({});
}

void EngineBackend::cleanup(Duration age_max, Done<api::CleanupReport> done) {
  const Engine::Cleanup did = engine_->clean_up(age_max);
  engine_->audit("cleanup", "users", std::to_string(did.removed_users) + " sessions forgotten");
  done(api::CleanupReport{did.removed_users, did.remaining_users, did.removed_rows});
}

void EngineBackend::alerts(api::AlertQuery query, Done<std::vector<traffic::Alert>> done) {
  done(engine_->alerts(query.limit, query.severity_min));
}

void EngineBackend::alert(api::AlertId id, Done<traffic::Alert> done) {
  give(done, engine_->alert(id.shard, id.number));
}

void EngineBackend::explain(api::AlertId id, Done<api::Explanation> done) {
  auto found = engine_->alert(id.shard, id.number);
  if (!found) return done(failure(ErrorCode::kMissing));
  if (found->shard == kOfGateways) return done(api::explained_there(std::move(*found)));
  api::Explanation explanation;
  explanation.command = "liminal explain " + traffic::alert_id(*found);
  explanation.reason = "no journal of inputs is kept";
  explanation.alert = std::move(*found);
  done(std::move(explanation));
}

void EngineBackend::feedback(api::AlertId id,
                             traffic::FeedbackVerdict verdict,
                             std::string note,
                             Done<traffic::Alert> done) {
  auto judged = engine_->feedback(id.shard, id.number, verdict, std::move(note));
  if (!judged) return done(failure(ErrorCode::kMissing));
  hear(*judged, "api");
  done(std::move(judged->alert));
}

void EngineBackend::take_alerts(std::vector<traffic::JudgedAlert> alerts, Done<void> done) {
  for (const Engine::Judged& judged : engine_->take_alerts(alerts))
    hear(judged, "gateway " + judged.alert.origin.gateway);
  done({});
}

void EngineBackend::hear(const Engine::Judged& judged, std::string by) {
  const traffic::FeedbackVerdict verdict = judged.alert.feedback;
  engine_->audit("feedback",
                 traffic::alert_id(judged.alert),
                 std::string(traffic::name(verdict)),
                 std::move(by));
  // What a person says again of the same alert is no further evidence.
  if (models_ != nullptr && judged.before == traffic::FeedbackVerdict::kNone)
    models_->judged(judged.alert, verdict);
}

void EngineBackend::analyze(std::string user, Done<std::vector<traffic::Alert>> done) {
  give(done, engine_->look([&](const engine::LocalEngine& engine) {
    return api::judged_now(engine.shard_of_user(user), user);
  }));
}

void EngineBackend::users(api::UserQuery query, Done<std::vector<api::UserSummary>> done) {
  api::RankedUsers ranked;
  engine_->look([&](const engine::LocalEngine& engine) {
    for_each_shard(engine, [&](const engine::Shard& shard) {
      api::add_users(shard, query, salience_, ranked);
    });
  });
  std::vector<api::UserSummary> users;
  for (auto& entry : ranked) users.push_back(std::move(entry.second));
  done(std::move(users));
}

void EngineBackend::user(std::string user, Done<api::UserView> done) {
  auto view = engine_->look([&](const engine::LocalEngine& engine) {
    return api::user_view(engine.shard_of_user(user), user, engine.settings()->options.limits);
  });
  constexpr std::size_t kAlertsShown = 20;
  if (view) {
    view->alerts = engine_->alerts(kAlertsShown, traffic::Severity::kLow, user);
    if (models_ != nullptr) view->group = models_->group_of(view->features);
  }
  give(done, std::move(view));
}

void EngineBackend::crowd(Done<features::CrowdSummary> done) {
  done(engine_->look([](const engine::LocalEngine& engine) { return crowd_of(engine); }));
}

void EngineBackend::limits(Done<api::HeldLimits> done) {
  done(api::HeldLimits{engine_->settings()->options.limits, limits_set_});
}

void EngineBackend::set_limits(limits::Options options, Done<void> done) {
  json::Writer text;
  api::write_policies(options, text);
  engine_->audit("limits.set", "policies", text.text());
  restore_limits(std::move(options));
  done({});
}

void EngineBackend::restore_limits(limits::Options options) {
  engine::Options all = engine_->settings()->options;
  all.limits = std::move(options);
  engine_->set_options(std::move(all));
  limits_set_ = true;
}

void EngineBackend::reset_limits(Done<void> done) {
  engine_->audit("limits.reset", "policies", "");
  engine::Options all = engine_->settings()->options;
  all.limits = engine_->configured_limits();
  engine_->set_options(std::move(all));
  limits_set_ = false;
  done({});
}

void EngineBackend::overrides(std::size_t limit, Done<std::vector<traffic::Override>> done) {
  std::vector<traffic::Override> all;
  engine_->look([&](const engine::LocalEngine& engine) {
    for_each_shard(engine, [&](const engine::Shard& shard) {
      for (const auto& entry : shard.overrides()) all.push_back(entry.second);
    });
  });
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return a.created != b.created ? a.created > b.created : a.user < b.user;
  });
  if (all.size() > limit) all.resize(limit);
  done(std::move(all));
}

void EngineBackend::override_of(std::string user, Done<traffic::Override> done) {
  give(done,
       engine_->look([&](const engine::LocalEngine& engine) -> std::optional<traffic::Override> {
         const auto& overrides = engine.shard_of_user(user).overrides();
         const auto found = overrides.find(user);
         if (found == overrides.end()) return std::nullopt;
         return found->second;
       }));
}

void EngineBackend::set_override(traffic::Override decision, Done<bool> done) {
  bool fresh = false;
  const bool room = engine_->decide([&](engine::LocalEngine& engine) {
    engine::Shard& shard = engine.shard(shard_of_user(decision.user));
    fresh = !shard.overrides().contains(decision.user);
    return shard.set_override(decision);
  });
  if (!room) return done(failure(ErrorCode::kConflict));
  engine_->audit("override.set",
                 decision.user,
                 std::string(traffic::name(decision.kind)) + ": " + decision.reason);
  done(fresh);
}

void EngineBackend::remove_override(std::string user, Done<void> done) {
  std::optional<std::string> reason;
  engine_->decide([&](engine::LocalEngine& engine) {
    engine::Shard& shard = engine.shard(shard_of_user(user));
    const auto found = shard.overrides().find(user);
    if (found == shard.overrides().end()) return;
    reason = found->second.reason;
    (void)shard.remove_override(user);
  });
  if (!reason) return done(failure(ErrorCode::kMissing));
  engine_->audit("override.remove", std::move(user), std::move(*reason));
  done({});
}

}  // namespace liminal::python
