#include "app/serve/backend.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <utility>

#include "core/base/math.hpp"
#include "core/limits/policies.hpp"
#include "io/json/writer.hpp"
#include "server/api/answers.hpp"

namespace liminal::app {

using traffic::Alert;
using traffic::FeatureId;
using traffic::Finding;
using traffic::Name;

namespace {

/// Users with at least so many messages of reference have a baseline to speak of.
constexpr float kBaselineMessages = 8;

ShardId shard_of_user(std::string_view user) { return shard_of(Name(user).hash); }

/// A judgement in the form of an alert that was not raised.
Alert as_alert(const Finding& finding, const engine::UserView& view, ShardId shard) {
  Alert alert;
  alert.shard = shard;
  alert.user = view.user;
  alert.address = view.address;
  alert.type = finding.type;
  alert.severity = finding.severity;
  alert.first_seen = alert.last_seen = view.last_seen;
  alert.count = 1;
  alert.first = alert.worst = finding;
  alert.features = view.features;
  return alert;
}

float worst_score(const std::vector<Alert>& alerts) {
  float worst = 0;
  for (const Alert& alert : alerts) worst = std::max(worst, alert.worst.score);
  return worst;
}

/// How salient a user is, in log-odds: its most salient open alert, or, without one, how its
/// messages fail.
double salience_of(const std::vector<Alert>& open,
                   float error_rate,
                   const SalienceKeeper& salience) {
  salience::Fields fields;
  fields[salience::Field::kSeverity] = salience::severity_log_odds("info").value_or(0);
  fields[salience::Field::kErrorRate] = static_cast<double>(error_rate);
  double most = salience::judge(fields).log_odds();
  for (const Alert& alert : open) most = std::max(most, salience.judge(alert).log_odds());
  return most;
}

api::UserSummary summary_of(const engine::UserView& view, const SalienceKeeper& salience) {
  api::UserSummary summary;
  summary.user = view.user;
  summary.address = view.address;
  summary.last_seen = view.last_seen;
  summary.score = worst_score(view.alerts);
  summary.salience =
      salience::logistic(salience_of(view.alerts, view.features[FeatureId::kErrorRate], salience));
  summary.open_alerts = view.alerts.size();
  for (const Alert& alert : view.alerts)
    summary.worst = std::max(summary.worst.value_or(traffic::Severity::kLow), alert.severity);
  summary.features = view.features;
  if (view.limit.messages_per_second > 0)
    summary.messages_per_second_max = view.limit.messages_per_second;
  return summary;
}

api::LimitInForce limit_of(const engine::UserView& view, const limits::Options& options) {
  api::LimitInForce limit;
  limit.mode = options.user.messages.mode.value_or(options.mode);
  if (view.limit.messages_per_second > 0) {
    limit.messages_per_second = view.limit.messages_per_second;
    limit.burst = view.limit.burst;
  }
  if (options.user_connections.max > 0) limit.connections_max = options.user_connections.max;
  limit.ratio = view.limit.ratio;
  limit.personal_ratio = view.limit.personal_ratio;
  limit.suspicion = view.limit.suspicion;
  limit.decision = view.override_;
  return limit;
}

std::vector<api::BaselineLine> baseline_of(const engine::UserView& view) {
  constexpr std::array kSignals{traffic::Signal::kMessages10s,
                                traffic::Signal::kMessages60s,
                                traffic::Signal::kMessages300s,
                                traffic::Signal::kMessages900s};
  static_assert(kSignals.size() == detect::kWindows);
  std::vector<api::BaselineLine> lines;
  for (std::size_t i = 0; i < detect::kWindows; ++i) {
    lines.push_back(
        {kSignals[i], view.expected[i].expected, view.expected[i].high, view.reference_weight});
  }
  return lines;
}

/// Logarithms, so that what a user does in several respects adds up.
double activity_of(float messages_5m, float channels, float connections) {
  return log1p(static_cast<double>(messages_5m)) + .5 * log1p(static_cast<double>(channels)) +
         .25 * log1p(static_cast<double>(connections));
}

/// By how much more than within the hour, in logarithms; a fifth of a message a minute is nothing.
double growth_of(float messages_5m, float messages_1h) {
  constexpr double kNothing = .2;
  return liminal::log((static_cast<double>(messages_5m) + kNothing) /
                      (static_cast<double>(messages_1h) + kNothing));
}

/// How a list of users is ordered: the larger, the earlier.
double rank(const engine::Shard& shard,
            const SalienceKeeper& salience,
            const Name& name,
            const engine::Shard::UserState& user,
            api::UserQuery::Order order) {
  const auto read = [&](FeatureId id) {
    return user.features.read(id, std::max(shard.now(), user.last));
  };
  switch (order) {
    case api::UserQuery::Order::kScore: {
      if (!shard.alerts().worst_of(name.hash)) return 0;
      return static_cast<double>(worst_score(shard.alerts().open_of(name.text)));
    }
    case api::UserQuery::Order::kMessagesPerMinute:
      return static_cast<double>(
          user.features.read(FeatureId::kMessagesPerMinute, std::max(shard.now(), user.last)));
    case api::UserQuery::Order::kLastSeen:
      return static_cast<double>(nanoseconds(user.last));
    case api::UserQuery::Order::kActivity:
      return activity_of(read(FeatureId::kMessagesPerMinute5m),
                         read(FeatureId::kChannelsCount),
                         read(FeatureId::kOpenConnections));
    case api::UserQuery::Order::kGrowth:
      return growth_of(read(FeatureId::kMessagesPerMinute5m),
                       read(FeatureId::kMessagesPerMinute1h));
    case api::UserQuery::Order::kSalience: {
      const bool open = shard.alerts().worst_of(name.hash).has_value();
      return salience_of(open ? shard.alerts().open_of(name.text) : std::vector<Alert>(),
                         read(FeatureId::kErrorRate),
                         salience);
    }
  }
  return 0;
}

}  // namespace

ServerBackend::ServerBackend(const Parts& parts,
                             const Configuration& configuration,
                             std::shared_ptr<const engine::Settings> settings)
    : parts_(parts), directory_(configuration.data), settings_(std::move(settings)) {
  const auto policy = parts_.store.policy(std::string(kLimitsPolicy));
  limits_were_set_ = policy && policy->has_value();
}

EventTime ServerBackend::now() const { return EventTime{time().time_since_epoch()}; }

std::shared_ptr<const engine::Settings> ServerBackend::settings() const {
  const std::lock_guard lock(mutex_);
  return settings_;
}

void ServerBackend::use(std::shared_ptr<const engine::Settings> settings) {
  const std::lock_guard lock(mutex_);
  settings_ = settings;
  parts_.runtime.set_settings(std::move(settings));
}

traffic::AuditEntry ServerBackend::audit(std::string action,
                                         std::string subject,
                                         std::string detail) const {
  return {time(), "api", std::move(action), std::move(subject), std::move(detail)};
}

void ServerBackend::submit(std::vector<traffic::StoredEvent> events, Done<void> done) {
  auto shared = std::make_shared<Done<void>>(std::move(done));
  if (!parts_.runtime.submit(std::move(events), [shared] { (*shared)({}); })) unavailable(*shared);
}

void ServerBackend::rows(api::RowQuery query, Done<std::vector<traffic::FeatureRow>> done) {
  // What the buffer has is the newest; further back the store has what the sampler took.
  auto recent = parts_.sink.rows(query.limit, query.user.value_or(""));
  if (recent.size() >= query.limit) return done(std::move(recent));
  read<std::vector<traffic::FeatureRow>>(
      std::move(done),
      [this, query = std::move(query)]() -> Result<std::vector<traffic::FeatureRow>> {
        auto recent_now = parts_.sink.rows(query.limit, query.user.value_or(""));
        auto stored = parts_.store.feature_rows(
            {.limit = query.limit, .since = std::nullopt, .user = query.user});
        if (!stored) return recent_now;  // the disk is in trouble; what is at hand still counts
        const SteadyTime oldest = recent_now.empty() ? SteadyTime::max() : recent_now.back().time;
        for (traffic::FeatureRow& row : *stored) {
          if (row.time < oldest && recent_now.size() < query.limit)
            recent_now.push_back(std::move(row));
        }
        return recent_now;
      });
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
  auto shared = std::make_shared<Done<Alert>>(std::move(done));
  alert(id, [=, this](Result<Alert> found) {
    if (!found) return (*shared)(std::move(found));
    sqlite::Feedback said{id.shard, id.number, verdict, note, "api", time()};
    const std::string name = traffic::alert_id(*found);
    const traffic::FindingType type = found->type;
    const Result<void> queued = parts_.store.put(
        {std::move(said), audit("feedback", name, std::string(traffic::name(verdict)))},
        [=, this](Result<void> committed) {
          if (!committed) return (*shared)(tl::unexpected(committed.error()));
          parts_.salience.signals().feedback(type, verdict);
          (void)parts_.runtime.ask(id.shard, [=](shards::OwnedShard& shard) {
            (void)shard.carry_out(engine::GiveFeedback{id.number, verdict});
          });
          (void)parts_.runtime.ask_all(
              [=](shards::OwnedShard& shard) {
                (void)shard.carry_out(engine::CountFeedback{type, verdict});
              },
              {});
          alert(id, [shared](Result<Alert> after) { (*shared)(std::move(after)); });
        });
    if (!queued) (*shared)(tl::unexpected(queued.error()));
  });
}

void ServerBackend::analyze(std::string user, Done<std::vector<Alert>> done) {
  auto shared = std::make_shared<Done<std::vector<Alert>>>(std::move(done));
  const ShardId id = shard_of_user(user);
  const bool asked = parts_.runtime.ask(id, [=](shards::OwnedShard& shard) {
    const auto view = shard->view(user);
    const auto findings = shard->analyze(user);
    if (!view || !findings) return (*shared)(failure(ErrorCode::kMissing));
    std::vector<Alert> alerts;
    for (const Finding& finding : *findings) {
      const auto open = std::find_if(view->alerts.begin(), view->alerts.end(), [&](const Alert& a) {
        return a.type == finding.type;
      });
      alerts.push_back(open != view->alerts.end() ? *open : as_alert(finding, *view, id));
    }
    (*shared)(std::move(alerts));
  });
  if (!asked) unavailable(*shared);
}

void ServerBackend::users(api::UserQuery query, Done<std::vector<api::UserSummary>> done) {
  using Ranked = std::vector<std::pair<double, api::UserSummary>>;
  const auto first = [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second.user < b.second.user;
  };
  auto shared = std::make_shared<Done<std::vector<api::UserSummary>>>(std::move(done));
  gather<Ranked>(
      [this, query, first](const engine::Shard& shard, Ranked& all) {
        std::vector<std::pair<double, std::string>> ranked;
        shard.for_each_active([&](const Name& name, const engine::Shard::UserState& user) {
          ranked.emplace_back(-rank(shard, parts_.salience, name, user, query.order), name.text);
        });
        const std::size_t count = std::min(query.limit, ranked.size());
        std::partial_sort(
            ranked.begin(), ranked.begin() + static_cast<std::ptrdiff_t>(count), ranked.end());
        for (std::size_t i = 0; i < count; ++i) {
          if (const auto view = shard.view(ranked[i].second))
            all.emplace_back(-ranked[i].first, summary_of(*view, parts_.salience));
        }
        std::sort(all.begin(), all.end(), first);
        if (all.size() > query.limit) all.resize(query.limit);
      },
      [shared](Result<Ranked> ranked) {
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
        const auto view = shard->view(question->user);
        if (!view) return question->done(failure(ErrorCode::kMissing));
        question->view.user = view->user;
        question->view.address = view->address;
        question->view.last_seen = view->last_seen;
        question->view.score = worst_score(view->alerts);
        question->view.features = view->features;
        question->view.baseline = baseline_of(*view);
        question->view.limit = limit_of(*view, present->options.limits);
        read<api::UserView>(question->done, [this, question]() -> Result<api::UserView> {
          auto alerts = parts_.store.alerts({.limit = 20, .user = question->user});
          if (alerts) question->view.alerts = std::move(*alerts);
          return std::move(question->view);
        });
      });
  if (!asked) unavailable(question->done);
}

void ServerBackend::limits(Done<limits::Options> done) { done(settings()->options.limits); }

void ServerBackend::set_limits(limits::Options options, Done<void> done) {
  json::Writer text;
  api::write_policies(options, text);
  auto shared = std::make_shared<Done<void>>(std::move(done));
  const Result<void> queued =
      parts_.store.put({sqlite::Policy{std::string(kLimitsPolicy), text.text(), time()},
                        audit("limits.set", "policies", text.text())},
                       [this, shared, options = std::move(options)](Result<void> committed) {
                         if (committed) {
                           engine::Options all = settings()->options;
                           all.limits = options;
                           {
                             const std::lock_guard lock(mutex_);
                             limits_were_set_ = true;
                           }
                           use(std::make_shared<const engine::Settings>(std::move(all)));
                         }
                         (*shared)(committed);
                       });
  if (!queued) (*shared)(tl::unexpected(queued.error()));
}

void ServerBackend::reload(const engine::Options& options) {
  engine::Options all = options;
  {
    const std::lock_guard lock(mutex_);
    if (limits_were_set_) all.limits = settings_->options.limits;
  }
  use(std::make_shared<const engine::Settings>(std::move(all)));
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
        const auto undo = [=, this] {
          (void)parts_.runtime.ask(shard_of_user(decision.user), [=](shards::OwnedShard& again) {
            if (before) {
              (void)again.carry_out(engine::SetOverride{*before});
            } else {
              (void)again.carry_out(engine::RemoveOverride{decision.user});
            }
          });
        };
        const Result<void> queued = parts_.store.put(
            {decision, audit("override.set", decision.user, detail)}, [=](Result<void> committed) {
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
  auto shared = std::make_shared<Done<void>>(std::move(done));
  override_of(user, [=, this](Result<traffic::Override> found) {
    if (!found) return (*shared)(tl::unexpected(found.error()));
    const Result<void> queued = parts_.store.put(
        {sqlite::OverrideRemoved{user}, audit("override.remove", user, found->reason)},
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
  struct Part {
    std::uint64_t active = 0, alerts = 0, events = 0, bytes = 0, baselines = 0;
  };
  auto shared = std::make_shared<Done<api::Status>>(std::move(done));
  gather<Part>(
      [](const engine::Shard& shard, Part& sum) {
        sum.active += shard.active_users();
        sum.alerts += shard.alerts().open_count();
        sum.bytes += shard.memory_bytes();
        for (const std::uint64_t count : shard.counters().events) sum.events += count;
        shard.for_each_active([&](const Name&, const engine::Shard::UserState& user) {
          sum.baselines += user.statistics.reference_weight() >= kBaselineMessages ? 1U : 0U;
        });
      },
      [this, shared](Result<Part> sum) {
        if (!sum) return (*shared)(tl::unexpected(sum.error()));
        const auto present = settings();
        api::Status status;
        status.uptime_s =
            std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
        status.time = time();
        status.mode = present->options.limits.mode;
        status.threads = static_cast<std::uint32_t>(parts_.runtime.threads());
        status.engine_bytes = sum->bytes;
        status.active_users = sum->active;
        status.row_buffer_size = parts_.sink.rows_max();
        status.rows_buffered = parts_.sink.rows_buffered();
        status.open_alerts = sum->alerts;
        status.rules = present->options.detect.rules.size();
        status.baselines = sum->baselines;
        const Duration now = std::chrono::steady_clock::now().time_since_epoch();
        if (const auto upstreams = parts_.gateways.upstreams()) {
          for (const auto& each : upstreams->all())
            status.upstreams.push_back({each->name(), each->healthy(now), each->connections()});
        }
        status.connections = parts_.gateways.connections();
        status.events_total = sum->events;
        status.events_per_second = static_cast<double>(sum->events) / std::max(1., status.uptime_s);
        (*shared)(std::move(status));
      });
}

}  // namespace liminal::app
