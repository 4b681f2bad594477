#include "core/learn/anomalies.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <optional>

#include "core/base/math.hpp"
#include "core/base/random.hpp"
#include "core/learn/encoding.hpp"

namespace liminal::learn {
namespace {

/// Scales a median absolute deviation to the standard deviation of a normal distribution.
constexpr double kNormal = 1.4826;

class IsolationGrower {
 public:
  IsolationGrower(const Matrix& x, std::uint32_t depth_max) : x_(x), depth_max_(depth_max) {}

  models::Tree grow(std::vector<std::uint32_t> rows, Random& random) {
    models::Tree tree;
    rows_ = std::move(rows);
    tree.nodes.emplace_back();
    waiting_.assign(1, {0, 0, rows_.size(), 0});
    while (!waiting_.empty()) {
      const Part part = waiting_.back();
      waiting_.pop_back();
      grow_node(tree, part, random);
    }
    return tree;
  }

 private:
  struct Part {
    std::uint32_t node;
    std::size_t begin, end;
    std::uint32_t depth;
  };

  [[nodiscard]] float value(std::uint32_t row, std::size_t column) const {
    return x_.values[row * x_.columns + column];
  }

  void grow_node(models::Tree& tree, const Part& part, Random& random) {
    const std::size_t count = part.end - part.begin;
    tree.nodes[part.node].cover = static_cast<float>(count);
    tree.nodes[part.node].value = static_cast<float>(part.depth) + models::expected_path(count);
    if (count < 2 || part.depth >= depth_max_) return;
    const auto cut = this->cut(part, random);
    if (!cut) return;
    const std::size_t column = cut->first;  // no structured binding: a lambda takes them below
    const float threshold = cut->second;
    const auto begin = rows_.begin() + static_cast<std::ptrdiff_t>(part.begin);
    const auto middle = std::partition(
        begin, rows_.begin() + static_cast<std::ptrdiff_t>(part.end), [&](std::uint32_t row) {
          return value(row, column) < threshold;
        });
    const auto border = part.begin + static_cast<std::size_t>(middle - begin);
    const auto left = static_cast<std::uint32_t>(tree.nodes.size());
    tree.nodes.emplace_back();
    tree.nodes.emplace_back();
    models::TreeNode& node = tree.nodes[part.node];
    node.feature = static_cast<std::int32_t>(column);
    node.value = threshold;
    node.left = left;
    node.right = left + 1;
    waiting_.push_back({left + 1, border, part.end, part.depth + 1});
    waiting_.push_back({left, part.begin, border, part.depth + 1});
  }

  /// A random column that is not constant here, cut at random; none when all are constant.
  std::optional<std::pair<std::size_t, float>> cut(const Part& part, Random& random) {
    columns_.resize(x_.columns);
    std::iota(columns_.begin(), columns_.end(), std::size_t{0});
    for (std::size_t k = 0; k < columns_.size(); ++k) {
      std::swap(columns_[k], columns_[k + random.below(columns_.size() - k)]);
      float low = value(rows_[part.begin], columns_[k]), high = low;
      for (std::size_t i = part.begin; i < part.end; ++i) {
        low = std::min(low, value(rows_[i], columns_[k]));
        high = std::max(high, value(rows_[i], columns_[k]));
      }
      if (!(low < high)) continue;
      const double place =
          static_cast<double>(low) +
          random.uniform() * (static_cast<double>(high) - static_cast<double>(low));
      return std::pair(columns_[k],
                       std::clamp(static_cast<float>(place), std::nextafter(low, high), high));
    }
    return std::nullopt;
  }

