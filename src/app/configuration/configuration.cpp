#include "app/configuration/configuration.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "app/configuration/quantity.hpp"
#include "app/options.hpp"
#include "core/learn/registered.hpp"
#include "server/api/guard.hpp"
#include "server/gateway/upstream_url.hpp"

namespace liminal::app {
namespace {

/// The host of "HOST:PORT" or "[IPV6]:PORT"; nothing for other text.
std::optional<std::string_view> host_of(std::string_view address) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view host = address.substr(0, colon);
  const std::string_view port = address.substr(colon + 1);
  const bool digits =
      !port.empty() && port.size() <= 5 &&
      std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!digits || std::stoul(std::string(port)) > 65'535 || !gateway::is_host(host))
    return std::nullopt;
  return host;
}

/// Whether who listens on one takes the port of the other.
bool is_every_address_of(std::string_view host, std::string_view other) {
  return host == "[::]" || (host == "0.0.0.0" && !other.starts_with('['));
}

/// Whether only one can listen on both. Port 0 is any that is free.
bool is_taken_by(std::string_view address, std::string_view other) {
  const auto host = host_of(address), other_host = host_of(other);
  if (!host || !other_host) return false;
  const std::string_view port = address.substr(host->size() + 1);
  return port == other.substr(other_host->size() + 1) && port != "0" &&
         (*host == *other_host || is_every_address_of(*host, *other_host) ||
          is_every_address_of(*other_host, *host));
}

bool is_loopback(std::string_view host) {
  return host == "localhost" || host == "[::1]" || host.starts_with("127.");
}

class Checks {
 public:
  explicit Checks(Problems& found) : found_(found) {}

  void require(bool holds, std::string_view key, std::string_view text) {
    if (!holds) found_.push_back({std::string(key), std::string(text)});
  }

  /// The problems of one folder's options, under the key of its table.
  void take(const Problems& problems, std::string_view table) {
    for (const Problem& problem : problems)
      found_.push_back(
          {table.empty() ? problem.key : fmt::format("{}.{}", table, problem.key), problem.text});
  }

