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

/// Remembers an entry's life, if it begins one.
void note_life(const Entry& entry, std::vector<engine::Resume>& lives) {
  if (entry.kind != Kind::kCall) return;
  if (const auto* life = std::get_if<engine::Resume>(&entry.call)) lives.push_back(*life);
}

Result<std::vector<engine::Resume>> lives_of(const ReplaySources& sources, ShardId shard) {
  std::vector<engine::Resume> lives;
  const Result<Summary> read =
      read_journal(sources.system, sources.log, EntryReader({}, shard), [&](const Entry& entry) {
        note_life(entry, lives);
        return true;
      });
  if (!read) return tl::unexpected(read.error());
  return lives;
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
      out.shard = shard_of_snapshot(*loaded, sources.parse);
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

std::optional<engine::Shard> shard_of_snapshot(const files::LoadedSnapshot& snapshot,
                                               const ParseSettings& parse) {
  if (snapshot.header.schema_hash != traffic::schema_hash()) return std::nullopt;
  const Result<Checkpoint> checkpoint = open_checkpoint(snapshot.payload());
  if (!checkpoint) return std::nullopt;
  const auto settings = parse(checkpoint->settings);
  if (settings == nullptr) return std::nullopt;
  engine::Shard shard(snapshot.header.shard, settings, snapshot.header.engine_time);
  Reader in(checkpoint->state);
  if (!shard.load(in)) return std::nullopt;
  return shard;
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

Result<Courses> read_courses(files::FileSystem& system,
                             const files::SegmentLogOptions& log,
                             std::optional<SteadyTime> since) {
  // The second's exchange is older than what absorbs it, and so is the snapshot that takes the
  // place of one that cannot be read.
  constexpr std::chrono::minutes kBefore{1};
  Courses courses;
  if (since) {
    const auto from = files::first_number_since(system, log.folder, log.name, *since - kBefore);
    if (!from) return tl::unexpected(from.error());
    courses.from = *from;
  }
  std::array<std::vector<engine::Resume>, kShards> lives;
  std::array<std::uint64_t, kShards> last{};
  const auto note = [&](const Entry& entry) {
    note_life(entry, lives[index(entry.shard)]);
    std::uint64_t& highest = last[index(entry.shard)];
    highest = std::max(highest, entry.input);
    return true;
  };
  const auto read = read_journal(system, log, EntryReader(), note, courses.from);
  if (!read) return tl::unexpected(read.error());
  for (std::size_t i = 0; i < kShards; ++i) courses.of[i] = stretches_to(last[i], lives[i]);
  return courses;
}

Result<LivedOn> live_on(const ReplaySources& sources,
                        const Courses& courses,
                        std::vector<std::optional<engine::Shard>>& shards,
                        const std::function<bool()>& late) {
  constexpr std::uint64_t kEntriesPerLook = 256;
  std::vector<Replayed> parts(kShards);
  for (std::size_t i = 0; i < kShards; ++i) parts[i].shard = std::move(shards[i]);
  LivedOn done;
  std::uint64_t entries = 0;
  engine::Second told;
  const auto visit = [&](const Entry& entry) {
    done.late = ++entries % kEntriesPerLook == 0 && late();
    if (done.late) return false;
    Replayed& part = parts[index(entry.shard)];
    const std::vector<Stretch>& course = courses.of[index(entry.shard)];
    if (part.ending != Ending::kNotYet || !within(entry.input, course)) return true;
    (void)live(entry, courses.last(entry.shard), told, part);
    return true;
  };
  const auto read =
      read_journal(sources.system, sources.log, EntryReader(sources.parse), visit, courses.from);
  for (std::size_t i = 0; i < kShards; ++i) {
    Replayed& part = parts[i];
    done.inputs += part.inputs;
    const bool whole = !part.shard || part.ending == Ending::kReached ||
                       part.shard->inputs() >= courses.last(ShardId{static_cast<std::uint8_t>(i)});
    done.broken_off += whole ? 0 : 1;
    shards[i] = std::move(part.shard);
  }
  if (!read) return tl::unexpected(read.error());
  return done;
}

}  // namespace liminal::journal
