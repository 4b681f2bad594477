#include "app/serve/server.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <future>

#include "app/configuration/changes.hpp"
#include "app/options.hpp"
#include "app/serve/cluster.hpp"
#include "app/serve/credentials.hpp"
#include "app/serve/engine_text.hpp"
#include "app/serve/kept_limits.hpp"
#include "app/serve/words.hpp"
#include "app/version.hpp"
#include "io/files/file_system.hpp"
#include "io/tls/certificate.hpp"
#include "server/training/ranking.hpp"

namespace liminal::app {
namespace {

/// That read requests and rank events.
constexpr unsigned kApiThreads = 2;

using Failed = tl::unexpected<std::string>;

/// Hands alerts on to their ranking and, if there are such, to the cluster and the webhook.
std::function<void(const engine::AlertChange&)> pusher(SalienceKeeper& salience,
                                                       uplink::Uplink* uplink,
                                                       webhook::Webhook* webhook) {
  return [&salience, uplink, webhook](const engine::AlertChange& change) {
    using Kind = engine::AlertChange::Kind;
    using webhook::Occasion;
    if (change.kind != Kind::kResolved) salience.signals().note(change.alert);
    if (uplink != nullptr) uplink->push(change.alert);
    if (webhook == nullptr || change.kind == Kind::kUpdated || !webhook->wants(change.alert))
      return;
    webhook->push(change.alert,
                  change.kind == Kind::kRaised      ? Occasion::kRaised
                  : change.kind == Kind::kEscalated ? Occasion::kEscalated
                                                    : Occasion::kResolved,
                  salience.judge(change.alert).salience(),
                  salience.signals().incident_of(change.alert));
  };
}

/// Hands feature rows to the cluster, if there is one.
std::function<void(const std::vector<traffic::FeatureRow>&)> rows_to(uplink::Uplink* uplink) {
  if (uplink == nullptr) return {};
  return [uplink](const std::vector<traffic::FeatureRow>& rows) { uplink->push(rows); };
}

}  // namespace

Server::Server(const Configuration& configuration, Log& log)
    : configuration_(configuration), latest_(configuration), log_(log) {}

Server::~Server() { stop(Duration::zero()); }

tl::expected<std::unique_ptr<Server>, std::string> Server::start(const Configuration& configuration,
                                                                 Log& log) {
  std::unique_ptr<Server> server(new Server(configuration, log));
  if (auto opened = server->open_store(); !opened) return Failed(opened.error());
  server->clock_ = std::make_unique<ClockKeeper>(*server->store_, configuration.time_scale, log);
  shards::EngineClock& clock = server->clock_->clock();
  engine::Options options = engine_options(configuration);
  KeptLimits limits = server->load_limits(options.limits);
  options.limits = limits.in_force();
  auto settings = std::make_shared<const engine::Settings>(std::move(options));
  server->start_webhook();
  server->join_cluster();
  server->salience_ = std::make_unique<SalienceKeeper>(server->file_system_,
                                                       log,
                                                       configuration.data,
                                                       salience_options(configuration),
                                                       configuration.time_scale);
  server->salience_->load(*server->store_);
  server->sink_ = std::make_unique<EffectsSink>(
      *server->store_,
      log,
      configuration.buffer_size,
      pusher(*server->salience_, server->uplink_.get(), server->webhook_.get()),
      rows_to(server->uplink_.get()));
  server->open_journal();
  server->open_snapshots();
  server->runtime_ = std::make_unique<shards::Runtime>(
      server->shard_options(), settings, clock, *server->sink_, server->recorder_.get());
  server->gateways_ =
      std::make_unique<GatewayThreads>(*server->runtime_, server->operator_log_, configuration.hub);
  server->load_state();
  adopt_what_was_shown(*server->store_, *server->runtime_, *server->sink_, clock.now());
  // Before anything comes of them that is younger.
  if (server->uplink_) tell_alerts(*server->store_, clock.now(), *server->uplink_);
  auto scaling =
      ScalingKeeper::open(configuration, {server->file_system_, clock, *server->store_, log});
  if (!scaling) return Failed(scaling.error());
  server->scaling_ = std::move(*scaling);
  server->runtime_->start();
  server->running_ = true;
  server->metric_streams_ = std::make_unique<MetricStreams>(
      metric_options(configuration), server->file_system_, clock, log);
  server->scaling_->on_load([streams = server->metric_streams_.get()](
                                const std::string& service,
                                std::span<const signals::Scaling::LoadMinute> minutes,
                                bool anew) { streams->hear_load(service, minutes, anew); });
  if (server->uplink_)
    server->metric_streams_->on_batch(
        [uplink = server->uplink_.get()](const novelty::Batch& batch) { uplink->push(batch); });
  server->metric_streams_->on_forgotten(
      [&store = *server->store_, &clock](const std::string& source,
                                         const std::optional<std::string>& metric) {
        (void)store.put(traffic::AuditEntry{
            clock.now(), "api", "series.forget", source, metric.value_or("all its series")});
      });
  server->open_models();
  server->backend_ = std::make_unique<ServerBackend>(ServerBackend::Parts{*server->runtime_,
                                                                          *server->store_,
                                                                          *server->sink_,
                                                                          *server->gateways_,
                                                                          server->webhook_.get(),
                                                                          server->journal_.get(),
                                                                          *server->snapshots_,
                                                                          server->measures_,
                                                                          *server->scaling_,
                                                                          *server->metric_streams_,
                                                                          server->models_.get(),
                                                                          server->uplink_.get(),
                                                                          *server->salience_,
                                                                          log},
                                                     configuration,
                                                     std::move(limits),
                                                     std::move(settings));
  if (auto listening = server->listen(); !listening) return Failed(listening.error());
  if (auto answering = server->start_api(); !answering) return Failed(answering.error());
  // Last: nobody is told anything by a server that does not come up.
  server->scaling_->start();
  if (server->uplink_) server->uplink_->start();
  return server;
}

shards::Options Server::shard_options() {
  shards::Options options{.threads = configuration_.shards, .inference = configuration_.inference};
  options.on_model_fault = [this](const engine::ModelFault& fault) {
    static LogSite site;
    log_.write(LogLevel::kError,
               site,
               "model.taken_out",
               {{"model", "anomaly_detection"},
                {"version", std::to_string(fault.version)},
                {"fault", std::string(engine::name(fault.kind))},
                {"row_us", fmt::format("{:.2f}", fault.row_seconds * 1e6F)},
                {"row_budget_us", fmt::format("{:.2f}", fault.row_seconds_budget * 1e6F)}});
  };
  return options;
}

tl::expected<void, std::string> Server::open_store() {
  sqlite::Store::Options options = store_options(configuration_);
  options.on_commit = [this](Duration took) { measures_.commit_seconds.observe(took); };
  options.on_health = [this](const sqlite::StoreHealth& health) {
    static LogSite site;
    log_.write(health.writable() ? LogLevel::kInfo : LogLevel::kError,
               site,
               "store.state",
               {{"state", std::string(sqlite::name(health.state))},
                {"message", std::string(health.message)}});
  };
  auto opened = sqlite::Store::open(options);
  if (!opened) {
    if (opened.error().code == ErrorCode::kConflict)
      return Failed("the data directory \"" + configuration_.data +
                    "\" is used by another process: stop it, or name another with --data");
    return Failed("the data directory \"" + configuration_.data +
                  "\" cannot be used: " + words(opened.error()));
  }
  store_ = std::move(*opened);
  return {};
}

/// Without a journal decisions cannot be replayed; everything else goes on.
void Server::open_journal() {
  journal::Options options;
  options.log.folder = (std::filesystem::path(configuration_.data) / kJournalFolder).string();
  options.describe = [](const engine::Settings& settings) { return engine_text(settings.options); };
  auto opened = journal::Journal::open(file_system_, options, clock_->now());
  if (!opened) {
    static LogSite site;
    log_.write(LogLevel::kError, site, "journal.unavailable", {{"error", words(opened.error())}});
    return;
  }
  journal_ = std::move(*opened);
  if (const files::SegmentLogCounters log = journal_->counters().log;
      log.torn_bytes > 0 || log.unreadable_segments > 0) {
    static LogSite site;
    log_.write(LogLevel::kWarning,
               site,
               "journal.torn",
               {{"bytes_cut_off", std::to_string(log.torn_bytes)},
                {"segments_removed", std::to_string(log.unreadable_segments)}});
  }
  recorder_ = std::make_unique<JournalRecorder>(*journal_);
}

void Server::start_webhook() {
  if (configuration_.webhook.url.empty()) return;
  const webhook::Options options = webhook_options(configuration_);
  const auto wall = [] {
    return SteadyTime{
        std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch())};
  };
  webhook_ = std::make_unique<webhook::Webhook>(options,
                                                webhook::make_transport(options),
                                                wall,
                                                static_cast<std::uint64_t>(nanoseconds(wall())));
}

