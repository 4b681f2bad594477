#pragma once

#include <cstdint>
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

/// Lives one shard again up to an input, from the newest snapshot that leads there: the same state,
/// bit for bit. Reads beside a server that writes. Fails when folder or journal cannot be read.
///
/// Cost: reads the journal twice; some 500,000 inputs a second.
[[nodiscard]] Result<Replayed> replay_to(const ReplaySources& sources,
                                         ShardId shard,
                                         std::uint64_t input);

}  // namespace liminal::journal
