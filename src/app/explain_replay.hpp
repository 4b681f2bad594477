#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/ids.hpp"
#include "core/traffic/alert.hpp"
#include "server/journal/replay.hpp"

namespace liminal::app {

/// An alert as a data directory has it, and what came out when its decision was lived again.
struct LivedAgain {
  traffic::Alert stored;
  journal::Replayed replayed;
  std::optional<traffic::Alert> again;   ///< as it was raised; none when it was not
  std::vector<std::string> differences;  ///< fields in which the two differ

  /// The same alert came out, with the same numbers, bit for bit.
  [[nodiscard]] bool same() const { return again && differences.empty(); }
};

/// Reads an alert from a data directory, whether a server uses it or not, and lives its shard again
/// up to the input that raised it. Errors are in words.
[[nodiscard]] tl::expected<LivedAgain, std::string> live_again(const std::string& directory,
                                                               ShardId shard,
                                                               std::uint64_t number);

/// What it came to, for a terminal.
[[nodiscard]] std::string render(const LivedAgain& lived);
/// The same as JSON: {"replay": {"ending", "same", "from_input", …}}.
[[nodiscard]] std::string to_json(const LivedAgain& lived);

/// Where two alerts differ in what is settled when an alert is raised: who, when, the first finding
/// and its evidence, the features. Numbers are compared by their bits.
[[nodiscard]] std::vector<std::string> differences_at_raising(const traffic::Alert& a,
                                                              const traffic::Alert& b);

}  // namespace liminal::app
