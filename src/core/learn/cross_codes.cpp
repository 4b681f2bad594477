#include "core/learn/cross_codes.hpp"

#include <algorithm>
#include <cmath>

#include "core/base/check.hpp"

namespace liminal::learn {
namespace {

struct Total {
  double label = 0, count = 0;
};

template <class Sums>
Total total(const Sums& sums, CrossCodes::PartMask without) {
  Total found;
  for (std::size_t part = 0; part < CrossCodes::kPartsMax; ++part) {
    if ((without >> part & 1) != 0) continue;
    found.label += sums.label[part];
    found.count += sums.count[part];
  }
  return found;
}

constexpr CrossCodes::PartMask bit(std::uint8_t part) {
  return part == CrossCodes::kNoPart ? CrossCodes::PartMask{0}
                                     : static_cast<CrossCodes::PartMask>(1U << part);
}

}  // namespace

CrossCodes::CrossCodes(const Table& table,
                       const models::Inputs& inputs,
                       std::vector<std::uint8_t> part)
    : part_(std::move(part)) {
  LIMINAL_CHECK(part_.size() == table.rows());
  if (table.labels.empty()) return;
  for (const models::Column& column : inputs.columns) {
    if (column.codes.empty()) continue;
    const std::size_t levels = table.features[column.feature].levels.size();
    Coded coded{
        column.feature, std::vector<std::uint8_t>(levels), std::vector<Sums>(levels), Sums{}};
    for (const models::Code& code : column.codes)
      coded.known[static_cast<std::size_t>(code.level)] = 1;
    for (std::size_t row = 0; row < table.rows(); ++row) {
      const float level = table.row(row)[column.feature];
      if (part_[row] == kNoPart || !(level >= 0 && level < static_cast<float>(levels))) continue;
      LIMINAL_CHECK(part_[row] < kPartsMax);
      for (Sums* sums : {&coded.levels[static_cast<std::size_t>(level)], &coded.all}) {
        sums->label[part_[row]] += static_cast<double>(table.labels[row]);
        sums->count[part_[row]] += 1;
      }
    }
    features_.push_back(std::move(coded));
  }
}

/// The mean of all is of one set of rows for the whole fit: if it left out a row's own part, it
/// would tell parts apart, and with them a little of their labels.
double CrossCodes::code(const Coded& coded,
                        std::size_t level,
                        PartMask without_own,
                        PartMask left_out) {
  const Total all = total(coded.all, left_out);
  const Total own = total(coded.levels[level], without_own);
  return shrunk_mean(own.label, own.count, all.count > 0 ? all.label / all.count : 0);
}

Matrix CrossCodes::encode(const models::Inputs& inputs,
                          const Table& table,
                          std::span<const std::uint32_t> rows,
                          PartMask left_out) const {
  models::Inputs uncoded = inputs;
  for (models::Column& column : uncoded.columns) column.codes.clear();
  Matrix matrix{rows.size(), inputs.width(table.features.size()), {}};
  matrix.values.resize(matrix.rows * matrix.columns);
  std::vector<float> row(table.features.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto from = table.row(rows[i]);
    std::transform(from.begin(), from.end(), row.begin(), [](float x) {
      return std::isfinite(x) ? x : models::kMissing;
    });
    const auto without = static_cast<PartMask>(left_out | bit(part_[rows[i]]));
    for (const Coded& coded : features_) {
      float& x = row[coded.feature];
      const bool level = x >= 0 && x < static_cast<float>(coded.levels.size());
      const auto place = level ? static_cast<std::size_t>(x) : 0;
      x = level && coded.known[place] != 0
              ? static_cast<float>(code(coded, place, without, left_out))
              : models::kMissing;
    }
    models::apply(
        uncoded, row, std::span(matrix.values).subspan(i * matrix.columns, matrix.columns));
  }
  return matrix;
}

}  // namespace liminal::learn
