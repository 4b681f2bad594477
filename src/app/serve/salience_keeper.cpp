#include "app/serve/salience_keeper.hpp"

#include <algorithm>
#include <filesystem>

#include "app/serve/words.hpp"
#include "core/base/hash.hpp"
#include "io/files/replace.hpp"
#include "io/files/snapshot.hpp"
#include "server/training/ranking.hpp"

namespace liminal::app {
namespace {

constexpr std::string_view kFile = "salience.snapshot";
constexpr std::uint32_t kSaveEvery = 5;  ///< seconds
constexpr std::size_t kBytesMax = 64U << 20;
/// Of so many of the store's latest alerts a history is made when there is none.
constexpr std::size_t kAlertsMax = 10'000;
constexpr std::size_t kJudgedAtOnce = 256;
/// Changes with what the payload means.
const std::uint64_t kSchema = hash64("salience 1");

signals::SalienceOptions options_of(double time_scale) {
  signals::SalienceOptions options;
  // Threads deliver within real time, however fast the engine's goes.
  options.settle =
      std::max(options.settle, from_seconds(seconds(options.settle) * std::min(time_scale, 1e6)));
  return options;
}

}  // namespace

SalienceKeeper::SalienceKeeper(files::FileSystem& system,
                               Log& log,
                               std::string folder,
                               double time_scale)
    : system_(system),
      log_(log),
      path_((std::filesystem::path(std::move(folder)) / kFile).string()),
      signals_(options_of(time_scale)) {}

Result<void> SalienceKeeper::load_snapshot() {
  const Result<std::string> bytes = system_.read(path_, kBytesMax);
  if (!bytes) return tl::unexpected(bytes.error());
  const Result<files::Snapshot> snapshot = files::open_snapshot(*bytes);
  if (!snapshot) return tl::unexpected(snapshot.error());
  if (snapshot->header.schema_hash != kSchema) return failure(ErrorCode::kUnsupported);
  return signals_.load(snapshot->payload);
}

void SalienceKeeper::load(sqlite::Store& store) {
  static LogSite site;
  const Result<void> loaded = load_snapshot();
  if (!loaded && loaded.error().code != ErrorCode::kMissing) {
    log_.write(LogLevel::kError, site, "salience.unreadable", {{"error", words(loaded.error())}});
    // Else the next save would take its place.
    if (const auto aside = files::set_aside(system_, path_); !aside)
      log_.write(LogLevel::kError, site, "salience.not_aside", {{"error", words(aside.error())}});
  }
  const SteadyTime settled = signals_.settled();
  const auto alerts = store.alerts({.limit = kAlertsMax, .since = settled});
  if (!alerts) return;
  for (auto alert = alerts->rbegin(); alert != alerts->rend(); ++alert) {
    if (alert->last_seen > settled) signals_.note(*alert);
  }
}

void SalienceKeeper::second(SteadyTime now) {
  signals_.advance(now);
  if (++seconds_ % kSaveEvery == 0) (void)disk_->run([this, now] { save(now); });
}

void SalienceKeeper::stop(SteadyTime now) {
  ranking_.reset();
  disk_.reset();
  signals_.advance(now);
  save(now);
}

void SalienceKeeper::save(SteadyTime now) {
  files::SnapshotHeader header;
  header.shard = files::kCommons;
  header.engine_time = now;
  header.schema_hash = kSchema;
  const Result<void> saved =
      files::replace_file(system_, path_, files::seal_snapshot(header, signals_.save()));
  if (saved) return;
  static LogSite site;
  log_.write(LogLevel::kError, site, "salience.unsaved", {{"error", words(saved.error())}});
}

void SalienceKeeper::rank_by(const registry::Served* champion) {
  if (champion == nullptr) return signals_.set_weights({}, 0);
  const auto weights = training::weights_of(champion->model);
  if (weights) return signals_.set_weights(*weights, champion->version);
  static LogSite site;
  log_.write(LogLevel::kError,
             site,
             "salience.ranking_not_taken",
             {{"version", std::to_string(champion->version)}, {"error", words(weights.error())}});
}

salience::Judgement SalienceKeeper::judge(const traffic::Alert& alert) const {
  return signals_.judge(alert);
}

std::vector<salience::Judgement> SalienceKeeper::judge(std::span<const Asked> events) const {
  std::vector<salience::Judgement> judged;
  judged.reserve(events.size());
  // A part at a time, so that the shards' alerts do not wait for all of it.
  for (std::size_t i = 0; i < events.size(); i += kJudgedAtOnce) {
    std::vector<signals::Salience::Asked> part;
    for (const Asked& event : events.subspan(i, std::min(kJudgedAtOnce, events.size() - i)))
      part.push_back({event.type, event.source, event.fields});
    for (const salience::Judgement& one : signals_.judge(part)) judged.push_back(one);
  }
  return judged;
}

std::vector<salience::Incident> SalienceKeeper::incidents(std::optional<salience::Scope> scope,
                                                          std::size_t count) const {
  return signals_.incidents(scope, count);
}

bool SalienceKeeper::later(std::function<void()> task) {
  return ranking_ && ranking_->run(std::move(task));
}

}  // namespace liminal::app