 private:
  Problems& found_;
};

void check_addresses(const Configuration& c, Checks& checks) {
  constexpr std::string_view kForm = "must be HOST:PORT, as 127.0.0.1:8080 or [::1]:8080";
  checks.require(host_of(c.listen).has_value(), "listen", kForm);
  const auto api = host_of(c.api.address);
  checks.require(api.has_value(), "api.address", kForm);
  checks.require(c.api.token.empty() || c.api.token_file.empty(),
                 "api.token_file",
                 "is given beside api.token: one of them is enough");
  checks.require(!api || is_loopback(*api) || !c.api.token.empty() || !c.api.token_file.empty(),
                 "api.address",
                 "is reachable from other machines: set api.token or api.token_file");
  for (const std::string& host : c.api.hosts) {
    checks.require(!host.empty() && host.find_first_of(":/ ") == std::string::npos,
                   "api.hosts",
                   fmt::format("\"{}\" is no name without a port", host));
  }
  checks.require(!is_taken_by(c.api.address, c.listen),
                 "api.address",
                 "is where clients are listened to (listen): the API needs a port of its own");
  checks.require(
      !is_taken_by(c.scaling.grpc, c.listen) && !is_taken_by(c.scaling.grpc, c.api.address),
      "scaling.grpc",
      "is listened to already (listen or api.address): KEDA needs a port of its own");
  checks.require(
      api::is_visible_ascii(c.api.token), "api.token", "must be visible ASCII, without blanks");
  checks.require(!c.data.empty(), "data", "must not be empty");
}

void check_upstreams(const Configuration& c, Checks& checks) {
  for (auto upstream = c.upstreams.begin(); upstream != c.upstreams.end(); ++upstream) {
    const auto read = gateway::parse_upstream(*upstream);
    if (!read)
      checks.require(false, "upstreams", fmt::format("\"{}\" {}", *upstream, read.error()));
    checks.require(std::find(c.upstreams.begin(), upstream, *upstream) == upstream,
                   "upstreams",
                   fmt::format("\"{}\" is there twice", *upstream));
  }
}

void check_identity(const Configuration& c, Checks& checks) {
  constexpr std::array<std::string_view, 4> kWays{"jwt", "header", "cookie", "address"};
  bool all_known = true;
  for (const std::string& way : c.identity.order) {
    const bool known = std::find(kWays.begin(), kWays.end(), way) != kWays.end();
    all_known = all_known && known;
    checks.require(known,
                   "identity.order",
                   fmt::format("\"{}\" is not one of jwt, header, cookie, address", way));
  }
  checks.require(!all_known || !gateway_options(c).identity.empty(),
                 "identity.order",
                 "names nobody: add address, or set what it needs (jwt identity.jwt_secret or "
                 "identity.jwt_key_file, header identity.header, cookie identity.cookie)");
  constexpr std::array<std::string_view, 3> kAlgorithms{"HS256", "RS256", "ES256"};
  checks.require(std::find(kAlgorithms.begin(), kAlgorithms.end(), c.identity.jwt_algorithm) !=
                     kAlgorithms.end(),
                 "identity.jwt_algorithm",
                 "must be one of HS256, RS256, ES256");
  checks.require(c.identity.jwt_secret.empty() || c.identity.jwt_algorithm == "HS256",
                 "identity.jwt_secret",
                 "is of HS256 only; RS256 and ES256 take identity.jwt_key_file");
  checks.require(c.identity.jwt_key_file.empty() || c.identity.jwt_algorithm != "HS256",
                 "identity.jwt_key_file",
                 "is of RS256 and ES256; HS256 takes identity.jwt_secret");
}

/// An address as the gateway writes it, "2001:db8::1" for "2001:DB8:0::1"; nothing for other text.
std::optional<std::string> written_address(const std::string& text) {
  if (text.starts_with("unix:")) return text;
  const bool six = text.find(':') != std::string::npos;
  const auto address = epoll::Address::parse((six ? "[" + text + "]" : text) + ":0");
  if (!address) return std::nullopt;
  return address->host();
}

/// Limits compare texts, so that another spelling would never be met.
void check_allowed(const Configuration& c, Checks& checks) {
  for (const std::string& address : c.limits.allow_addresses) {
    if (address.empty()) continue;  // which the limits themselves complain of
    const auto written = written_address(address);
    if (!written)
      checks.require(false,
                     "limits.allow_addresses",
                     fmt::format("\"{}\" is no address; networks are not known here: name each "
                                 "address, as 10.1.2.3",
                                 address));
    else
      checks.require(*written == address,
                     "limits.allow_addresses",
                     fmt::format("\"{}\" must be written {}", address, *written));
  }
}

void check_proxies(const Configuration& c, Checks& checks) {
  checks.require(!c.gateway.proxy_protocol || !c.identity.trusted_proxies.empty(),
                 "gateway.proxy_protocol",
                 "does nothing without identity.trusted_proxies: only their connections begin with "
                 "its header");
  for (const std::string& network : c.identity.trusted_proxies) {
    checks.require(epoll::Network::parse(network).has_value(),
                   "identity.trusted_proxies",
                   fmt::format("\"{}\" is no address or network, as 10.0.0.0/8", network));
  }
}

void check_outside(const Configuration& c, Checks& checks) {
  checks.require(c.tls.certificate.empty() == c.tls.key.empty(),
                 c.tls.key.empty() ? "tls.key" : "tls.certificate",
                 "is missing: TLS needs tls.certificate and tls.key");
}

/// Under the keys that its options have here.
void check_gateway(const gateway::Options& options, Checks& checks) {
  for (const Problem& problem : gateway::validate(options)) {
    // `check_identity` says why there is none.
    if (problem.key == "identity" && options.identity.empty()) continue;
    const std::string key = problem.key == "identity"          ? "identity.order"
                            : problem.key == "trusted_proxies" ? "identity.trusted_proxies"
                            : problem.key == "head_bytes_max"  ? "gateway.request_bytes_max"
                                                               : "gateway." + problem.key;
    checks.require(false, key, problem.text);
  }
}

void check_scaling(const Configuration::Scaling& c, Checks& checks) {
  const auto grpc = host_of(c.grpc);
  checks.require(c.grpc.empty() || grpc.has_value(),
                 "scaling.grpc",
                 "must be HOST:PORT, as 127.0.0.1:9090 or [::1]:9090");
  checks.require(!grpc || is_loopback(*grpc) || !c.grpc_authorities.empty() || c.grpc_open,
                 "scaling.grpc",
                 "is reachable from other machines: set scaling.grpc_authorities, or "
                 "scaling.grpc_open = true");
  checks.require(c.grpc_certificate.empty() == c.grpc_key.empty(),
                 c.grpc_key.empty() ? "scaling.grpc_key" : "scaling.grpc_certificate",
                 "is missing: TLS needs scaling.grpc_certificate and scaling.grpc_key");
  checks.require(c.grpc_authorities.empty() || !c.grpc_certificate.empty(),
                 "scaling.grpc_certificate",
                 "is missing: clients are verified over TLS");
  for (std::size_t i = 0; i < c.actors.size(); ++i)
    checks.require(c.actors[i].token_file.empty() || c.actors[i].target.token.empty(),
                   fmt::format("scaling.actors[{}].token_file", i),
                   "is given beside token: one of them is enough");
}

void check_models(const Configuration& configuration, Checks& checks) {
  std::set<std::string> names;
  for (const learn::ModelDefinition& first : learn::first_models()) names.insert(first.name);
  for (const std::string& line : configuration.models.definitions) {
    const auto definition = learn::parse_definition(line);
    if (!definition) {
      checks.require(false,
                     "models.definitions",
                     "\"" + line + "\" is not of the form \"NAME TASK TARGET FEATURE,FEATURE\"");
    } else if (!names.insert(definition->name).second) {
      checks.require(false, "models.definitions", "has the model " + definition->name + " twice");
    }
  }
}

void check_learning(const Configuration::Learning& learning, Checks& checks) {
  checks.require(learning.daily_at.empty() || parse_time_of_day(learning.daily_at),
                 "learning.daily_at",
                 "must be HH:MM, as 03:30");
  checks.take(learning.when.validate(), "learning");
}

}  // namespace

Problems validate(const Configuration& configuration) {
  Problems found;
  Checks checks(found);
  check_addresses(configuration, checks);
  check_upstreams(configuration, checks);
  check_allowed(configuration, checks);
  check_identity(configuration, checks);
  check_proxies(configuration, checks);
  check_outside(configuration, checks);
  check_models(configuration, checks);
  check_learning(configuration.learning, checks);
  checks.require(configuration.metrics.series_max >= configuration.metrics.source_series_max,
                 "metrics.series_max",
                 "must not be below metrics.source_series_max");
  check_scaling(configuration.scaling, checks);
  check_gateway(gateway_options(configuration), checks);
  checks.take(hub::validate(configuration.hub), "hub");
  if (const auto cluster = uplink_options(configuration))
    checks.take(uplink::validate(*cluster, "cluster"), "");
  checks.take(webhook::validate(webhook_options(configuration), "webhook"), "");
  checks.take(actor::validate(actor_options(configuration), "scaling.actors"), "");
  checks.take(engine::validate(engine_options(configuration)), "");
  checks.take(sqlite::validate(configuration.store.retention), "store");
  checks.take(sqlite::FeatureSampler::validate(configuration.store.queue.sampling), "store");
  return found;
}

}  // namespace liminal::app
