#include "server/journal/replay.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "core/traffic/schema.hpp"
#include "io/files/snapshot_folder.hpp"
#include "server/journal/checkpoint.hpp"
#include "server/journal/journal.hpp"

namespace liminal::journal {
namespace {

/// A server may replace a snapshot while it is read; so often in a row it does not.
constexpr int kTriesMax = 3;

bool within(std::uint64_t input, const std::vector<Stretch>& stretches) {
  return std::any_of(stretches.begin(), stretches.end(), [&](const Stretch& stretch) {
    return stretch.first <= input && input <= stretch.last;
  });
}

Result<std::vector<engine::Resume>> lives_of(const ReplaySources& sources, ShardId shard) {
  std::vector<engine::Resume> lives;
  const Result<Summary> read =
      read_journal(sources.system, sources.log, EntryReader({}, shard), [&](const Entry& entry) {
        if (entry.kind != Kind::kCall) return true;
        if (const auto* life = std::get_if<engine::Resume>(&entry.call)) lives.push_back(*life);
        return true;
      });
  if (!read) return tl::unexpected(read.error());
  return lives;
}

/// The shard of a snapshot, under the settings that are in it; none when it cannot be had.
std::optional<engine::Shard> shard_of(const ReplaySources& sources,
                                      const files::LoadedSnapshot& snapshot) {
  if (snapshot.header.schema_hash != traffic::schema_hash()) return std::nullopt;
  const Result<Checkpoint> checkpoint = open_checkpoint(snapshot.payload());
  if (!checkpoint) return std::nullopt;
  const auto settings = sources.parse(checkpoint->settings);
  if (settings == nullptr) return std::nullopt;
  engine::Shard shard(snapshot.header.shard, settings, snapshot.header.engine_time);
  Reader in(checkpoint->state);
  if (!shard.load(in)) return std::nullopt;
  return shard;
}

/// Sets the beginning of a replay: the newest snapshot on the way, or nothing yet.
Result<void> begin(const ReplaySources& sources,
                   ShardId id,
                   std::uint64_t input,
                   const std::vector<Stretch>& stretches,
                   Replayed& out) {
  for (int tries = 1;; ++tries) {
    const auto found = files::find_snapshots(sources.system, sources.snapshots, id);
    if (!found) return tl::unexpected(found.error());
    bool changed = false;
    for (const files::StoredSnapshot& stored : *found) {
      if (stored.header.input >= input || !within(stored.header.input, stretches)) continue;
      const auto loaded = files::load_snapshot(sources.system, stored);
      changed = changed || !loaded;
      if (!loaded) continue;
      out.shard = shard_of(sources, *loaded);
      if (!out.shard) continue;
      out.from_input = out.last_input = stored.header.input;
      out.from_time = stored.header.engine_time;
      return {};
    }
    if (!changed || tries == kTriesMax) return {};
  }
}

Ending ending_of(const Error& error) {
  return error.code == ErrorCode::kConflict ? Ending::kGap : Ending::kSettings;
}

/// Gives the shard one entry; false when the replay has ended.
bool live(const Entry& entry, std::uint64_t input, engine::Second& told, Replayed& out) {
  const auto* life = std::get_if<engine::Resume>(&entry.call);
  const bool resumes = entry.kind == Kind::kCall && life != nullptr;
  if (!out.shard) {
    // Only a fresh shard's own beginning can be one without a snapshot.
    if (!resumes || life->base != 0) return true;
    if (life->settings == nullptr) {
      out.ending = Ending::kSettings;
      return false;
    }
    out.shard.emplace(entry.shard, life->settings, life->now);
    out.from_time = life->now;
  }
  if (entry.input <= out.shard->inputs()) return true;
  out.effects.clear();
  if (const Result<void> applied = apply(entry, *out.shard, told, out.effects); !applied) {
    out.ending = ending_of(applied.error());
    return false;
  }
  ++out.inputs;
  out.calls += entry.kind == Kind::kCall ? 1 : 0;
  out.lives += resumes ? 1 : 0;
  out.last_input = entry.input;
  if (entry.input != input) return true;
  out.ending = Ending::kReached;
  return false;
}

}  // namespace

std::string_view name(Ending ending) {
  constexpr std::array<std::string_view, 5> kNames{
      "reached", "no_snapshot", "gap", "not_yet", "settings"};
  return kNames[static_cast<std::size_t>(ending)];
}

std::vector<Stretch> stretches_to(std::uint64_t input, const std::vector<engine::Resume>& lives) {
  std::vector<Stretch> stretches;
  std::uint64_t last = input;
  for (;;) {
    const engine::Resume* life = nullptr;
    for (const engine::Resume& each : lives) {
      const bool later = life == nullptr || each.first > life->first;
      if (each.first <= last && each.base < each.first && later) life = &each;
    }
    if (life == nullptr) break;
    stretches.push_back({life->first, last});
    last = life->base;
  }
  if (last > 0) stretches.push_back({1, last});
  return stretches;
}

Result<Replayed> replay_to(const ReplaySources& sources, ShardId shard, std::uint64_t input) {
  const Result<std::vector<engine::Resume>> lives = lives_of(sources, shard);
  if (!lives) return tl::unexpected(lives.error());
  const std::vector<Stretch> stretches = stretches_to(input, *lives);
  Replayed out;
  if (const Result<void> begun = begin(sources, shard, input, stretches, out); !begun)
    return tl::unexpected(begun.error());
  engine::Second told;
  const Result<Summary> read = read_journal(
      sources.system, sources.log, EntryReader(sources.parse, shard), [&](const Entry& entry) {
        return !within(entry.input, stretches) || live(entry, input, told, out);
      });
  if (!read) return tl::unexpected(read.error());
  if (!out.shard && out.ending != Ending::kSettings) out.ending = Ending::kNoSnapshot;
  return out;
}

}  // namespace liminal::journal