/// Asks nothing before `start`.
void Server::join_cluster() {
  const auto options = uplink_options(configuration_);
  if (!options) return;
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  uplink::Uplink::Ports ports = cluster_ports([this] { return models_.get(); }, log_);
  tell_words(ports, *store_, options->url);
  ports.hear = [this](traffic::JudgedAlert word) { backend_->hear_from_cluster(std::move(word)); };
  if (configuration_.cluster.limits)
    ports.limits = cluster_limits([this] { return backend_.get(); }, log_);
  uplink_ = std::make_unique<uplink::Uplink>(
      *options,
      std::move(ports),
      [] { return SteadyTime{std::chrono::steady_clock::now().time_since_epoch()}; },
      static_cast<std::uint64_t>(wall.count()));
}

KeptLimits Server::load_limits(limits::Options configured) {
  static LogSite site;
  const auto policy = store_->policy(std::string(kLimitsPolicy));
  if (!policy)
    log_.write(LogLevel::kError,
               site,
               "limits.unreadable",
               {{"error", std::string(name(policy.error().code))}});
  std::optional<std::string> text;
  if (policy && *policy) text = (*policy)->json;
  KeptLimits limits(std::move(configured), text);
  limits.tell(log_);
  if (limits.text() != text)
    (void)store_->put(sqlite::Policy{std::string(kLimitsPolicy), *limits.text(), clock_->now()});
  return limits;
}

