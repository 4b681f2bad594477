#include "app/serve/salience_keeper.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "app/serve/words.hpp"
#include "core/base/hash.hpp"
#include "server/training/ranking.hpp"

namespace liminal::app {
namespace {

constexpr std::string_view kFile = "salience.snapshot";
constexpr std::uint32_t kSaveEvery = 5;  ///< seconds
/// Of so many of the store's latest alerts a history is made when there is none.
constexpr std::size_t kAlertsMax = 10'000;
constexpr std::size_t kJudgedAtOnce = 256;
/// A word is acknowledged, and heard, so much later than its time at most.
constexpr std::chrono::seconds kHeardWithin{10};
/// Changes with what the payload means.
const std::uint64_t kSchema = hash64("salience 1");

/// What passes in the engine's time meanwhile, however fast that goes.
Duration scaled(Duration real, double time_scale) {
  return std::max(real, from_seconds(seconds(real) * std::min(time_scale, 1e6)));
}

signals::SalienceOptions settled_in(signals::SalienceOptions options, double time_scale) {
  // Threads deliver within real time.
  options.settle = scaled(options.settle, time_scale);
  return options;
}

}  // namespace

SalienceKeeper::SalienceKeeper(files::FileSystem& system,
                               Log& log,
                               const std::string& folder,
                               signals::SalienceOptions options,
                               double time_scale)
    : log_(log),
      file_(system, folder, kFile, kSchema),
      time_scale_(time_scale),
      signals_(settled_in(std::move(options), time_scale)) {}

void SalienceKeeper::load(sqlite::Store& store) {
  static LogSite site;
  const Result<EventTime> saved =
      file_.load([this](std::string_view bytes, std::uint64_t) { return signals_.load(bytes); });
  if (!saved && saved.error().code != ErrorCode::kMissing)
    log_.write(LogLevel::kError, site, "salience.unreadable", {{"error", words(saved.error())}});
  const SteadyTime settled = signals_.settled();
  const auto alerts = store.alerts({.limit = kAlertsMax, .since = settled});
  if (!alerts) return;
  for (auto alert = alerts->rbegin(); alert != alerts->rend(); ++alert) {
    if (alert->last_seen > settled) signals_.note(*alert);
  }
  std::optional<SteadyTime> since;
  if (saved) since = SteadyTime{saved->time_since_epoch()} - scaled(kHeardWithin, time_scale_);
  hear_again(store, since);
}

void SalienceKeeper::hear_again(sqlite::Store& store, std::optional<SteadyTime> since) {
  const auto said = store.feedback(signals::SalienceOptions{}.judged_max, since);
  if (!said) return;
  std::set<std::int64_t> judged;
  std::vector<std::pair<traffic::Alert, traffic::FeedbackVerdict>> unheard;
  for (const sqlite::Feedback& word : *said) {  // the newest first: what counts of an alert
    if (!judged.insert(sqlite::alert_key(word.shard, word.number)).second) continue;
    const auto about = store.alert(word.shard, word.number);
    if (about && *about && !signals_.was_told(**about, word.verdict))
      unheard.emplace_back(**about, word.verdict);
  }
  for (auto word = unheard.rbegin(); word != unheard.rend(); ++word)
    signals_.feedback(word->first, word->second);
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
  if (file_.left_alone()) return;  // as was logged at the start
  const Result<void> saved = file_.write(EventTime{now.time_since_epoch()}, signals_.save());
  if (saved) return;
  static LogSite site;
  log_.write(LogLevel::kError, site, "salience.unsaved", {{"error", words(saved.error())}});
}

void SalienceKeeper::rank_by(const registry::Served* champion) {
  if (champion == nullptr) return signals_.set_weights({}, 0);
  const models::Model* own = champion->scorer->model();
  const Result<salience::TermWeights> weights =
      own != nullptr ? training::weights_of(*own) : failure(ErrorCode::kUnsupported);
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

std::vector<salience::Incident> SalienceKeeper::incidents(const salience::IncidentQuery& query,
                                                          SteadyTime now) const {
  return signals_.incidents(query, now);
}

bool SalienceKeeper::later(std::function<void()> task) {
  return ranking_ && ranking_->run(std::move(task));
}

}  // namespace liminal::app
