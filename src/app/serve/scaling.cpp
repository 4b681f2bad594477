#include "app/serve/scaling.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "app/configuration/changes.hpp"
#include "app/options.hpp"
#include "app/serve/credentials.hpp"
#include "app/serve/words.hpp"
#include "io/http/client.hpp"
#include "server/api/own_names.hpp"

namespace liminal::app {
namespace {

using Failed = tl::unexpected<std::string>;

constexpr const char* kFolder = "scaling";

/// Whether what is sent there leaves the machine in clear.
bool is_overheard(const http::Url& url) {
  const bool here = url.host == "localhost" || url.host == "::1" || url.host.starts_with("127.");
  return !url.tls && !here;
}

/// What KEDA is told: the advice for a service at the present moment of `clock`.
grpc::Advised advised_by(const signals::Scaling& scaling, const shards::EngineClock& clock) {
  return [&](const std::string& service) -> Result<std::optional<std::uint32_t>> {
    const auto advice = scaling.advice(service, EventTime{clock.now().time_since_epoch()});
    if (!advice) return tl::unexpected(advice.error());
    return advice->replicas;
  };
}

void add_grpc_metrics(const grpc::Server& server, prometheus::Snapshot& out) {
  using prometheus::Family;
  const grpc::Counters counters = server.counters();
  for (std::size_t i = 0; i < grpc::Counters::kCalls; ++i) {
    const std::string_view call = name(grpc::Counters::Call(i));
    out.add(Family::kGrpcCalls, counters.answered[i], {call, "answered"});
    out.add(Family::kGrpcCalls, counters.failed[i], {call, "failed"});
  }
  out.add(Family::kGrpcStreams, counters.streams);
}

void add_actor_metrics(const actor::Actor& actor, prometheus::Snapshot& out) {
  using prometheus::Family;
  actor.counters([&out](const std::string& service, const actor::Counters& counters) {
    out.add(Family::kScalingActions, counters.observed, {service, "observed"});
    out.add(Family::kScalingActions, counters.shadowed, {service, "shadowed"});
    out.add(Family::kScalingActions, counters.done, {service, "done"});
    out.add(Family::kScalingActions, counters.failed, {service, "failed"});
    out.add(Family::kScalingActions, counters.rejected, {service, "rejected"});
  });
}

void add_scaling_metrics(const signals::Scaling& scaling,
                         EventTime now,
                         prometheus::Snapshot& out) {
  using prometheus::Family;
  const signals::Scaling::Counters counters = scaling.counters();
  out.add(Family::kScalingServices, counters.services);
  out.add(Family::kScalingEvicted, counters.evicted);
  out.add(Family::kScalingMemory, counters.bytes);
  out.add(Family::kScalingRows, counters.rows, {"learnt"});
  out.add(Family::kScalingRows, counters.rows_late, {"late"});
  for (std::size_t i = 0; i < std::size(counters.advices); ++i)
    out.add(Family::kScalingAdvices, counters.advices[i], {name(scaling::Action(i))});
  out.add(Family::kScalingErrors, counters.save_errors, {"save"});
  out.add(Family::kScalingErrors, counters.load_errors, {"load"});
  out.add(Family::kScalingErrors, counters.refused, {"refuse"});
  for (const signals::Scaling::Line& line : scaling.lines(now)) {
    if (line.advice.replicas)
      out.add(Family::kScalingReplicas, *line.advice.replicas, {line.service});
    if (!line.advice.peak) continue;
    out.add(Family::kScalingLoad, line.advice.peak->p50, {line.service, "0.5"});
    out.add(Family::kScalingLoad, line.advice.peak->p90, {line.service, "0.9"});
    out.add(Family::kScalingLoad, line.advice.peak->p99, {line.service, "0.99"});
  }
}

}  // namespace

// Both wait for the disk.
void ScalingAdapter::change_options(std::string service,
                                    scaling::ChangeOptions change,
                                    Done<scaling::OptionsChanged> done) {
  auto shared = std::make_shared<Done<scaling::OptionsChanged>>(std::move(done));
  const bool taken =
      scaling_.run([this, service = std::move(service), change = std::move(change), shared] {
        (*shared)(scaling_.change_options(service, change));
      });
  if (!taken) (*shared)(failure(ErrorCode::kUnavailable));
}

void ScalingAdapter::forget(std::string service, Done<void> done) {
  auto shared = std::make_shared<Done<void>>(std::move(done));
  const bool taken = scaling_.run(
      [this, service = std::move(service), shared] { (*shared)(scaling_.forget(service)); });
  if (!taken) (*shared)(failure(ErrorCode::kUnavailable));
}

ScalingKeeper::ScalingKeeper(const signals::ScalingOptions& options, const Parts& parts)
    : parts_(parts), scaling_(options, parts.files) {
  static LogSite site;
  const signals::Scaling::Counters counters = scaling_.counters();
  if (counters.load_errors > 0)
    parts_.log.write(LogLevel::kError,
                     site,
                     "scaling.unreadable",
                     {{"folder", options.folder}, {"files", std::to_string(counters.load_errors)}});
  static LogSite left_out;
  if (counters.left_out > 0)
    parts_.log.write(LogLevel::kWarning,
                     left_out,
                     "scaling.left_out",
                     {{"folder", options.folder},
                      {"files", std::to_string(counters.left_out)},
                      {"services_max", std::to_string(options.services_max)}});
}

tl::expected<std::unique_ptr<ScalingKeeper>, std::string> ScalingKeeper::open(
    const Configuration& configuration, const Parts& parts) {
  signals::ScalingOptions options;
  options.services_max = configuration.scaling.services_max;
  options.folder = (std::filesystem::path(configuration.data) / kFolder).string();
  options.kept = {std::string(api::kOwnName)};
  for (const Configuration::ScalingActor& one : configuration.scaling.actors)
    options.kept.push_back(one.target.service);
  std::unique_ptr<ScalingKeeper> keeper(new ScalingKeeper(options, parts));
  if (auto asked = keeper->listen(configuration); !asked) return Failed(asked.error());
  if (auto told = keeper->make_actor(configuration); !told) return Failed(told.error());
  return keeper;
}

tl::expected<void, std::string> ScalingKeeper::listen(const Configuration& configuration) {
  const std::string& address = configuration.scaling.grpc;
  if (address.empty()) return {};
  const auto options = grpc_options(configuration);
  if (!options) return Failed(words(options.error()));
  auto started = grpc::Server::start(*options, advised_by(scaling_, parts_.clock));
  if (!started)
    return Failed("scaling.grpc: " + address +
                  " cannot be listened on, or the authorities are none");
  grpc_ = std::move(*started);
  const std::string host = address.substr(0, address.rfind(':'));
  grpc_address_ = fmt::format("{}:{}", host, grpc_->port());
  return {};
}

tl::expected<void, std::string> ScalingKeeper::make_actor(const Configuration& configuration) {
  auto options = actors_with_tokens(configuration);
  if (!options) return Failed(words(options.error()));
  if (options->targets.empty()) return {};
  if (const Problems problems = actor::validate(*options, "scaling.actors"); !problems.empty())
    return Failed(words(problems.front()));
  warn_of_clear_tokens(*options);
  actor_ = std::make_unique<actor::Actor>(
      std::move(*options),
      [this](const std::string& service) {
        return scaling_.advice(service, EventTime{parts_.clock.now().time_since_epoch()});
      },
      [this](std::string_view action, const std::string& service, std::string detail) {
        (void)parts_.store.put(traffic::AuditEntry{
            parts_.clock.now(), "scaling", std::string(action), service, std::move(detail)});
      },
      [this] { return parts_.clock.now(); });
  return {};
}

void ScalingKeeper::warn_of_clear_tokens(const actor::Options& options) const {
  static LogSite site;
  for (const actor::Target& target : options.targets) {
    const auto url = http::parse_url(target.url);
    if (target.token.empty() || !url || !is_overheard(*url)) continue;
    parts_.log.write(LogLevel::kWarning,
                     site,
                     "scaling.token_in_clear",
                     {{"service", target.service}, {"url", target.url}});
  }
}

void ScalingKeeper::start() {
  if (actor_) actor_->start();
}

void ScalingKeeper::stop_telling() {
  if (actor_) actor_->stop();
}

void ScalingKeeper::second(EventTime now, const std::function<GatewayUsage()>& usage) {
  own_usage_.second(now, std::chrono::steady_clock::now(), usage);
  scaling_.second();
}

void ScalingKeeper::take_modes(const Configuration& present, const Configuration& wanted) {
  if (!actor_) return;
  for (const Configuration::ScalingActor& after : wanted.scaling.actors) {
    for (const Configuration::ScalingActor& before : present.scaling.actors) {
      if (same_actor(before, after)) actor_->set_mode(after.target.service, after.target.mode);
    }
  }
}

void ScalingKeeper::add_metrics(EventTime now, prometheus::Snapshot& out) const {
  add_scaling_metrics(scaling_, now, out);
  if (grpc_) add_grpc_metrics(*grpc_, out);
  if (actor_) add_actor_metrics(*actor_, out);
}

}  // namespace liminal::app
