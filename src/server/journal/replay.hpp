#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/ids.hpp"
#include "core/base/result.hpp"
#include "core/base/time.hpp"
#include "core/engine/effects.hpp"
#include "core/engine/shard.hpp"
#include "io/files/file_system.hpp"
#include "io/files/segment_log.hpp"
#include "io/files/snapshot_folder.hpp"
#include "server/journal/entry.hpp"

namespace liminal::journal {

/// A stretch of inputs that follow each other: those of one life of the program up to the input
/// from which the next one went on.
struct Stretch {
  std::uint64_t first = 0, last = 0;  ///< both belong to it
  friend bool operator==(const Stretch&, const Stretch&) = default;
};

/// The stretches that lead to an input, the latest first, of what a journal knows of a shard's
/// lives (docs/formats/journal.md, "Lives").
[[nodiscard]] std::vector<Stretch> stretches_to(std::uint64_t input,
                                                const std::vector<engine::Resume>& lives);

/// How a replay ended.
enum class Ending : std::uint8_t {
  kReached,
  kNoSnapshot,  ///< none from which the journal leads there: both are kept for a while only
  kGap,         ///< an input before it is missing: a slow or full disk, or a kill
  kNotYet,      ///< the journal ends before it: lost by a kill, or not written yet
  kSettings,    ///< its settings or its exchange are lost, or written by other software
};
[[nodiscard]] std::string_view name(Ending ending);

struct Replayed {
  Ending ending = Ending::kNotYet;
  std::uint64_t from_input = 0;  ///< of the snapshot; 0: the shard was fresh
  SteadyTime from_time;
  std::uint64_t inputs = 0;  ///< given again
  std::uint64_t calls = 0;   ///< of these, what operators and restarts decided
  std::uint64_t lives = 0;   ///< how many starts of the program are among them
  std::uint64_t last_input = 0;
  engine::Effects effects;             ///< of the last input
  std::optional<engine::Shard> shard;  ///< after it; none without a snapshot
};

struct ReplaySources {
  files::FileSystem& system;
  files::SegmentLogOptions log;
  std::string snapshots;  ///< folder
  ParseSettings parse;
};

/// The shard of a snapshot, under the settings that are in it; none when it cannot be had.
[[nodiscard]] std::optional<engine::Shard> shard_of_snapshot(const files::LoadedSnapshot& snapshot,
                                                             const ParseSettings& parse);

/// What a journal knows of where the shards' lives have led.
struct Courses {
  /// Of each shard the stretches that lead to its last input, the latest first.
  std::array<std::vector<Stretch>, kShards> of;
  std::uint64_t from = 0;  ///< the record that they were read from on

  /// 0: it has none of the shard's inputs.
  [[nodiscard]] std::uint64_t last(ShardId shard) const {
    return of[index(shard)].empty() ? 0 : of[index(shard)].front().last;
  }
};

/// Reads what a journal has of the inputs since a time, or all of it.
[[nodiscard]] Result<Courses> read_courses(files::FileSystem& system,
                                           const files::SegmentLogOptions& log,
                                           std::optional<SteadyTime> since);

/// How far shards were lived on.
struct LivedOn {
  std::uint64_t inputs = 0;      ///< given again, of all shards
  std::uint32_t broken_off = 0;  ///< shards of which the journal has more, behind a gap or too late
  bool late = false;
};

/// Lives shards on, from what they are to the last input that the journal has of each, so that they
/// are what they were, bit for bit. `shards` has one place for each shard: that of a snapshot not
/// older than `courses` begin, or none, which lives only a fresh shard's own beginning. Where an
/// input is missing a shard stays what it was before it; and so do all once `late` says so, which
/// is asked every few hundred entries. A failure leaves them what they had become.
///
/// Cost: that of reading and of the inputs: some 300,000 a second.
[[nodiscard]] Result<LivedOn> live_on(const ReplaySources& sources,
                                      const Courses& courses,
                                      std::vector<std::optional<engine::Shard>>& shards,
                                      const std::function<bool()>& late);

/// Lives one shard again up to an input, from the newest snapshot that leads there: the same state,
/// bit for bit. Reads beside a server that writes. Fails when folder or journal cannot be read.
///
/// Cost: reads the journal twice; some 500,000 inputs a second.
[[nodiscard]] Result<Replayed> replay_to(const ReplaySources& sources,
                                         ShardId shard,
                                         std::uint64_t input);

}  // namespace liminal::journal
