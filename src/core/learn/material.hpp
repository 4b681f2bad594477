#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/learn/cross_codes.hpp"
#include "core/learn/encoding.hpp"
#include "core/learn/recipe.hpp"
#include "core/learn/table.hpp"

namespace liminal::learn {

/// Tells one material from every other, wherever they lie in memory, for as long as somebody holds
/// its token. A copy is another one.
class Identity {
 public:
  using Token = std::shared_ptr<const char>;

  Identity() = default;
  Identity(const Identity&) {}
  Identity& operator=(const Identity&) {
    token_ = std::make_shared<const char>();
    return *this;
  }
  ~Identity() = default;

  [[nodiscard]] const Token& token() const { return token_; }

 private:
  Token token_ = std::make_shared<const char>();
};

/// A place and a size to tell labels in parts of.
struct Unit {
  double shift = 0, scale = 1;
};

/// Mean and deviation of labels of values; labels that are all the same have a deviation of 1.
[[nodiscard]] Unit unit_of(std::span<const float> labels);

/// What a search fits models to: the table, how it is encoded, and the sets of rows that fits train
/// and validate on. Immutable once fits run; any number of threads may read it.
struct Material {
  static constexpr std::uint32_t kNoRows = 0xffffffffU;

  Table table;
  /// Of values: `unit_of` all labels, so that penalties of recipes mean the same whatever unit
  /// these have, and nothing is lost where they lie far from 0. Classes stay 0 and 1.
  Unit unit{};
  Encoding encoding;
  Loss loss;
  std::vector<std::vector<std::uint32_t>> sets;
  CrossCodes codes;                            ///< of the table
  std::vector<CrossCodes::PartMask> left_out;  ///< one a set, or fewer: the parts it is judged on
  Identity identity;

  [[nodiscard]] std::span<const std::uint32_t> set(std::uint32_t id) const { return sets[id]; }
  [[nodiscard]] std::vector<float> labels(std::uint32_t id) const;
  /// The labels of a set in parts of `unit`: what learners fit to.
  [[nodiscard]] std::vector<float> unit_labels(std::uint32_t id) const;
  [[nodiscard]] std::vector<float> weights(std::uint32_t id) const;  ///< empty: all 1
  /// The rows of a set as `inputs` (of `encoding`) makes columns of them, with codes that hold none
  /// of their own labels.
  [[nodiscard]] Matrix matrix(const models::Inputs& inputs, std::uint32_t id) const;
};

}  // namespace liminal::learn
