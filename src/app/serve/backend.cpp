#include "app/serve/backend.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <iterator>
#include <utility>

#include "app/options.hpp"
#include "app/serve/cluster.hpp"
#include "app/serve/kept_limits.hpp"
#include "core/limits/policies.hpp"
#include "io/json/writer.hpp"
#include "server/api/answers.hpp"
#include "server/api/engine_views.hpp"

namespace liminal::app {

using traffic::Alert;
using traffic::Name;

namespace {

ShardId shard_of_user(std::string_view user) { return shard_of(Name(user).hash); }

}  // namespace

ServerBackend::ServerBackend(const Parts& parts,
                             const Configuration& configuration,
                             KeptLimits limits,
                             std::shared_ptr<const engine::Settings> settings)
    : parts_(parts),
      directory_(configuration.data),
      cluster_(cluster_url(configuration)),
      limits_(std::move(limits)),
      settings_(std::move(settings)) {
  adopt_gateway_alerts();
}

EventTime ServerBackend::now() const { return EventTime{time().time_since_epoch()}; }

std::shared_ptr<const engine::Settings> ServerBackend::settings() const {
  const std::lock_guard lock(mutex_);
  return settings_;
}

void ServerBackend::use(engine::Options options) {
  options.limits = limits_.in_force();
  settings_ = std::make_shared<const engine::Settings>(std::move(options));
  parts_.runtime.set_settings(settings_);
}

traffic::AuditEntry ServerBackend::audit(std::string action,
                                         std::string subject,
                                         std::string detail,
                                         std::string actor) const {
  return {time(), std::move(actor), std::move(action), std::move(subject), std::move(detail)};
}

void ServerBackend::submit(std::vector<traffic::StoredEvent> events, Done<void> done) {
  auto shared = std::make_shared<Done<void>>(std::move(done));
  if (!parts_.runtime.submit(std::move(events), [shared] { (*shared)({}); })) unavailable(*shared);
}

void ServerBackend::rows(api::RowQuery query, Done<std::vector<traffic::FeatureRow>> done) {
  // What the buffer has is the newest; further back the store has what the sampler took.
  auto recent = parts_.sink.rows(query.limit, query.user.value_or(""));
  if (recent.size() >= query.limit) return done(features::newest_first(std::move(recent)));
  read<std::vector<traffic::FeatureRow>>(
      std::move(done),
      [this, query = std::move(query)]() -> Result<std::vector<traffic::FeatureRow>> {
        auto rows = parts_.sink.rows(query.limit, query.user.value_or(""));
        auto stored = parts_.store.feature_rows(
            {.limit = query.limit, .since = std::nullopt, .user = query.user});
        // When the disk is in trouble what is at hand still counts.
        if (stored) std::move(stored->begin(), stored->end(), std::back_inserter(rows));
        rows = features::newest_first(std::move(rows));
        if (rows.size() > query.limit) rows.resize(query.limit);
        return rows;
      });
}

void ServerBackend::take_rows(std::vector<traffic::FeatureRow> rows, Done<void> done) {
  parts_.sink.take(std::move(rows));
  done({});
}

void ServerBackend::cleanup(Duration age_max, Done<api::CleanupReport> done) {
  auto shared = std::make_shared<Done<api::CleanupReport>>(std::move(done));
  gather_owned<api::CleanupReport>(
      [age_max](shards::OwnedShard& shard, api::CleanupReport& report) {
        report.removed_users += shard.carry_out(engine::CleanUp{age_max});
        report.remaining_users += shard->active_users();
      },
      [this, shared, age_max](Result<api::CleanupReport> report) {
        if (!report) return (*shared)(std::move(report));
        const SteadyTime before = time() - age_max;
        parts_.sink.forget_rows(before);
        (void)parts_.store.put(audit(
            "cleanup", "users", std::to_string(report->removed_users) + " sessions forgotten"));
        const Result<void> asked = parts_.store.forget_rows(
            before, [shared, counted = *report](Result<std::uint64_t> rows) {
              if (!rows) return (*shared)(tl::unexpected(rows.error()));
              api::CleanupReport whole = counted;
              whole.removed_rows = *rows;
              (*shared)(whole);
            });
        if (!asked) (*shared)(tl::unexpected(asked.error()));
      });
}

void ServerBackend::alerts(api::AlertQuery query, Done<std::vector<Alert>> done) {
  read<std::vector<Alert>>(std::move(done), [this, query] {
    return parts_.store.alerts({.limit = query.limit, .min_severity = query.severity_min});
  });
}

void ServerBackend::alert(api::AlertId id, Done<Alert> done) {
  read<Alert>(std::move(done), [this, id]() -> Result<Alert> {
    auto found = parts_.store.alert(id.shard, id.number);
    if (!found) return tl::unexpected(found.error());
    if (!*found) return failure(ErrorCode::kMissing);
    return **found;
  });
}

void ServerBackend::explain(api::AlertId id, Done<api::Explanation> done) {
  alert(id, [this, done = std::move(done)](Result<Alert> found) {
    if (!found) return done(tl::unexpected(found.error()));
    if (found->shard == kOfGateways) return done(api::explained_there(std::move(*found)));
    api::Explanation explanation;
    explanation.command =
        fmt::format("liminal explain {} --data {}",
                    traffic::alert_id(*found),
                    std::filesystem::absolute(directory_).lexically_normal().string());
    const std::optional<SteadyTime> begin =
        parts_.journal == nullptr ? std::nullopt : parts_.journal->counters().begin;
    explanation.available = begin && *begin <= found->first_seen;
    if (!explanation.available)
      explanation.reason = begin ? "the journal of inputs does not reach back so far any more"
                                 : "no journal of inputs is kept";
    explanation.alert = std::move(*found);
    done(std::move(explanation));
  });
}

void ServerBackend::feedback(api::AlertId id,
                             traffic::FeedbackVerdict verdict,
                             std::string note,
                             Done<Alert> done) {
  feedback_by("api", id, verdict, std::move(note), time(), std::move(done));
}

void ServerBackend::feedback_by(std::string actor,
                                api::AlertId id,
                                traffic::FeedbackVerdict verdict,
                                std::string note,
                                SteadyTime when,
                                Done<Alert> done) {
  auto shared = std::make_shared<Done<Alert>>(std::move(done));
  alert(id, [=, this](Result<Alert> found) {
    if (!found) return (*shared)(std::move(found));
    // Whoever speaks knows what was said before, whatever the clocks say.
    const auto last = parts_.store.last_feedback(id.shard, id.number);
    const SteadyTime said_at =
        last && *last ? std::max(when, (*last)->time + std::chrono::milliseconds{1}) : when;
    sqlite::Feedback said{id.shard, id.number, verdict, note, actor, said_at};
    const std::string name = traffic::alert_id(*found);
    const Alert about = *found;
    const Result<void> queued = parts_.store.put(
        {std::move(said), audit("feedback", name, std::string(traffic::name(verdict)), actor)},
        [=, this](Result<void> committed) {
          if (!committed) return (*shared)(tl::unexpected(committed.error()));
          hear(about, verdict, about.feedback);
          if (id.shard == kOfGateways) {
            (void)gateway_alerts_.judge(id.number, verdict, note, said_at);
          } else {
            (void)parts_.runtime.ask(id.shard, [=](shards::OwnedShard& shard) {
              (void)shard.carry_out(engine::GiveFeedback{id.number, verdict});
            });
          }
          alert(id, [shared](Result<Alert> after) { (*shared)(std::move(after)); });
        });
    if (!queued) (*shared)(tl::unexpected(queued.error()));
  });
}

void ServerBackend::hear(const Alert& about,
                         traffic::FeedbackVerdict verdict,
                         traffic::FeedbackVerdict before) {
  parts_.salience.signals().feedback(about, verdict);
  // What a person says again of the same alert is no further evidence.
  if (parts_.models != nullptr && before == traffic::FeedbackVerdict::kNone)
    parts_.models->judged(about, verdict);
  if (!traffic::is_news(verdict, before)) return;
  (void)parts_.runtime.ask_all(
      [type = about.type, verdict](shards::OwnedShard& shard) {
        (void)shard.carry_out(engine::CountFeedback{type, verdict});
      },
      {});
}

void ServerBackend::analyze(std::string user, Done<std::vector<Alert>> done) {
  auto shared = std::make_shared<Done<std::vector<Alert>>>(std::move(done));
  const ShardId id = shard_of_user(user);
  const bool asked = parts_.runtime.ask(id, [=](shards::OwnedShard& shard) {
    auto alerts = api::judged_now(*shard, user);
    if (!alerts) return (*shared)(failure(ErrorCode::kMissing));
    (*shared)(std::move(*alerts));
  });
  if (!asked) unavailable(*shared);
}

void ServerBackend::users(api::UserQuery query, Done<std::vector<api::UserSummary>> done) {
  auto shared = std::make_shared<Done<std::vector<api::UserSummary>>>(std::move(done));
  gather<api::RankedUsers>(
      [this, query](const engine::Shard& shard, api::RankedUsers& users) {
        api::add_users(shard, query, parts_.salience, users);
      },
      [shared](Result<api::RankedUsers> ranked) {
        if (!ranked) return (*shared)(tl::unexpected(ranked.error()));
        std::vector<api::UserSummary> users;
        for (auto& [rank, user] : *ranked) users.push_back(std::move(user));
        (*shared)(std::move(users));
      });
}

void ServerBackend::user(std::string user, Done<api::UserView> done) {
  struct Question {
    std::string user;
    Done<api::UserView> done;
    api::UserView view;
  };
  auto question = std::make_shared<Question>();
  question->user = std::move(user);
  question->done = std::move(done);
  const auto present = settings();
  const bool asked =
      parts_.runtime.ask(shard_of_user(question->user), [=, this](shards::OwnedShard& shard) {
        auto view = api::user_view(*shard, question->user, present->options.limits);
        if (!view) return question->done(failure(ErrorCode::kMissing));
        question->view = std::move(*view);
        read<api::UserView>(question->done, [this, question]() -> Result<api::UserView> {
          auto alerts = parts_.store.alerts({.limit = 20, .user = question->user});
          if (alerts) question->view.alerts = std::move(*alerts);
          if (parts_.models != nullptr)
            question->view.group = parts_.models->group_of(question->view.features);
          return std::move(question->view);
        });
      });
  if (!asked) unavailable(question->done);
}

void ServerBackend::limits(Done<api::HeldLimits> done) {
  api::HeldLimits held;
  {
    const std::lock_guard lock(mutex_);
    held = {limits_.in_force(), limits_.set()};
  }
  done(std::move(held));
}

void ServerBackend::set_limits(limits::Options options, Done<void> done) {
  set_limits_by("api", std::move(options), std::move(done));
}

void ServerBackend::set_limits_by(std::string actor, limits::Options options, Done<void> done) {
  json::Writer text;
  api::write_policies(options, text);
  std::string kept;
  {
    const std::lock_guard lock(mutex_);
    kept = kept_text(options, limits_.configured_mode());
  }
  auto shared = std::make_shared<Done<void>>(std::move(done));
  const Result<void> queued =
      parts_.store.put({sqlite::Policy{std::string(kLimitsPolicy), kept, time()},
                        audit("limits.set", "policies", text.text(), std::move(actor))},
                       [this, shared, kept](Result<void> committed) {
                         if (committed) keep_limits(kept);
                         (*shared)(committed);
                       });
  if (!queued) (*shared)(tl::unexpected(queued.error()));
}

void ServerBackend::reset_limits(Done<void> done) {
  auto shared = std::make_shared<Done<void>>(std::move(done));
  const Result<void> queued = parts_.store.put(
      {sqlite::PolicyRemoved{std::string(kLimitsPolicy)}, audit("limits.reset", "policies", "")},
      [this, shared](Result<void> committed) {
        if (committed) keep_limits(std::nullopt);
        (*shared)(committed);
      });
  if (!queued) (*shared)(tl::unexpected(queued.error()));
}

void ServerBackend::keep_limits(std::optional<std::string> text) {
  const std::lock_guard lock(mutex_);
  limits_.keep(std::move(text));
  use(settings_->options);
}

void ServerBackend::reload(const engine::Options& options) {
  std::unique_lock lock(mutex_);
  const std::optional<std::string> before = limits_.text();
  limits_.configure(options.limits);
  use(options);
  const KeptLimits now = limits_;
  lock.unlock();
  now.tell(parts_.log);
  if (now.text() != before)
    (void)parts_.store.put(sqlite::Policy{std::string(kLimitsPolicy), *now.text(), time()});
}

void ServerBackend::overrides(std::size_t limit, Done<std::vector<traffic::Override>> done) {
  read<std::vector<traffic::Override>>(
      std::move(done), [this, limit]() -> Result<std::vector<traffic::Override>> {
        auto all = parts_.store.overrides(time());
        if (!all) return all;
        std::sort(all->begin(), all->end(), [](const auto& a, const auto& b) {
          return a.created != b.created ? a.created > b.created : a.user < b.user;
        });
        if (all->size() > limit) all->resize(limit);
        return all;
      });
}

void ServerBackend::audit_log(api::AuditQuery query, Done<std::vector<traffic::AuditEntry>> done) {
  read<std::vector<traffic::AuditEntry>>(std::move(done), [this, query = std::move(query)] {
    return parts_.store.audit({.limit = query.limit, .since = {}, .subject = query.subject});
  });
}

void ServerBackend::override_of(std::string user, Done<traffic::Override> done) {
  auto shared = std::make_shared<Done<traffic::Override>>(std::move(done));
  const bool asked = parts_.runtime.ask(shard_of_user(user), [=](shards::OwnedShard& shard) {
    const auto found = shard->overrides().find(user);
    if (found == shard->overrides().end()) return (*shared)(failure(ErrorCode::kMissing));
    (*shared)(found->second);
  });
  if (!asked) unavailable(*shared);
}

void ServerBackend::set_override(traffic::Override decision, Done<bool> done) {
  set_override_by("api", std::move(decision), std::move(done));
}

void ServerBackend::set_override_by(std::string actor,
                                    traffic::Override decision,
                                    Done<bool> done) {
  auto shared = std::make_shared<Done<bool>>(std::move(done));
  const std::string detail = std::string(traffic::name(decision.kind)) + ": " + decision.reason;
  // The shard first: it knows whether there is room. It is told to forget it when the store does
  // not commit.
  const bool asked =
      parts_.runtime.ask(shard_of_user(decision.user), [=, this](shards::OwnedShard& shard) {
        const auto found = shard->overrides().find(decision.user);
        const bool fresh = found == shard->overrides().end();
        const std::optional<traffic::Override> before =
            fresh ? std::nullopt : std::optional(found->second);
        if (shard.carry_out(engine::SetOverride{decision}) == 0)
          return (*shared)(failure(ErrorCode::kConflict));
        if (decision.kind == traffic::Override::Kind::kBlock)
          parts_.gateways.end_blocked(decision.user);
        const auto undo = [=, this] {
          (void)parts_.runtime.ask(shard_of_user(decision.user), [=](shards::OwnedShard& again) {
            if (before) {
              (void)again.carry_out(engine::SetOverride{*before});
            } else {
              (void)again.carry_out(engine::RemoveOverride{decision.user});
            }
          });
        };
        const Result<void> queued =
            parts_.store.put({decision, audit("override.set", decision.user, detail, actor)},
                             [=](Result<void> committed) {
                               if (committed) return (*shared)(fresh);
                               undo();
                               (*shared)(tl::unexpected(committed.error()));
                             });
        if (queued) return;
        undo();
        (*shared)(tl::unexpected(queued.error()));
      });
  if (!asked) unavailable(*shared);
}

void ServerBackend::remove_override(std::string user, Done<void> done) {
  remove_override_by("api", std::move(user), std::move(done));
}

void ServerBackend::remove_override_by(std::string actor, std::string user, Done<void> done) {
  auto shared = std::make_shared<Done<void>>(std::move(done));
  override_of(user, [=, this](Result<traffic::Override> found) {
    if (!found) return (*shared)(tl::unexpected(found.error()));
    const Result<void> queued = parts_.store.put(
        {sqlite::OverrideRemoved{user}, audit("override.remove", user, found->reason, actor)},
        [=, this](Result<void> committed) {
          if (!committed) return (*shared)(committed);
          const bool asked =
              parts_.runtime.ask(shard_of_user(user), [=](shards::OwnedShard& shard) {
                (void)shard.carry_out(engine::RemoveOverride{user});
                (*shared)({});
              });
          if (!asked) unavailable(*shared);
        });
    if (!queued) (*shared)(tl::unexpected(queued.error()));
  });
}

void ServerBackend::status(Done<api::Status> done) {
  auto shared = std::make_shared<Done<api::Status>>(std::move(done));
  gather<api::EngineTotals>(
      [](const engine::Shard& shard, api::EngineTotals& sum) { sum.add(shard); },
      [this, shared](Result<api::EngineTotals> sum) {
        if (!sum) return (*shared)(tl::unexpected(sum.error()));
        const auto present = settings();
        api::Status status;
        status.uptime_s =
            std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
        status.time = time();
        status.mode = present->options.limits.mode;
        status.threads = static_cast<std::uint32_t>(parts_.runtime.threads());
        api::tell(*sum, status);
        status.row_buffer_size = parts_.sink.rows_max();
        status.rows_buffered = parts_.sink.rows_buffered();
        status.rules = present->options.detect.rules.size();
        if (parts_.models != nullptr) {
          status.models = parts_.models->names();
          status.jobs = parts_.models->unfinished_jobs();
          status.load = parts_.models->load_forecast();
        }
        const Duration now = std::chrono::steady_clock::now().time_since_epoch();
        if (const auto upstreams = parts_.gateways.upstreams()) {
          for (const auto& each : upstreams->all())
            status.upstreams.push_back({each->name(), each->healthy(now), each->connections()});
          for (const auto& each : upstreams->draining())
            status.upstreams.push_back({each->name(), false, each->connections(), true});
        }
        if (parts_.uplink != nullptr) status.cluster = cluster_status(*parts_.uplink, cluster_);
        status.connections = parts_.gateways.connections();
        {
          const std::lock_guard lock(mutex_);
          status.events_per_second =
              event_rate_.per_second(std::chrono::steady_clock::now(), status.events_total);
        }
        (*shared)(std::move(status));
      });
}

}  // namespace liminal::app
