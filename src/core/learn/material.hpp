#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/learn/encoding.hpp"
#include "core/learn/recipe.hpp"
#include "core/learn/table.hpp"

namespace liminal::learn {

/// What a search fits models to: the table, how it is encoded, and the sets of rows that fits train
/// and validate on. Immutable once fits run; any number of threads may read it.
struct Material {
  static constexpr std::uint32_t kNoRows = 0xffffffffU;

  Table table;
  Encoding encoding;
  Loss loss;
  std::vector<std::vector<std::uint32_t>> sets;

  [[nodiscard]] std::span<const std::uint32_t> set(std::uint32_t id) const { return sets[id]; }
  [[nodiscard]] std::vector<float> labels(std::uint32_t id) const;
  [[nodiscard]] std::vector<float> weights(std::uint32_t id) const;  ///< empty: all 1
  [[nodiscard]] Matrix matrix(const models::Inputs& inputs, std::uint32_t id) const {
    return encode(inputs, table, sets[id]);
  }
};

}  // namespace liminal::learn