  const Matrix& x_;
  std::uint32_t depth_max_;
  std::vector<std::uint32_t> rows_;
  std::vector<std::size_t> columns_;
  std::vector<Part> waiting_;
};

double path_length(const models::Tree& tree, std::span<const float> row) {
  std::uint32_t at = 0;
  while (!tree.nodes[at].leaf()) {
    const models::TreeNode& node = tree.nodes[at];
    at = row[static_cast<std::size_t>(node.feature)] < node.value ? node.left : node.right;
  }
  return static_cast<double>(tree.nodes[at].value);
}

/// 2^−(mean path/expected).
float anomaly_score(const models::IsolationForest& forest, std::span<const float> row) {
  constexpr double kLn2 = .6931471805599453;
  double sum = 0;
  for (const models::Tree& tree : forest.trees) sum += path_length(tree, row);
  const double mean = sum / static_cast<double>(std::max<std::size_t>(forest.trees.size(), 1));
  return static_cast<float>(exp(-kLn2 * mean / static_cast<double>(forest.expected)));
}

double middle_of(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

models::IsolationForest grow_isolation_forest(const Matrix& x,
                                              const IsolationRecipe& recipe,
                                              std::uint64_t seed,
                                              const Stop& stop) {
  models::IsolationForest forest;
  const std::size_t sample = std::min<std::size_t>(recipe.sample, x.rows);
  forest.expected = std::max(models::expected_path(sample), 1e-3F);
  if (x.rows == 0) return forest;
  std::uint32_t depth = 1;
  while ((std::size_t{1} << depth) < sample) ++depth;
  IsolationGrower grower(x, depth);
  Random random(seed);
  std::vector<std::uint32_t> all(x.rows);
  std::iota(all.begin(), all.end(), 0U);
  for (std::uint32_t i = 0; i < recipe.trees && !stop(); ++i) {
    for (std::size_t k = 0; k < sample; ++k) std::swap(all[k], all[k + random.below(x.rows - k)]);
    forest.trees.push_back(
        grower.grow({all.begin(), all.begin() + static_cast<std::ptrdiff_t>(sample)}, random));
  }
  return forest;
}

RobustDistance RobustDistance::learn(const Table& table) {
  RobustDistance distance;
  for (std::size_t f = 0; f < table.features.size(); ++f) {
    Usual usual;
    std::vector<double> values;
    for (std::size_t i = 0; i < table.rows(); ++i)
      if (std::isfinite(table.row(i)[f])) values.push_back(static_cast<double>(table.row(i)[f]));
    if (table.features[f].category()) {
      std::vector<double> count(table.features[f].levels.size(), .5);
      for (const double level : values)
        if (level >= 0 && level < static_cast<double>(count.size()))
          count[static_cast<std::size_t>(level)] += 1;
      const double most = *std::max_element(count.begin(), count.end());
      for (const double one : count) usual.squares.push_back(-log(one / most));
    } else if (!values.empty()) {
      usual.median = middle_of(values);
      double mean = 0;
      for (double& value : values) {
        value = std::abs(value - usual.median);
        mean += value / static_cast<double>(values.size());
      }
      // Where most values are equal the mean deviation stands in for their median.
      const double deviation = kNormal * middle_of(values);
      usual.scale = deviation > 0 ? deviation : mean > 0 ? 1.2533 * mean : 1;
    }
    distance.usual_.push_back(std::move(usual));
  }
  return distance;
}

std::vector<double> RobustDistance::terms(std::span<const float> row) const {
  std::vector<double> terms(usual_.size());
  for (std::size_t f = 0; f < usual_.size() && f < row.size(); ++f) {
    const Usual& usual = usual_[f];
    if (!std::isfinite(row[f])) continue;
    const auto value = static_cast<double>(row[f]);
    if (usual.squares.empty()) {
      const double z = (value - usual.median) / usual.scale;
      terms[f] = log1p(z * z);
    } else if (value >= 0 && value < static_cast<double>(usual.squares.size())) {
      terms[f] = log1p(usual.squares[static_cast<std::size_t>(value)]);
    }
  }
  return terms;
}

double RobustDistance::sum(std::span<const float> row) const {
  double sum = 0;
  for (const double term : terms(row)) sum += term;
  return sum;
}

AnomalyModel find_anomalies(const Table& table,
                            double alert_ratio,
                            std::uint64_t seed,
                            const Stop& stop) {
  AnomalyModel found;
  const Encoding encoding = learn_encoding(table, {});
  std::vector<std::uint32_t> all(table.rows());
  std::iota(all.begin(), all.end(), 0U);
  const Matrix rows = encode(encoding.filled, table, all);
  found.forest = grow_isolation_forest(rows, {}, seed, stop);
  found.forest.inputs = encoding.filled;
  for (std::size_t i = 0; i < rows.rows; ++i)
    found.scores.push_back(anomaly_score(found.forest, rows.row(i)));
  found.distance = RobustDistance::learn(table);
  if (found.scores.empty()) return found;
  std::vector<float> sorted = found.scores;
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  const auto alerts = static_cast<std::size_t>(alert_ratio * static_cast<double>(sorted.size()));
  found.line = sorted[std::min(alerts, sorted.size() - 1)];
  return found;
}

}  // namespace liminal::learn
