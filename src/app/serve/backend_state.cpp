// How the server is: readiness and metrics.
#include <fmt/core.h>
#include <sys/statvfs.h>

#include <array>
#include <optional>

#include "app/serve/backend.hpp"
#include "app/serve/cluster.hpp"
#include "server/api/engine_views.hpp"

namespace liminal::app {

using prometheus::Family;

namespace {

/// Below it the disk counts as full before it is: snapshots are written beside the old ones.
constexpr std::uint64_t kDiskFreeMin = 64U << 20;

/// The shards' second may be late by this much before they count as stuck.
constexpr std::chrono::seconds kSecondLateMax{5};

std::optional<std::uint64_t> disk_free(const std::string& directory) {
  struct statvfs disk {};
  if (statvfs(directory.c_str(), &disk) != 0) return std::nullopt;
  return static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
}

api::Check check_disk(const std::string& directory) {
  const auto free = disk_free(directory);
  if (!free) return {"disk", false, "the data directory cannot be looked at"};
  return {"disk", *free >= kDiskFreeMin, fmt::format("{} MiB free", *free >> 20)};
}

/// Ready all the same: only time and the sender's clock bring them together again.
api::Check check_clock(const shards::EngineClock& clock) {
  if (clock.scale() != 1) return {"clock", true, fmt::format("{} times as fast", clock.scale())};
  return {"clock", true, fmt::format("{:.0f} s ahead of the date", seconds(clock.ahead()))};
}

constexpr std::array<std::string_view, 2> kDirections{"in", "out"};

void add_totals(std::string_view upstream,
                const gateway::UpstreamTotals& totals,
                prometheus::Snapshot& out) {
  for (std::size_t direction = 0; direction < kDirections.size(); ++direction) {
    out.add(
        Family::kUpstreamMessages, totals.messages[direction], {upstream, kDirections[direction]});
    out.add(Family::kUpstreamBytes, totals.bytes[direction], {upstream, kDirections[direction]});
  }
  out.add(Family::kUpstreamErrorAnswers, totals.error_answers, {upstream});
  out.add(Family::kUpstreamAnswerSeconds, totals.answer_seconds, {upstream});
}

/// What every shard says of its users, each in its place.
using CrowdParts = std::array<std::optional<features::CrowdSummary>, kShards>;

/// Merged in the order of the shards, so that the answer does not depend on threads.
features::CrowdSummary merged(CrowdParts& parts) {
  features::CrowdSummary all = std::move(*parts[0]);
  for (std::size_t i = 1; i < parts.size(); ++i) all.merge(*parts[i]);
  return all;
}

}  // namespace

void ServerBackend::observe_second() {
  const std::uint64_t lived = parts_.runtime.seconds_lived();
  {
    const std::lock_guard lock(mutex_);
    if (lived != seconds_lived_) lived_at_ = std::chrono::steady_clock::now();
    seconds_lived_ = lived;
  }
  struct Seen {
    std::uint64_t events = 0, messages = 0;
  };
  gather<Seen>(
      [](const engine::Shard& shard, Seen& seen) {
        const auto& events = shard.counters().events;
        for (const std::uint64_t count : events) seen.events += count;
        seen.messages += events[static_cast<std::size_t>(traffic::EventKind::kMessage)];
      },
      [this](Result<Seen> seen) {
        if (!seen) return;
        if (parts_.models != nullptr) parts_.models->second(time(), seen->messages);
        const std::lock_guard lock(mutex_);
        event_rate_.observe(std::chrono::steady_clock::now(), seen->events);
      });
}

void ServerBackend::readiness(Done<std::vector<api::Check>> done) {
  auto shared = std::make_shared<Done<std::vector<api::Check>>>(std::move(done));
  read<std::vector<api::Check>>(
      [shared](Result<std::vector<api::Check>> checks) { (*shared)(std::move(checks)); },
      [this]() -> Result<std::vector<api::Check>> {
        std::vector<api::Check> checks;
        const std::uint64_t lived = parts_.runtime.seconds_lived();
        std::chrono::steady_clock::time_point lived_at;
        {
          const std::lock_guard lock(mutex_);
          lived_at = lived > seconds_lived_ ? std::chrono::steady_clock::now() : lived_at_;
        }
        checks.push_back({"shards",
                          std::chrono::steady_clock::now() - lived_at < kSecondLateMax,
                          fmt::format("{} threads, {} s lived", parts_.runtime.threads(), lived)});
        const sqlite::StoreHealth health = parts_.store.health();
        checks.push_back({"store", health.writable(), std::string(sqlite::name(health.state))});
        checks.push_back(parts_.models != nullptr
                             ? parts_.models->check()
                             : api::Check{"champions", false, "the models cannot be opened"});
        checks.push_back(check_disk(directory_));
        checks.push_back(check_clock(parts_.runtime.clock()));
        if (parts_.uplink != nullptr) checks.push_back(cluster_check(*parts_.uplink));
        return checks;
      });
}

void ServerBackend::crowd(Done<features::CrowdSummary> done) {
  auto shared = std::make_shared<Done<features::CrowdSummary>>(std::move(done));
  gather<CrowdParts>([](const engine::Shard& shard,
                        CrowdParts& parts) { parts[index(shard.id())] = shard.crowd(); },
                     [shared](Result<CrowdParts> parts) {
                       if (!parts) return (*shared)(tl::unexpected(parts.error()));
                       (*shared)(merged(*parts));
                     });
}

void ServerBackend::metrics(Done<prometheus::Snapshot> done) {
  totals([this, done = std::move(done)](Result<prometheus::Snapshot> out) {
    if (out) parts_.metric_streams.add_metrics(*out);
    done(std::move(out));
  });
}

void ServerBackend::totals(Done<prometheus::Snapshot> done) {
  struct Part {
    api::EngineTotals totals;
    CrowdParts crowd;
  };
  auto shared = std::make_shared<Done<prometheus::Snapshot>>(std::move(done));
  gather<Part>(
      [](const engine::Shard& shard, Part& sum) {
        sum.totals.add(shard);
        sum.crowd[index(shard.id())] = shard.crowd();
      },
      [this, shared](Result<Part> sum) {
        if (!sum) return (*shared)(tl::unexpected(sum.error()));
        prometheus::Snapshot out;
        api::add_totals(sum->totals, out);
        out.add(Family::kStartTime, seconds(started_at_));
        out.add(Family::kEngineTime, seconds(time().time_since_epoch()));
        out.add(Family::kEngineAhead, seconds(parts_.runtime.clock().ahead()));
        api::add_crowd(merged(sum->crowd), out);
        api::add_raised(
            [this](auto type, auto severity) { return parts_.sink.raised(type, severity); }, out);
        add_store_metrics(out);
        add_gateway_metrics(out);
        parts_.scaling.add_metrics(now(), out);
        if (parts_.models != nullptr) parts_.models->add_metrics(out);
        if (parts_.journal != nullptr) {
          const journal::Counters kept = parts_.journal->counters();
          out.add(Family::kJournalBytes, kept.bytes);
          out.add(Family::kQueueDropped, kept.dropped_inputs, {"journal"});
        }
        const Snapshots::Counters saved = parts_.snapshots.counters();
        out.add(Family::kSnapshotErrors, saved.failed);
        out.add(Family::kSnapshotSeconds, parts_.snapshots.save_seconds());
        out.add(Family::kStepSeconds, parts_.runtime.step_seconds());
        out.add(Family::kExchangeSeconds, parts_.runtime.exchange_seconds());
        out.add(Family::kModelScores, parts_.runtime.scores_late(), {"late"});
        out.add(
            Family::kInferenceSeconds, parts_.runtime.inference_seconds(), {"anomaly_detection"});
        out.add(Family::kReloads, parts_.measures.reloads_done.load(), {"ok"});
        out.add(Family::kReloads, parts_.measures.reloads_failed.load(), {"failed"});
        if (saved.current != SteadyTime{})
          out.add(Family::kSnapshotAge, seconds(time() - saved.current));
        if (parts_.uplink != nullptr) add_cluster_metrics(*parts_.uplink, out);
        if (parts_.webhook != nullptr) {
          const webhook::OutboxCounters pushed = parts_.webhook->counters();
          out.add(Family::kWebhookDeliveries, pushed.delivered, {"delivered"});
          out.add(Family::kWebhookDeliveries, pushed.rejected, {"rejected"});
          out.add(Family::kWebhookDeliveries, pushed.given_up, {"given_up"});
          out.add(Family::kWebhookDeliveries, pushed.overflowed, {"overflowed"});
          out.add(Family::kQueueDepth, parts_.webhook->waiting(), {"webhook"});
        }
        (*shared)(std::move(out));
      });
}

void ServerBackend::add_store_metrics(prometheus::Snapshot& out) const {
  if (const auto free = disk_free(directory_)) out.add(Family::kDataFree, *free);
  if (const std::int64_t ends = parts_.measures.certificate_expiry_s; ends > 0)
    out.add(Family::kCertificateExpiry, ends);
  const sqlite::Store::Counters counters = parts_.store.counters();
  out.add(Family::kStoreRows, counters.writer.rows_committed, {"feature_rows"});
  for (std::size_t kind = 0; kind < counters.writer.writes_committed.size(); ++kind)
    out.add(Family::kStoreRows, counters.writer.writes_committed[kind], {sqlite::table_of(kind)});
  out.add(Family::kStoreCommitSeconds, parts_.measures.commit_seconds.read());
  out.add(Family::kStoreThinned, counters.queue.rows_thinned);
  out.add(Family::kStoreErrors, parts_.store.health().failures);
  out.add(
      Family::kQueueDepth, counters.queue.groups_waiting + counters.queue.rows_waiting, {"store"});
  out.add(Family::kQueueDropped,
          counters.queue.groups_refused + counters.queue.rows_dropped,
          {"store"});
  std::uint64_t dropped = 0;
  for (std::size_t i = 0; i < parts_.runtime.threads(); ++i)
    dropped += parts_.runtime.worker(i).loop().dropped_tasks();
  out.add(Family::kQueueDropped, dropped, {"shards"});
  if (const auto counts = parts_.store.counts()) {
    out.add(Family::kStoreBytes, counts->bytes);
    for (std::size_t i = 1; i < counts->feedback.size(); ++i)
      out.add(Family::kFeedback, counts->feedback[i], {traffic::name(traffic::FeedbackVerdict(i))});
  }
}

void ServerBackend::add_gateway_metrics(prometheus::Snapshot& out) const {
  const Duration now = std::chrono::steady_clock::now().time_since_epoch();
  if (const auto upstreams = parts_.gateways.upstreams()) {
    const auto add = [&out](const gateway::Upstream& upstream, bool draining) {
      out.add(Family::kUpstreamDraining, draining ? 1 : 0, {upstream.name()});
      out.add(Family::kUpstreamConnections, upstream.connections(), {upstream.name()});
      out.add(Family::kUpstreamErrors, upstream.errors(), {upstream.name()});
      add_totals(upstream.name(), upstream.totals(), out);
    };
    for (const auto& upstream : upstreams->all()) {
      out.add(Family::kUpstreamUp, upstream->healthy(now) ? 1 : 0, {upstream->name()});
      add(*upstream, false);
    }
    for (const auto& upstream : upstreams->draining()) add(*upstream, true);
  }
  const hub::Counts hub = parts_.gateways.hub_counts();
  out.add(Family::kHubChannels, hub.channels);
  out.add(Family::kHubSubscriptions, hub.subscriptions);
  out.add(Family::kHubMessages, hub.published, {"published"});
  out.add(Family::kHubMessages, hub.delivered, {"delivered"});
  out.add(Family::kHubMessages, hub.dropped_slow, {"dropped_slow"});
  out.add(Family::kHubMessages, hub.dropped_busy, {"dropped_busy"});
  out.add(Family::kHubMessages, hub.dropped_forwards, {"dropped_forward"});
  out.add(Family::kHandshakeSeconds, parts_.gateways.handshake_seconds());
  out.add(Family::kMessageSeconds, parts_.gateways.message_seconds());
  out.add(Family::kConnectionSeconds, parts_.gateways.connection_seconds());
  const gateway::Totals totals = parts_.gateways.counters();
  out.add(Family::kConnections, totals.opened - totals.closed);
  out.add(Family::kConnectionsAccepted, totals.opened);
  for (std::size_t i = 0; i < gateway::kRejections; ++i)
    out.add(Family::kConnectionRejections, totals.rejections[i], {name(gateway::Rejection(i))});
  for (std::size_t i = 0; i < gateway::kClosings; ++i)
    out.add(Family::kCloses, totals.closings[i], {name(gateway::Closing(i))});
  out.add(Family::kDelaysExceeded, totals.delays_dropped, {"drop"});
  out.add(Family::kDelaysExceeded, totals.delays_closed, {"close"});
  out.add(Family::kSlowReaders,
          totals.closings[static_cast<std::size_t>(gateway::Closing::kSlowReader)]);
  for (std::size_t direction = 0; direction < kDirections.size(); ++direction) {
    for (std::size_t type = 0; type < gateway::kMessageTypes; ++type)
      out.add(Family::kMessages,
              totals.messages[direction][type],
              {name(gateway::MessageType(type)), kDirections[direction]});
    out.add(Family::kMessageBytes, totals.bytes[direction], {kDirections[direction]});
  }
}

}  // namespace liminal::app
