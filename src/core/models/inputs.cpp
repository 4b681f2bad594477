#include "core/models/inputs.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace liminal::models {
namespace {

constexpr std::size_t kCodesMax = 4096;

float value(const Column& column, float x) {
  if (column.kind == Column::Kind::kIndicator) return x == column.level ? 1.F : 0.F;
  x = coded(column.codes, x);
  // An infinite x is no measurement: unscaled it would drown all else, and times 0 it is NaN.
  if (!std::isfinite(x)) x = column.fill;
  // std::clamp keeps a NaN, as ONNX's Clip does.
  return std::clamp((x - column.mean) * column.scale, -column.limit, column.limit);
}

bool same(float a, float b) {
  return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
}

bool codes_rise(const std::vector<Code>& codes) {
  for (std::size_t i = 0; i < codes.size(); ++i) {
    if (!std::isfinite(codes[i].level) || !std::isfinite(codes[i].value)) return false;
    if (i > 0 && !(codes[i - 1].level < codes[i].level)) return false;
  }
  return codes.size() <= kCodesMax;
}

void check(const Column& column,
           std::size_t features,
           bool missing,
           const std::string& at,
           Problems& problems) {
  const auto wrong = [&](std::string_view key, std::string_view text) {
    problems.push_back({at + "." + std::string(key), std::string(text)});
  };
  if (column.feature >= features) wrong("feature", "is not one of the model's features");
  if (column.kind == Column::Kind::kIndicator) {
    if (!std::isfinite(column.level)) wrong("level", "must be finite");
    return;
  }
  if (!std::isfinite(column.mean)) wrong("mean", "must be finite");
  if (!std::isfinite(column.scale)) wrong("scale", "must be finite");
  if (!(column.limit > 0)) wrong("limit", "must be above 0");
  if (!missing && !std::isfinite(column.fill))
    wrong("fill", "must be finite for this kind of model");
  if (!codes_rise(column.codes))
    wrong("codes", "must be finite, rise by level, and be 4,096 at most");
}

}  // namespace

float coded(std::span<const Code> codes, float x) {
  if (codes.empty()) return x;
  const auto found =
      std::lower_bound(codes.begin(), codes.end(), x, [](const Code& code, float value) {
        return code.level < value;
      });
  return found != codes.end() && found->level == x ? found->value : kMissing;
}

bool operator==(const Column& a, const Column& b) {
  return a.kind == b.kind && a.feature == b.feature && same(a.fill, b.fill) &&
         same(a.mean, b.mean) && same(a.scale, b.scale) && same(a.limit, b.limit) &&
         same(a.level, b.level) && a.codes == b.codes;
}

Problems validate(const Inputs& inputs, std::size_t features, bool missing, std::string_view at) {
  Problems problems;
  const std::string where = std::string(at) + ".columns";
  if (inputs.columns.size() > kColumnsMax) {
    problems.push_back({where, "holds more than 2,047 columns"});
    return problems;
  }
  for (std::size_t i = 0; i < inputs.columns.size(); ++i)
    check(inputs.columns[i], features, missing, where + "[" + std::to_string(i) + "]", problems);
  return problems;
}

void apply(const Inputs& inputs, std::span<const float> row, std::span<float> out) {
  if (inputs.columns.empty()) {
    std::copy(row.begin(), row.end(), out.begin());
    return;
  }
  for (std::size_t i = 0; i < inputs.columns.size(); ++i) {
    const Column& column = inputs.columns[i];
    out[i] = value(column, row[column.feature]);
  }
}

}  // namespace liminal::models
