#include "core/learn/encoding.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/base/math.hpp"

namespace liminal::learn {
namespace {

using models::Column;

constexpr std::size_t kLevelsMax = 4096;
constexpr double kShrinkRows = 20;
constexpr float kScaledLimit = 5;

/// What a feature looks like in the rows an encoding is learnt from.
struct Summary {
  double mean = 0, deviation = 0;
  float median = 0, low = 0, high = 0;
  bool missing = false;  ///< some are
};

Summary summarize(std::vector<float> values, std::size_t rows) {
  Summary summary;
  summary.missing = values.size() < rows;
  if (values.empty()) return summary;
  const auto n = static_cast<double>(values.size());
  for (const float value : values) summary.mean += static_cast<double>(value) / n;
  double variance = 0;
  for (const float value : values) {
    const double from_mean = static_cast<double>(value) - summary.mean;
    variance += from_mean * from_mean / n;
  }
  summary.deviation = sqrt(variance);
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  summary.low = *low;
  summary.high = *high;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  summary.median = *middle;
  return summary;
}

class Encoder {
 public:
  Encoder(const Table& table, std::span<const std::uint32_t> rows, const EncodingOptions& options)
      : table_(table), rows_(rows), options_(options) {}

  Encoding learn() {
    std::size_t indicators = 0;
    for (const Feature& feature : table_.features)
      if (feature.levels.size() <= options_.one_hot_max) indicators += feature.levels.size();
    one_hot_ = indicators + table_.features.size() <= models::kColumnsMax;
    for (std::uint32_t f = 0; f < table_.features.size(); ++f) {
      const Feature& feature = table_.features[f];
      if (!feature.category()) {
        add_number(f, {});
      } else if (one_hot_ && feature.levels.size() <= options_.one_hot_max) {
        add_indicators(f);
      } else {
        add_number(f, codes_of(f));
      }
    }
    return std::move(encoding_);
  }

 private:
  [[nodiscard]] float value(std::size_t row, std::uint32_t feature) const {
    const float x = table_.row(row)[feature];
    return std::isfinite(x) ? x : models::kMissing;
  }

  void add_indicators(std::uint32_t f) {
    const std::size_t levels = table_.features[f].levels.size();
    bool missing = false;
    for (const std::uint32_t row : rows_) missing |= std::isnan(value(row, f));
    // Of two levels that are never missing one says all.
    const std::size_t first = levels == 2 && !missing ? 1 : 0;
    for (std::size_t level = first; level < levels; ++level) {
      Column column;
      column.kind = Column::Kind::kIndicator;
      column.feature = f;
      column.level = static_cast<float>(level);
      for (models::Inputs* inputs : {&encoding_.trees, &encoding_.filled, &encoding_.scaled})
        inputs->columns.push_back(column);
    }
  }

  void add_number(std::uint32_t f, const std::vector<models::Code>& codes) {
    std::vector<float> values;
    for (const std::uint32_t row : rows_) {
      const float x = coded(value(row, f), codes);
      if (!std::isnan(x)) values.push_back(x);
    }
    const Summary summary = summarize(std::move(values), rows_.size());
    Column column;
    column.feature = f;
    column.codes = codes;
    encoding_.trees.columns.push_back(column);
    column.fill = below(summary);
    encoding_.filled.columns.push_back(column);
    column.fill = summary.median;
    column.mean = static_cast<float>(summary.mean);
    column.scale = summary.deviation > 1e-30 ? static_cast<float>(1 / summary.deviation) : 0.F;
    if (!std::isfinite(column.scale)) column.scale = 0;
    column.limit = kScaledLimit;
    encoding_.scaled.columns.push_back(column);
  }

  /// A value below all that there are, however large or close together they are.
  static float below(const Summary& summary) {
    const float step =
        .5F * (summary.high - summary.low) + 1e-3F * std::max(1.F, std::abs(summary.low));
    return std::max(summary.low - step, std::numeric_limits<float>::lowest());
  }

  static float coded(float x, const std::vector<models::Code>& codes) {
    if (codes.empty() || std::isnan(x)) return x;
    const auto found =
        std::lower_bound(codes.begin(), codes.end(), x, [](const models::Code& code, float level) {
          return code.level < level;
        });
    return found != codes.end() && found->level == x ? found->value : models::kMissing;
  }

  /// The levels of a category by their mean label, or by their frequency.
  [[nodiscard]] std::vector<models::Code> codes_of(std::uint32_t f) const {
    const std::size_t levels = table_.features[f].levels.size();
    std::vector<double> sum(levels), count(levels);
    double sum_all = 0, count_all = 0;
    for (const std::uint32_t row : rows_) {
      const float x = value(row, f);
      if (!(x >= 0 && x < static_cast<float>(levels))) continue;
      const auto level = static_cast<std::size_t>(x);
      const double label = table_.labels.empty() ? 0 : static_cast<double>(table_.labels[row]);
      sum[level] += label;
      count[level] += 1;
      sum_all += label;
      count_all += 1;
    }
    std::vector<std::uint32_t> order(levels);
    std::iota(order.begin(), order.end(), 0U);
    std::stable_sort(
        order.begin(), order.end(), [&](auto a, auto b) { return count[a] > count[b]; });
    order.resize(std::min(levels, kLevelsMax));
    std::sort(order.begin(), order.end());
    std::vector<models::Code> codes;
    for (const std::uint32_t level : order) {
      const double mean = count_all > 0 ? sum_all / count_all : 0;
      const double by_label = shrunk_mean(sum[level], count[level], mean);
      const double by_count = count_all > 0 ? count[level] / count_all : 0;
      codes.push_back({static_cast<float>(level),
                       static_cast<float>(table_.labels.empty() ? by_count : by_label)});
    }
    return codes;
  }

  const Table& table_;
  std::span<const std::uint32_t> rows_;
  const EncodingOptions& options_;
  bool one_hot_ = true;
  Encoding encoding_;
};

}  // namespace

Encoding learn_encoding(const Table& table,
                        std::span<const std::uint32_t> rows,
                        const EncodingOptions& options) {
  std::vector<std::uint32_t> all;
  if (rows.empty()) {
    all.resize(table.rows());
    std::iota(all.begin(), all.end(), 0U);
    rows = all;
  }
  return Encoder(table, rows, options).learn();
}

double shrunk_mean(double sum, double count, double mean_of_all) {
  return (sum + kShrinkRows * mean_of_all) / (count + kShrinkRows);
}

Matrix encode(const models::Inputs& inputs,
              const Table& table,
              std::span<const std::uint32_t> rows) {
  Matrix matrix{rows.size(), inputs.width(table.features.size()), {}};
  matrix.values.resize(matrix.rows * matrix.columns);
  std::vector<float> row(table.features.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto from = table.row(rows[i]);
    std::transform(from.begin(), from.end(), row.begin(), [](float x) {
      return std::isfinite(x) ? x : models::kMissing;
    });
    models::apply(
        inputs, row, std::span(matrix.values).subspan(i * matrix.columns, matrix.columns));
  }
  return matrix;
}

}  // namespace liminal::learn