void Server::open_snapshots() {
  const auto journal_begin = [this]() -> std::optional<SteadyTime> {
    if (!journal_) return std::nullopt;
    return journal_->counters().begin;
  };
  snapshots_ = std::make_unique<Snapshots>(
      Snapshots::Parts{file_system_, log_, journal_begin},
      Snapshots::Options{
          .folder = (std::filesystem::path(configuration_.data) / kSnapshotFolder).string(),
          .journal = (std::filesystem::path(configuration_.data) / kJournalFolder).string()});
}

/// Without models everything else goes on.
void Server::open_models() {
  const auto cluster = uplink_options(configuration_);
  auto opened = ModelKeeper::open(configuration_,
                                  file_system_,
                                  {*store_,
                                   clock_->clock(),
                                   [this](std::size_t limit) { return sink_->rows(limit, ""); },
                                   [this] { return salience_->signals().judged(); },
                                   log_,
                                   cluster ? cluster_trainings(*cluster) : nullptr});
  if (opened) {
    models_ = std::move(*opened);
    models_->model_registry().on_champion_changed(
        [this](const std::string& model, const auto& champion) {
          if (model == learn::kAnomalyDetection) ask_of_users(champion.get());
          if (model == training::kSalienceRanking) salience_->rank_by(champion.get());
        });
    return;
  }
  static LogSite site;
  log_.write(LogLevel::kError, site, "models.unavailable", {{"error", opened.error()}});
}

/// Gives the shards the model that they ask about users; null: none.
void Server::ask_of_users(const registry::Served* champion) {
  if (champion == nullptr) return runtime_->set_champion(nullptr);
  std::array<std::uint8_t, 32> sha256{};
  for (std::size_t i = 0; i < sha256.size(); ++i)
    (void)std::from_chars(
        champion->sha256.data() + 2 * i, champion->sha256.data() + 2 * i + 2, sha256[i], 16);
  auto made = engine::Champion::of(champion->scorer, champion->version, sha256);
  if (made) return runtime_->set_champion(std::move(*made));
  static LogSite site;
  log_.write(LogLevel::kError,
             site,
             "model.not_asked",
             {{"version", std::to_string(champion->version)},
              {"error", made.error().front().key + " " + made.error().front().text}});
}

