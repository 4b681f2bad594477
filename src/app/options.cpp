#include "app/options.hpp"

#include <string_view>

#include "server/api/own_names.hpp"

namespace liminal::app {
namespace {

/// Of the query of an upgrade's target: what API clients that cannot set headers use.
constexpr std::string_view kTokenParameter = "token";
constexpr std::string_view kRayEngine = "ray=";

}  // namespace

engine::Options engine_options(const Configuration& configuration) {
  engine::Options options = configuration.engine;
  options.limits = configuration.limits;
  options.detect = configuration.detect;
  options.alerts = configuration.alerts;
  // The store thins again, over all shards: what one hands out more often would be for nothing.
  options.row_interval = configuration.store.queue.sampling.user_interval;
  return options;
}

gateway::Options gateway_options(const Configuration& configuration) {
  using Kind = gateway::IdentitySource::Kind;
  const Configuration::Identity& identity = configuration.identity;
  gateway::Options options = configuration.gateway;
  options.identity.clear();
  for (const std::string& way : identity.order) {
    if (way == "jwt" && !(identity.jwt_secret.empty() && identity.jwt_key_file.empty()))
      options.identity.push_back({Kind::kToken, std::string(kTokenParameter)});
    if (way == "header" && !identity.header.empty())
      options.identity.push_back({Kind::kHeader, identity.header});
    if (way == "cookie" && !identity.cookie.empty())
      options.identity.push_back({Kind::kCookie, identity.cookie});
    if (way == "address") options.identity.push_back({Kind::kAddress, ""});
  }
  options.trusted_proxies.clear();
  for (const std::string& network : identity.trusted_proxies) {
    if (const auto parsed = epoll::Network::parse(network))
      options.trusted_proxies.push_back(*parsed);
  }
  return options;
}

webhook::Options webhook_options(const Configuration& configuration) {
  webhook::Options options;
  options.url = configuration.webhook.url;
  options.secret = configuration.webhook.secret;
  options.min_severity = configuration.webhook.min_severity;
  return options;
}

std::optional<uplink::Options> uplink_options(const Configuration& configuration) {
  const std::string& engine = configuration.cluster.engine;
  if (engine == "local") return std::nullopt;
  uplink::Options options;
  // What does not begin so is no URL, which its validation says.
  if (engine.starts_with(kRayEngine)) options.url = engine.substr(kRayEngine.size());
  options.token = configuration.cluster.token;
  options.name = configuration.cluster.name;
  return options;
}

actor::Options actor_options(const Configuration& configuration) {
  actor::Options options;
  for (const Configuration::ScalingActor& actor : configuration.scaling.actors)
    options.targets.push_back(actor.target);
  return options;
}

signals::Anomaly::Bounds metric_bounds(const Configuration& configuration) {
  return {configuration.metrics.source_series_max, configuration.metrics.source_alarms_per_week};
}

signals::Anomaly::Options metric_options(const Configuration& configuration) {
  signals::Anomaly::Options options;
  options.folder = configuration.data;
  options.series_max = configuration.metrics.series_max;
  options.bounds = metric_bounds(configuration);
  options.is_own = api::is_own_name;
  return options;
}

signals::SalienceOptions salience_options(const Configuration& configuration) {
  signals::SalienceOptions options;
  options.incidents.calm = configuration.alerts.calm;
  options.age_max = configuration.store.retention.alerts_age;
  return options;
}

sqlite::Store::Options store_options(const Configuration& configuration) {
  sqlite::Store::Options options = configuration.store;
  options.directory = configuration.data;
  return options;
}

}  // namespace liminal::app
