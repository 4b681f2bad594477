#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "core/base/codec.hpp"
#include "core/traffic/record.hpp"

namespace liminal::features {

/// The last feature rows, in the order in which they were added; the oldest makes room.
///
/// Memory: `capacity` rows of 152 bytes and their ids. Cost: `add` O(1), the others O(capacity).
class RecentFeatures {
 public:
  /// `capacity` ≥ 1.
  explicit RecentFeatures(std::size_t capacity);

  void add(traffic::FeatureRow row);

  [[nodiscard]] std::size_t size() const { return rows_.size(); }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }

  /// At most `limit`, newest first; of one user unless `user` is empty.
  [[nodiscard]] std::vector<traffic::FeatureRow> latest(std::size_t limit,
                                                        std::string_view user = {}) const;

  /// Forgets rows from before `time`. Returns how many.
  std::size_t erase_before(SteadyTime time);

  [[nodiscard]] std::size_t memory_bytes() const;

  void save(Writer& out) const;
  /// Keeps its capacity: of more rows the newest stay. Fails the reader on what makes no sense.
  void load(Reader& in);

 private:
  /// The row that was added as number `i` of those kept, 0 the oldest.
  [[nodiscard]] const traffic::FeatureRow& row(std::size_t i) const;

  std::size_t capacity_;
  std::vector<traffic::FeatureRow> rows_;
  std::size_t oldest_ = 0;  ///< where the next row goes, once full
};

/// Rows by their time, the newest first; of those of one user and time the first that was given.
[[nodiscard]] std::vector<traffic::FeatureRow> newest_first(std::vector<traffic::FeatureRow> rows);

}  // namespace liminal::features