/// Brings back what the engine was, and begins a life of it.
void Server::load_state() {
  snapshots_->load(*runtime_);
  // Above whatever was given out before: no shard has a million inputs a second for long.
  const auto now =
      std::chrono::duration_cast<std::chrono::microseconds>(clock_->now().time_since_epoch());
  runtime_->resume(static_cast<std::uint64_t>(now.count()));
}

std::shared_ptr<const gateway::Settings> Server::gateway_settings(
    const Configuration& configuration, Problems& problems) {
  std::vector<gateway::Lookup> news;
  auto upstreams =
      gateway::Upstreams::make(configuration.upstreams, upstreams_.get(), epoll::resolve, &news);
  for (const gateway::Lookup& each : news)
    operator_log_.upstream_resolved(each.upstream, each.known, each.addresses);
  if (!upstreams) {
    const std::size_t which = std::min(static_cast<std::size_t>(upstreams.error().position),
                                       configuration.upstreams.size() - 1);
    problems.push_back({"upstreams",
                        "\"" + configuration.upstreams[which] +
                            "\" cannot be used: " + std::string(name(upstreams.error().code))});
  }
  auto tokens = token_verifier(configuration);
  if (!tokens) problems.push_back(tokens.error());
  auto ciphers = gateway_ciphers(configuration);
  if (!ciphers) problems.push_back(ciphers.error());
  if (!upstreams || !tokens || !ciphers) return nullptr;
  return std::make_shared<const gateway::Settings>(gateway_options(configuration),
                                                   std::move(*upstreams),
                                                   std::move(*tokens),
                                                   std::move(*ciphers));
}

void Server::use_gateway_settings(const std::shared_ptr<const gateway::Settings>& settings,
                                  const Configuration& configuration) {
  const std::string& certificate = configuration.tls.certificate;
  const auto ends =
      certificate.empty() ? failure(ErrorCode::kMissing) : tls::expiry_of(certificate);
  measures_.certificate_expiry_s =
      ends ? std::chrono::floor<std::chrono::seconds>(ends->time_since_epoch()).count() : 0;
  upstreams_ = settings->upstreams;
  gateways_->configure(settings);
  if (!names_ && !upstreams_->empty()) names_ = std::make_unique<gateway::NameWatch>(operator_log_);
  if (names_) names_->watch(upstreams_);
}

tl::expected<void, std::string> Server::listen() {
  Problems problems;
  const auto settings = gateway_settings(configuration_, problems);
  if (!settings) return Failed(words(problems.front()));
  use_gateway_settings(settings, configuration_);
  const auto at = epoll::resolve(configuration_.listen);
  if (!at || at->empty()) return Failed("listen: \"" + configuration_.listen + "\" is no address");
  const auto where = gateways_->listen(at->front());
  if (!where) return Failed("listen: " + configuration_.listen + ": " + words(where.error()));
  listen_address_ = where->text();
  return {};
}

tl::expected<void, std::string> Server::start_api() {
  const auto at = epoll::resolve(configuration_.api.address);
  if (!at || at->empty() || at->front().is_unix())
    return Failed("api.address: \"" + configuration_.api.address + "\" is no address");
  api::Options options;
  options.http.host = at->front().host();
  options.http.port = at->front().port();
  options.http.threads = kApiThreads;
  options.version = version();
  auto token = api_token(configuration_);
  if (!token) return Failed(words(token.error()));
  options.access.token = std::move(*token);
  options.access.hosts = configuration_.api.hosts;
  options.access.trust_proxy = configuration_.api.trust_proxy;
  options.access.requests_per_second = configuration_.api.requests_per_second;
  options.access.requests_burst = configuration_.api.requests_burst;
  if (const Problems problems = api::validate(options); !problems.empty())
    return Failed(words(problems.front()));
  service_ = std::make_unique<api::Service>(options, *backend_);
  service_->attach(scaling_->port());
  service_->attach(*salience_);
  service_->attach(*metric_streams_);
  if (models_) service_->attach(*models_);
  auto started = http::Server::start(
      options.http,
      [this](http::Request request, http::Reply reply) {
        service_->handle(std::move(request), std::move(reply));
      },
      &api::Service::error_page);
  if (!started)
    return Failed("api.address: " + configuration_.api.address + ": " + words(started.error()));
  http_ = std::move(*started);
  const bool v6 = options.http.host.find(':') != std::string::npos;
  const std::string host = v6 ? "[" + options.http.host + "]" : options.http.host;
  api_address_ = fmt::format("{}:{}", host, http_->port());
  return {};
}

