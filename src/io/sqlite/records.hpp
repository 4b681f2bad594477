#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/result.hpp"
#include "core/traffic/alert.hpp"
#include "core/traffic/record.hpp"

namespace liminal::sqlite {

using traffic::kAlertNumberMax;
/// An alert's id as the database has it.
[[nodiscard]] constexpr std::int64_t alert_key(ShardId shard, std::uint64_t number) {
  return static_cast<std::int64_t>(traffic::alert_key(shard, number));
}

/// What a person said about an alert. All are kept; the alert shows the last.
struct Feedback {
  ShardId shard{};
  std::uint64_t number = 0;
  traffic::FeedbackVerdict verdict = traffic::FeedbackVerdict::kNone;  ///< never `kNone` here
  std::string note;
  std::string actor;
  SteadyTime time;
  friend bool operator==(const Feedback&, const Feedback&) = default;
};

/// The same with its number, which grows with each.
struct NumberedFeedback {
  std::uint64_t number = 0;
  Feedback said;
  friend bool operator==(const NumberedFeedback&, const NumberedFeedback&) = default;
};

struct OverrideRemoved {
  std::string user;
};

/// A named piece of configuration that was changed at run time, as JSON text ("limits").
struct Policy {
  std::string name;
  std::string json;
  SteadyTime changed;
  friend bool operator==(const Policy&, const Policy&) = default;
};

struct PolicyRemoved {
  std::string name;
};

/// A small fact of ours under a name.
struct Meta {
  std::string key;
  std::string value;
};

/// The answer to a request that carried an `Idempotency-Key`, to be given again.
struct Answer {
  std::string key;
  std::uint64_t request_hash = 0;  ///< a key used again with another request is a mistake
  int status = 0;
  std::string headers;  ///< as the caller likes to have them back
  std::string body;
  SteadyTime expires;
  friend bool operator==(const Answer&, const Answer&) = default;
};

/// What can be written so that it is never lost without being told. An alert or override replaces
/// the one with its id or user; an alert without feedback leaves the feedback that is there.
using Write = std::variant<traffic::Alert,
                           Feedback,
                           traffic::Override,
                           OverrideRemoved,
                           Policy,
                           traffic::AuditEntry,
                           Meta,
                           Answer,
                           PolicyRemoved>;

inline constexpr std::size_t kWriteKinds = std::variant_size_v<Write>;

/// The table that a kind of write goes to, by its place in `Write`: a label of metrics.
[[nodiscard]] std::string_view table_of(std::size_t kind);

/// Memory that a write holds, its texts included.
[[nodiscard]] std::size_t memory_bytes(const Write& write);

/// Is told once, on the writer's thread, whether a write is committed. Must be quick and not throw.
using Acknowledge = std::function<void(Result<void>)>;

/// Writes that are committed together or not at all, and who waits for them.
struct Group {
  std::vector<Write> writes;
  std::vector<Acknowledge> waiting;
};

}  // namespace liminal::sqlite
