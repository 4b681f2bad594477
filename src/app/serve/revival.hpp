#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/log.hpp"
#include "core/base/ids.hpp"
#include "core/engine/shard.hpp"
#include "io/files/file_system.hpp"
#include "server/journal/replay.hpp"
#include "server/shards/runtime.hpp"

namespace liminal::app {

/// Brings shards from their snapshots to where they were when the process was killed, by what the
/// journal has of their inputs since: all but the last tenth of a second. What it cannot do it says
/// in the log, and leaves the shards as their snapshots have them, or at the gap that it met.
///
/// Bounds: it gives up after ten seconds. And what two starts in a row did not come through, such
/// as an input that ends the program, the next one does without.
class Revival {
 public:
  /// `folder`: the journal's. `since`: the time of the oldest of the snapshots; none when there is
  /// none. `system` and `log` must outlive it.
  Revival(files::FileSystem& system, Log& log, std::string folder, std::optional<SteadyTime> since);

  /// Settings of a text; the same for the same text. Any thread.
  [[nodiscard]] std::shared_ptr<const engine::Settings> parse(std::string_view text);

  /// Whether the journal has inputs of a shard behind this one.
  [[nodiscard]] bool has_more(ShardId shard, std::uint64_t input) const {
    return courses_ && courses_->last(shard) > input;
  }

  /// A shard's snapshot, good or not, is all that there is to be of it, unless it is taken. This
  /// and `take` by several threads, each for other shards.
  void leave(ShardId shard) { left_[index(shard)] = 1; }
  /// A snapshot's shard, to be lived on.
  void take(engine::Shard shard);

  /// Lives on what was taken, and whatever began and never had a snapshot, and gives it to the
  /// runtime, which does not run.
  void live_on(shards::Runtime& runtime);

 private:
  struct Known {
    std::string text;
    std::shared_ptr<const engine::Settings> settings;
  };
  [[nodiscard]] bool may_begin();
  void give(shards::Runtime& runtime);
  [[nodiscard]] std::string text_of(const std::shared_ptr<const engine::Settings>& settings);
  void warn(std::string why) const;

  files::FileSystem& system_;
  Log& log_;
  const std::string folder_, attempts_;  ///< a byte for each start that began it
  std::mutex mutex_;
  std::vector<Known> known_;  ///< guarded by `mutex_`
  std::optional<journal::Courses> courses_;
  std::vector<std::optional<engine::Shard>> shards_;
  std::array<char, kShards + 1> left_{};  ///< with a place for the commons, which has no inputs
};

}  // namespace liminal::app