void Server::housekeep() {
  clock_->second();
  salience_->second(clock_->now());
  backend_->observe_second();
  scaling_->second(backend_->now(), [this] {
    return GatewayUsage{
        gateways_->counters(), gateways_->message_seconds(), gateways_->upstreams()};
  });
  snapshots_->second(*runtime_);
  if (metric_streams_->second()) {
    backend_->totals([this](Result<prometheus::Snapshot> totals) {
      if (totals) metric_streams_->told(std::move(*totals));
    });
  }
}

void Server::reload(const Configuration& configuration) {
  // Apart: many warnings must not hide how it went.
  static LogSite failed, warned, done;
  // Whatever can fail comes first, so that a reload is whole or not at all.
  Problems problems;
  const auto settings = gateway_settings(configuration, problems);
  auto token = api_token(configuration);
  if (!token) problems.push_back(token.error());
  if (!problems.empty()) {
    reload_failed();
    for (const Problem& each : problems)
      log_.write(
          LogLevel::kError, failed, "reload.failed", {{"key", each.key}, {"error", each.text}});
    return;
  }
  use_gateway_settings(settings, configuration);
  backend_->reload(engine_options(configuration));
  const signals::SalienceOptions salience = salience_options(configuration);
  salience_->signals().set_ages(salience.incidents.calm, salience.age_max);
  metric_streams_->set_bounds(metric_bounds(configuration));
  store_->set_retention(store_options(configuration).retention);
  service_->set_token(std::move(*token));
  if (models_) models_->reload(configuration);
  log_.configure(configuration.log.level, configuration.log.format);
  for (const std::string& key : needs_restart(configuration_, configuration))
    log_.write(LogLevel::kWarning, warned, "reload.needs_restart", {{"key", key}});
  for (const Problem& each : missing_scaling_credentials(configuration))
    log_.write(LogLevel::kWarning,
               warned,
               "reload.restart_would_fail",
               {{"key", each.key}, {"error", each.text}});
  scaling_->take_modes(configuration_, configuration);
  (void)store_->put(traffic::AuditEntry{clock_->now(),
                                        "configuration",
                                        "reload",
                                        "configuration",
                                        describe_changes(latest_, configuration)});
  latest_ = configuration;
  ++measures_.reloads_done;
  log_.write(LogLevel::kInfo, done, "reload.done");
}

void Server::stop(Duration patience) {
  // First: nobody is told to scale on a load that falls because connections take their leave.
  if (scaling_) scaling_->stop_telling();
  names_.reset();
  if (http_) http_->stop(std::chrono::milliseconds{500});
  if (gateways_ && running_) gateways_->drain(patience);
  if (runtime_ && running_) {
    runtime_->stop();
    running_ = false;
    snapshots_->stop();
    snapshots_->save_all(*runtime_);
    salience_->stop(clock_->now());
    clock_->save();
  }
  if (uplink_) uplink_->stop();
  if (metric_streams_) metric_streams_->finish();
  if (models_) models_->finish();
  if (scaling_) scaling_->finish();
  if (webhook_) webhook_->drain(std::chrono::milliseconds{1000});
  // Who waits for the store is told while there is still somebody to tell.
  if (store_) store_->close();
  http_.reset();
  service_.reset();
  backend_.reset();
  scaling_.reset();
  // Saves. The runtime has stopped: nothing asks for totals any more.
  models_.reset();
  metric_streams_.reset();
  gateways_.reset();
  runtime_.reset();
  snapshots_.reset();
  recorder_.reset();
  journal_.reset();
  sink_.reset();
  salience_.reset();
  uplink_.reset();
  webhook_.reset();
  store_.reset();
}

}  // namespace liminal::app
