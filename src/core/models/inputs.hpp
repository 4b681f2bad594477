#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include "core/base/problem.hpp"

namespace liminal::models {

/// Most features of a row, and most columns made from them.
inline constexpr std::size_t kColumnsMax = 2047;

inline constexpr float kMissing = std::numeric_limits<float>::quiet_NaN();

/// One level of a category and the number that takes its place.
struct Code {
  float level = 0;
  float value = 0;
  friend bool operator==(const Code&, const Code&) = default;
};

/// The value of x's level; `kMissing` when it has none. x itself when there are no codes.
[[nodiscard]] float coded(std::span<const Code> codes, float x);

/// One column of what a model computes with, made from one feature of the row. An infinite x counts
/// as missing.
struct Column {
  enum class Kind : std::uint8_t {
    kNumber,     ///< clip(((coded or filled) x − mean) · scale, ±limit)
    kIndicator,  ///< 1 where x == level, else 0; a missing x gives 0
  };
  Kind kind = Kind::kNumber;
  std::uint32_t feature = 0;
  /// Takes the place of a missing value, and of a level that has no code. NaN: stays missing, which
  /// only trees can take.
  float fill = kMissing;
  float mean = 0;
  float scale = 1;  ///< multiplies; one over the deviation
  float limit = std::numeric_limits<float>::infinity();
  float level = 0;
  /// Not empty: x is a category; its level's value is taken. Levels rise; at most 4,096.
  std::vector<Code> codes = {};
  friend bool operator==(const Column& a, const Column& b);
};

/// How a row of features becomes the columns that a model computes with. Empty: the features as
/// they are, infinite ones too.
struct Inputs {
  std::vector<Column> columns;

  /// Columns out, of `features` in.
  [[nodiscard]] std::size_t width(std::size_t features) const {
    return columns.empty() ? features : columns.size();
  }
  friend bool operator==(const Inputs&, const Inputs&) = default;
};

/// `missing`: whether the model that follows can take a missing value.
[[nodiscard]] Problems validate(const Inputs& inputs,
                                std::size_t features,
                                bool missing,
                                std::string_view at);

/// Writes the columns of one row; `out` has `inputs.width(row.size())` places. Computes in float,
/// each operation rounded once, as ONNX's operators do.
void apply(const Inputs& inputs, std::span<const float> row, std::span<float> out);

}  // namespace liminal::models
