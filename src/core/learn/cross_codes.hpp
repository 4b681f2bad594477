#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/learn/encoding.hpp"
#include "core/learn/table.hpp"

namespace liminal::learn {

/// Codes of categories for rows whose labels are known: each row's code is the mean label of its
/// level over the rows of other parts, so that no row sees its own label (or those of its user,
/// when a user's rows are one part), and none of a part that is left out to judge on.
///
/// Guarantee: a category that has nothing to do with the labels tells nothing of them, however many
/// levels it has. Memory: 96 bytes a level and feature, one a row.
///
/// Source: cross-fitting as Micci-Barreca's target codes need it; Pargent et al. 2022, section 3.
class CrossCodes {
 public:
  static constexpr std::size_t kPartsMax = 6;
  static constexpr std::uint8_t kNoPart = 255;  ///< of a row that gives nothing to any code
  using PartMask = std::uint8_t;                ///< a bit a part

  /// No category has codes.
  CrossCodes() = default;
  /// `part` is one a row, below `kPartsMax` or `kNoPart`. The features with codes are those that
  /// `inputs` (of `Encoding`) says. Without labels there is nothing to hide and it stays empty.
  CrossCodes(const Table& table, const models::Inputs& inputs, std::vector<std::uint8_t> part);

  [[nodiscard]] bool empty() const { return features_.empty(); }

  /// Rows of that very table as columns, by the codes of other parts than their own and those in
  /// `left_out`.
  [[nodiscard]] Matrix encode(const models::Inputs& inputs,
                              const Table& table,
                              std::span<const std::uint32_t> rows,
                              PartMask left_out) const;

 private:
  /// Labels and rows by part.
  struct Sums {
    double label[kPartsMax]{}, count[kPartsMax]{};
  };
  struct Coded {
    std::uint32_t feature = 0;
    std::vector<std::uint8_t> known;  ///< the levels that have codes
    std::vector<Sums> levels;
    Sums all;
  };
  [[nodiscard]] static double code(const Coded& coded,
                                   std::size_t level,
                                   PartMask without_own,
                                   PartMask left_out);

  std::vector<Coded> features_;
  std::vector<std::uint8_t> part_;
};

}  // namespace liminal::learn
