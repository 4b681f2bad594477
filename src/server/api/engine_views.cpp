#include "server/api/engine_views.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "core/base/math.hpp"

namespace liminal::api {

using prometheus::Family;
using traffic::Alert;
using traffic::FeatureId;
using traffic::Finding;
using traffic::Name;

namespace {

/// Users with at least so many messages of reference have a baseline to speak of.
constexpr float kBaselineMessages = 8;

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
double salience_of(const std::vector<Alert>& open, float error_rate, const SaliencePort& salience) {
  salience::Fields fields;
  fields[salience::Field::kSeverity] = salience::severity_log_odds("info").value_or(0);
  fields[salience::Field::kErrorRate] = static_cast<double>(error_rate);
  double most = salience::judge(fields).log_odds();
  for (const Alert& alert : open) most = std::max(most, salience.judge(alert).log_odds());
  return most;
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

UserSummary summary_of(const engine::UserView& view, const SaliencePort& salience) {
  UserSummary summary;
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
  summary.activity = activity_of(view.features[FeatureId::kMessagesPerMinute5m],
                                 view.features[FeatureId::kChannelsCount],
                                 view.features[FeatureId::kOpenConnections]);
  summary.growth = growth_of(view.features[FeatureId::kMessagesPerMinute5m],
                             view.features[FeatureId::kMessagesPerMinute1h]);
  if (view.limit.messages_per_second > 0)
    summary.messages_per_second_max = view.limit.messages_per_second;
  return summary;
}

LimitInForce limit_of(const engine::UserView& view, const limits::Options& options) {
  LimitInForce limit;
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

std::vector<BaselineLine> baseline_of(const engine::UserView& view) {
  constexpr std::array kSignals{traffic::Signal::kMessages10s,
                                traffic::Signal::kMessages60s,
                                traffic::Signal::kMessages300s,
                                traffic::Signal::kMessages900s};
  static_assert(kSignals.size() == detect::kWindows);
  std::vector<BaselineLine> lines;
  for (std::size_t i = 0; i < detect::kWindows; ++i) {
    lines.push_back(
        {kSignals[i], view.expected[i].expected, view.expected[i].high, view.reference_weight});
  }
  return lines;
}

/// How a list of users is ordered: the larger, the earlier.
double rank(const engine::Shard& shard,
            const SaliencePort& salience,
            const Name& name,
            const engine::Shard::UserState& user,
            UserQuery::Order order) {
  const auto read = [&](FeatureId id) {
    return user.features.read(id, std::max(shard.now(), user.last));
  };
  switch (order) {
    case UserQuery::Order::kScore: {
      if (!shard.alerts().worst_of(name.hash)) return 0;
      return static_cast<double>(worst_score(shard.alerts().open_of(name.text)));
    }
    case UserQuery::Order::kMessagesPerMinute:
      return static_cast<double>(
          user.features.read(FeatureId::kMessagesPerMinute, std::max(shard.now(), user.last)));
    case UserQuery::Order::kLastSeen:
      return static_cast<double>(nanoseconds(user.last));
    case UserQuery::Order::kActivity:
      return activity_of(read(FeatureId::kMessagesPerMinute5m),
                         read(FeatureId::kChannelsCount),
                         read(FeatureId::kOpenConnections));
    case UserQuery::Order::kGrowth:
      return growth_of(read(FeatureId::kMessagesPerMinute5m),
                       read(FeatureId::kMessagesPerMinute1h));
    case UserQuery::Order::kSalience: {
      const bool open = shard.alerts().worst_of(name.hash).has_value();
      return salience_of(open ? shard.alerts().open_of(name.text) : std::vector<Alert>(),
                         read(FeatureId::kErrorRate),
                         salience);
    }
  }
  return 0;
}

}  // namespace

std::optional<std::vector<Alert>> judged_now(const engine::Shard& shard, const std::string& user) {
  const auto view = shard.view(user);
  const auto findings = shard.analyze(user);
  if (!view || !findings) return std::nullopt;
  std::vector<Alert> alerts;
  for (const Finding& finding : *findings) {
    const auto open = std::find_if(view->alerts.begin(), view->alerts.end(), [&](const Alert& a) {
      return a.type == finding.type;
    });
    alerts.push_back(open != view->alerts.end() ? *open : as_alert(finding, *view, shard.id()));
  }
  return alerts;
}

Explanation explained_there(traffic::Alert alert) {
  const traffic::Alert::Origin& origin = alert.origin;
  Explanation explanation;
  explanation.command = "liminal explain " + traffic::alert_id(origin.shard, origin.number);
  explanation.reason = "it was raised at the gateway " + origin.gateway + ", which is to be asked";
  explanation.alert = std::move(alert);
  return explanation;
}

std::optional<UserView> user_view(const engine::Shard& shard,
                                  const std::string& user,
                                  const limits::Options& options) {
  const auto seen = shard.view(user);
  if (!seen) return std::nullopt;
  UserView view;
  view.user = seen->user;
  view.address = seen->address;
  view.last_seen = seen->last_seen;
  view.score = worst_score(seen->alerts);
  view.features = seen->features;
  view.baseline = baseline_of(*seen);
  view.limit = limit_of(*seen, options);
  return view;
}

void add_users(const engine::Shard& shard,
               const UserQuery& query,
               const SaliencePort& salience,
               RankedUsers& users) {
  std::vector<std::pair<double, std::string>> ranked;
  shard.for_each_active([&](const Name& name, const engine::Shard::UserState& user) {
    ranked.emplace_back(-rank(shard, salience, name, user, query.order), name.text);
  });
  const std::size_t count = std::min(query.limit, ranked.size());
  std::partial_sort(
      ranked.begin(), ranked.begin() + static_cast<std::ptrdiff_t>(count), ranked.end());
  for (std::size_t i = 0; i < count; ++i) {
    if (const auto view = shard.view(ranked[i].second))
      users.emplace_back(-ranked[i].first, summary_of(*view, salience));
  }
  std::sort(users.begin(), users.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second.user < b.second.user;
  });
  if (users.size() > query.limit) users.resize(query.limit);
}

std::uint64_t baselines(const engine::Shard& shard) {
  std::uint64_t count = 0;
  shard.for_each_active([&](const Name&, const engine::Shard::UserState& user) {
    count += user.statistics.reference_weight() >= kBaselineMessages ? 1U : 0U;
  });
  return count;
}

/// What the engine counted, with the labels of the metrics.
namespace {

/// What shards counted, with the labels of the metrics.
void add_counters(const engine::Counters& counters, prometheus::Snapshot& out) {
  for (std::size_t kind = 0; kind < traffic::kEventKinds; ++kind)
    out.add(Family::kEvents, counters.events[kind], {name(traffic::EventKind(kind))});
  out.add(Family::kEventsLate, counters.late);
  out.add(Family::kEventsEarly, counters.early);
  out.add(Family::kUsersEvicted, counters.users_evicted);
  out.add(Family::kModelScores, counters.scores_asked, {"asked"});
  out.add(Family::kModelScores, counters.scores_answered, {"answered"});
  for (const traffic::FindingInfo& info : traffic::finding_table()) {
    const auto& by_severity = counters.findings[static_cast<std::size_t>(info.type)];
    for (std::size_t severity = 0; severity < by_severity.size(); ++severity) {
      if (by_severity[severity] == 0 && traffic::Severity(severity) != info.severity) continue;
      out.add(Family::kFindings,
              by_severity[severity],
              {info.name, traffic::name(traffic::Severity(severity))});
    }
  }
  for (std::size_t decision = 1; decision < 4; ++decision) {
    const std::string_view action = traffic::name(traffic::Decision(decision));
    for (std::size_t reason = 1; reason < traffic::kReasons; ++reason) {
      if (traffic::Reason(reason) == traffic::Reason::kFinding) continue;
      const std::string_view why = traffic::name(traffic::Reason(reason));
      if (counters.shadow[decision][reason] > 0)
        out.add(Family::kShadow, counters.shadow[decision][reason], {action, why});
      out.add(Family::kRateLimit, counters.enforced[decision][reason], {why});
    }
    for (const traffic::FindingInfo& info : traffic::finding_table()) {
      const auto type = static_cast<std::size_t>(info.type);
      if (counters.shadow_findings[decision][type] > 0)
        out.add(Family::kShadow, counters.shadow_findings[decision][type], {action, info.name});
      if (counters.enforced_findings[decision][type] > 0)
        out.add(Family::kRateLimit, counters.enforced_findings[decision][type], {info.name});
    }
  }
  // So that the family is there before anything moved it.
  out.add(Family::kShadow, 0, {"drop", traffic::name(traffic::Reason::kUserMessages)});
}

}  // namespace

void EngineTotals::add(const engine::Shard& shard) {
  counters += shard.counters();
  users += shard.users();
  active_users += shard.users_seen_recently();
  baselines += api::baselines(shard);
  memory_bytes += shard.memory_bytes();
  for (std::size_t i = 0; i < open_alerts.size(); ++i)
    open_alerts[i] += shard.alerts().open_count(traffic::Severity(i));
  for (const auto& [user, decision] : shard.overrides())
    ++overrides[static_cast<std::size_t>(decision.kind)];
}

void tell(const EngineTotals& totals, Status& status) {
  status.engine_bytes = totals.memory_bytes;
  status.active_users = static_cast<std::uint64_t>(std::llround(totals.active_users));
  status.users_remembered = totals.users;
  status.open_alerts =
      std::accumulate(totals.open_alerts.begin(), totals.open_alerts.end(), std::uint64_t{0});
  status.baselines = totals.baselines;
  status.events_total = std::accumulate(
      totals.counters.events.begin(), totals.counters.events.end(), std::uint64_t{0});
}

void add_totals(const EngineTotals& totals, prometheus::Snapshot& out) {
  add_counters(totals.counters, out);
  out.add(Family::kUsers, totals.users);
  out.add(Family::kEngineMemory, totals.memory_bytes);
  for (std::size_t i = 0; i < totals.open_alerts.size(); ++i)
    out.add(Family::kAlertsOpen, totals.open_alerts[i], {traffic::name(traffic::Severity(i))});
  for (std::size_t i = 0; i < totals.overrides.size(); ++i)
    out.add(Family::kOverrides, totals.overrides[i], {traffic::name(traffic::Override::Kind(i))});
}

void add_raised(const std::function<std::uint64_t(traffic::FindingType, traffic::Severity)>& raised,
                prometheus::Snapshot& out) {
  for (const traffic::FindingInfo& info : traffic::finding_table()) {
    for (std::size_t i = 0; i < 4; ++i) {
      const auto severity = traffic::Severity(i);
      const std::uint64_t count = raised(info.type, severity);
      if (count > 0 || severity == info.severity)
        out.add(Family::kAlerts, count, {info.name, traffic::name(severity)});
    }
  }
}

void add_crowd(const features::CrowdSummary& crowd, prometheus::Snapshot& out) {
  out.add(Family::kActiveUsers, crowd.active_users);
  out.add(Family::kAddressEntropy, crowd.address_entropy_bits());
  const auto crowded = crowd.most_crowded(1);
  out.add(Family::kAddressUsersMax, crowded.empty() ? 0. : crowded[0].users);
  const auto connecting = crowd.most_connecting(1);
  out.add(Family::kAddressConnectionsMax,
          connecting.empty() ? 0. : connecting[0].connections_per_minute);
  const auto hottest = crowd.hottest(1);
  out.add(Family::kChannelRateMax, hottest.empty() ? 0. : hottest[0].per_minute);
}

}  // namespace liminal::api
