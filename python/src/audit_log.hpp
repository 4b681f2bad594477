#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "core/base/codec.hpp"
#include "core/traffic/record.hpp"

namespace liminal::python {

/// The last lines of an audit log, in memory. Not thread-safe.
/// Memory: some 150 bytes a line; of all limits, which a line has when they are set, some 600.
class AuditLog {
 public:
  explicit AuditLog(std::size_t entries_max) : entries_max_(entries_max) {}

  /// A line; beyond `entries_max` the oldest goes.
  void add(traffic::AuditEntry entry);

  /// The newest first; of one subject if it is given.
  [[nodiscard]] std::vector<traffic::AuditEntry> latest(
      std::size_t limit, const std::optional<std::string>& subject) const;

  void clear() { entries_.clear(); }
  void save(Writer& out) const;
  /// Takes the place of what is there. Fails in `in`, and is then empty, when the bytes make no
  /// sense.
  void load(Reader& in);

 private:
  std::size_t entries_max_;
  std::deque<traffic::AuditEntry> entries_;  ///< the oldest first
};

}  // namespace liminal::python
