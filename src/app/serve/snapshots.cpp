#include "app/serve/snapshots.hpp"

#include <algorithm>
#include <filesystem>
#include <thread>
#include <utility>

#include "app/serve/engine_text.hpp"
#include "app/serve/revival.hpp"
#include "app/serve/words.hpp"
#include "core/traffic/schema.hpp"
#include "server/journal/checkpoint.hpp"

namespace liminal::app {
namespace {

constexpr std::size_t kTurnsPerSecond = (kShards + 4) / 5;
constexpr std::size_t kBytesPerSecond = std::size_t{16} << 20;
/// Alerts that may be open at a restart: all shards' at their default.
constexpr std::size_t kOpenAlertsMax = 64 * 4096;

}  // namespace

Snapshots::Snapshots(const Parts& parts, const Options& options)
    : parts_(parts), options_(options) {
  auto folder = files::SnapshotFolder::open(
      parts.system, {.folder = options.folder, .kept_bytes_max = options.kept_bytes_max});
  if (folder) {
    folder_.emplace(std::move(*folder));
    counters_.kept_bytes = folder_->kept_bytes();
  } else {
    static LogSite site;
    parts_.log.write(
        LogLevel::kError, site, "snapshots.unavailable", {{"error", words(folder.error())}});
  }
  thread_ = std::make_unique<BlockingThread>();
}

void Snapshots::load(shards::Runtime& runtime) {
  if (!folder_) return;
  static LogSite site;
  std::atomic<std::uint32_t> next{0}, loaded{0}, damaged{0};
  const auto unreadable = [&](const std::string& what, std::string why) {
    ++damaged;
    parts_.log.write(
        LogLevel::kError, site, "snapshot.unreadable", {{"file", what}, {"error", std::move(why)}});
  };
  std::atomic<std::uint64_t> bytes{0};
  Revival revival(parts_.system, parts_.log, options_.journal, oldest());
  const auto load_some = [&] {
    for (std::uint32_t i = next++; i <= kShards; i = next++) {
      const ShardId shard{static_cast<std::uint8_t>(i)};
      const std::string file = files::snapshot_path(options_.folder, shard);
      const Result<files::LoadedSnapshot> snapshot = folder_->load(shard);
      if (!snapshot && snapshot.error().code == ErrorCode::kMissing) continue;
      revival.leave(shard);
      if (!snapshot) {
        unreadable(file, std::string(name(snapshot.error().code)));
        continue;
      }
      if (snapshot->previous) unreadable(file, "damaged or missing: an older one is used");
      if (snapshot->header.schema_hash != traffic::schema_hash()) {
        unreadable(file, "of a version with other features");
        continue;
      }
      if (shard != files::kCommons && revival.has_more(shard, snapshot->header.input)) {
        const auto parse = [&](std::string_view text) { return revival.parse(text); };
        if (auto known = journal::shard_of_snapshot(*snapshot, parse)) {
          revival.take(std::move(*known));
          bytes += snapshot->bytes.size();
          ++loaded;
          continue;
        }
      }
      const auto checkpoint = journal::open_checkpoint(snapshot->payload());
      const Result<void> taken = !checkpoint ? tl::unexpected(checkpoint.error())
                                 : shard == files::kCommons
                                     ? runtime.load_commons(checkpoint->state)
                                     : runtime.load_shard(shard, checkpoint->state);
      if (!taken) {
        unreadable(file, std::string(name(taken.error().code)));
        continue;
      }
      bytes += snapshot->bytes.size();
      ++loaded;
    }
  };
  // Shards do not know each other: as many at once as there are processors for.
  std::vector<std::thread> others;
  for (unsigned i = 1; i < std::min(std::thread::hardware_concurrency(), kShards); ++i)
    others.emplace_back(load_some);
  load_some();
  for (std::thread& other : others) other.join();
  revival.live_on(runtime);
  if (loaded == 0 && damaged == 0) return;
  static LogSite sum;  // of its own: a disk of damaged files must not hide how many they are
  parts_.log.write(damaged == 0 ? LogLevel::kInfo : LogLevel::kError,
                   sum,
                   "snapshots.loaded",
                   {{"files", std::to_string(loaded)},
                    {"bytes", std::to_string(bytes)},
                    {"unreadable", std::to_string(damaged)}});
}

/// Of the newest snapshots; none when a shard has none.
std::optional<SteadyTime> Snapshots::oldest() const {
  SteadyTime oldest = SteadyTime::max();
  for (std::uint8_t i = 0; i < kShards; ++i) {
    const auto& newest = folder_->newest(ShardId{i});
    if (!newest) return std::nullopt;
    oldest = std::min(oldest, newest->engine_time);
  }
  return oldest;
}

void Snapshots::second(shards::Runtime& runtime) {
  // A disk that does not keep up gets no more to do.
  if (!folder_ || writing_.exchange(true)) return;
  const std::size_t count = turns();
  for (std::size_t i = 0; i < count; ++i) {
    const ShardId shard{static_cast<std::uint8_t>(next_)};
    next_ = (next_ + 1) % kShards;
    const bool ends_round = next_ == 0;
    save(runtime, shard, i + 1 == count && !ends_round);
    if (!ends_round) continue;
    save_commons(runtime);
    break;
  }
}

/// How many shards have their turn in this second: as many as are due, or as large as may be.
std::size_t Snapshots::turns() const {
  const std::lock_guard lock(mutex_);
  std::size_t count = 0, bytes = 0;
  while (count < kTurnsPerSecond) {
    bytes += saved_[(next_ + count) % kShards].bytes;
    if (count > 0 && bytes > kBytesPerSecond) break;
    ++count;
  }
  return count;
}

void Snapshots::save(shards::Runtime& runtime, ShardId shard, bool last) {
  std::uint64_t unless = 0;
  {
    const std::lock_guard lock(mutex_);
    const Saved& before = saved_[index(shard)];
    unless = before.changes;
    // Also without a change one is due: replays cannot begin behind the journal's begin.
    if (runtime.clock().now() - before.time >= options_.keep_every) unless = kNever;
  }
  const bool asked =
      runtime.save_shard(shard, unless, [this, shard, last](shards::SavedShard made) {
        const auto saved = std::make_shared<shards::SavedShard>(std::move(made));
        const bool queued = thread_->run([this, shard, last, saved] {
          saved->bytes.empty() ? still_current(shard, saved->time) : write(shard, *saved);
          if (last) end_turn();
        });
        if (!queued && last) writing_ = false;
      });
  if (!asked && last) writing_ = false;
}

void Snapshots::save_commons(shards::Runtime& runtime) {
  const bool asked = runtime.ask_commons([this, &runtime](engine::Commons& commons) {
    Writer out;
    commons.save(out);
    const auto bytes = std::make_shared<std::string>(out.take());
    const bool queued = thread_->run([this, bytes, now = runtime.clock().now()] {
      write_commons(*bytes, now);
      end_turn();
    });
    if (!queued) writing_ = false;
  });
  if (!asked) writing_ = false;
}

void Snapshots::write(ShardId shard, const shards::SavedShard& saved) {
  const std::string payload = journal::seal_checkpoint({words_of(saved.settings), saved.bytes});
  bool keep = false;
  {
    const std::lock_guard lock(mutex_);
    // What this life began with is what its first replays begin with.
    const std::optional<SteadyTime>& kept = saved_[index(shard)].kept;
    keep = !kept || saved.time - *kept >= options_.keep_every;
  }
  if (!put({shard, saved.time, saved.input, traffic::schema_hash()}, payload, keep)) return;
  const std::lock_guard lock(mutex_);
  Saved& now = saved_[index(shard)];
  now.changes = saved.changes;
  now.time = now.current = saved.time;
  now.bytes = payload.size();
  if (keep) now.kept = saved.time;
}

void Snapshots::still_current(ShardId shard, SteadyTime now) {
  const std::lock_guard lock(mutex_);
  saved_[index(shard)].current = now;
}

void Snapshots::write_commons(const std::string& bytes, SteadyTime time) {
  (void)put({files::kCommons, time, 0, traffic::schema_hash()},
            journal::seal_checkpoint({{}, bytes}),
            false);
}

bool Snapshots::put(const files::SnapshotHeader& header, const std::string& payload, bool keep) {
  const auto begin = std::chrono::steady_clock::now();
  const Result<void> saved = folder_->save(header, payload, keep);
  save_seconds_.observe(std::chrono::steady_clock::now() - begin);
  {
    const std::lock_guard lock(mutex_);
    ++(saved ? counters_.saved : counters_.failed);
  }
  if (saved) return true;
  static LogSite site;
  parts_.log.write(LogLevel::kError, site, "snapshot.failed", {{"error", words(saved.error())}});
  return false;
}

/// Makes last what was written, and lets go what no replay begins with.
void Snapshots::end_turn() {
  (void)folder_->sync();
  if (const auto begin = parts_.journal_begin()) folder_->retain(*begin);
  {
    const std::lock_guard lock(mutex_);
    counters_.kept_bytes = folder_->kept_bytes();
  }
  writing_ = false;
}

void Snapshots::stop() { thread_.reset(); }

void Snapshots::save_all(const shards::Runtime& runtime) {
  if (!folder_) return;
  for (std::uint8_t i = 0; i < kShards; ++i) {
    const shards::SavedShard saved = runtime.save_now(ShardId{i}, saved_[i].changes);
    if (!saved.bytes.empty()) write(ShardId{i}, saved);
  }
  write_commons(runtime.save_commons_now(), runtime.clock().now());
  end_turn();
}

const std::string& Snapshots::words_of(const std::shared_ptr<const engine::Settings>& settings) {
  if (described_ != settings) {
    described_ = settings;
    description_ = engine_text(settings->options);
  }
  return description_;
}

Snapshots::Counters Snapshots::counters() const {
  const std::lock_guard lock(mutex_);
  Counters counters = counters_;
  counters.current = SteadyTime::max();
  for (const Saved& saved : saved_) {
    counters.bytes += saved.bytes;
    counters.current = std::min(counters.current, saved.current);
  }
  return counters;
}

void adopt_what_was_shown(sqlite::Store& store,
                          shards::Runtime& runtime,
                          shards::Sink& sink,
                          SteadyTime now) {
  if (const auto numbers = store.alert_numbers()) {
    engine::Effects unknown;
    for (std::uint8_t i = 0; i < kShards; ++i) {
      runtime.shard(ShardId{i}).alerts().for_each_open([&](const traffic::Alert& alert) {
        if (alert.number > (*numbers)[i])
          unknown.alerts.push_back({engine::AlertChange::Kind::kRaised, alert});
      });
    }
    if (!unknown.alerts.empty()) sink.deliver(unknown);
    for (std::uint32_t i = 0; i < kShards; ++i) {
      if ((*numbers)[i] == 0) continue;
      traffic::Alert last;
      last.shard = ShardId{static_cast<std::uint8_t>(i)};
      last.number = (*numbers)[i];
      last.status = traffic::AlertStatus::kResolved;
      (void)runtime.carry_out(last.shard, engine::Adopt{last});
    }
  }
  if (auto open = store.alerts({.limit = kOpenAlertsMax, .status = traffic::AlertStatus::kOpen})) {
    for (traffic::Alert& alert : *open) {
      const ShardId shard = alert.shard;
      if (shard == kOfGateways) continue;  // no shard's
      (void)runtime.carry_out(shard, engine::Adopt{std::move(alert)});
    }
  }
  // The store's overrides are the truth: a snapshot may have one that was removed since.
  if (auto overrides = store.overrides(now)) {
    for (std::uint32_t i = 0; i < kShards; ++i)
      (void)runtime.carry_out(ShardId{static_cast<std::uint8_t>(i)}, engine::RemoveOverrides{});
    for (traffic::Override& decision : *overrides) {
      const ShardId shard = shard_of(traffic::Name(decision.user).hash);
      (void)runtime.carry_out(shard, engine::SetOverride{std::move(decision)});
    }
  }
}

}  // namespace liminal::app
