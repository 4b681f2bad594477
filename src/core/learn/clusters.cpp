#include "core/learn/clusters.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>

#include "core/base/math.hpp"
#include "core/base/random.hpp"
#include "core/learn/encoding.hpp"
#include "core/learn/words.hpp"

namespace liminal::learn {
namespace {

constexpr int kStepsMax = 100;
constexpr std::size_t kRowsMax = 100'000;

double distance(std::span<const float> a, const float* b) {
  double sum = 0;
  for (std::size_t k = 0; k < a.size(); ++k) {
    const double d = static_cast<double>(a[k]) - static_cast<double>(b[k]);
    sum += d * d;
  }
  return sum;
}

struct Nearest {
  std::uint32_t cluster = 0;
  double squares = 0;
};

Nearest nearest(std::span<const float> row, const std::vector<float>& centroids) {
  Nearest best{0, std::numeric_limits<double>::infinity()};
  for (std::uint32_t c = 0; c * row.size() < centroids.size(); ++c) {
    const double squares = distance(row, centroids.data() + c * row.size());
    if (squares < best.squares) best = {c, squares};
  }
  return best;
}

/// Begins with rows that lie far apart.
class Beginning {
 public:
  Beginning(const Matrix& x, Random& random) : x_(x), random_(random), far_(x.rows, 1) {}

  std::vector<float> centroids(std::uint32_t k) {
    const auto tries = 2 + static_cast<std::uint32_t>(log(static_cast<double>(k)));
    add(random_.below(x_.rows));
    for (std::uint32_t c = 1; c < k; ++c) {
      std::size_t best = drawn();
      double least = left_with(best);
      for (std::uint32_t other = 1; other < tries; ++other) {
        const std::size_t row = drawn();
        const double left = left_with(row);
        if (left < least) {
          least = left;
          best = row;
        }
      }
      add(best);
    }
    return std::move(centroids_);
  }

 private:
  [[nodiscard]] double with(std::size_t i, std::size_t row) const {
    const double there = distance(x_.row(i), x_.row(row).data());
    return centroids_.empty() ? there : std::min(far_[i], there);
  }

  /// Σ of squared distances if a row were a centroid, too.
  [[nodiscard]] double left_with(std::size_t row) const {
    double sum = 0;
    for (std::size_t i = 0; i < x_.rows; ++i) sum += with(i, row);
    return sum;
  }

  void add(std::size_t row) {
    sum_ = 0;
    for (std::size_t i = 0; i < x_.rows; ++i) sum_ += far_[i] = with(i, row);
    const auto values = x_.row(row);
    centroids_.insert(centroids_.end(), values.begin(), values.end());
  }

  /// By its squared distance from those before.
  std::size_t drawn() {
    double left = random_.uniform() * sum_;
    std::size_t row = 0;
    while (row + 1 < x_.rows && (left -= far_[row]) > 0) ++row;
    return row;
  }

  const Matrix& x_;
  Random& random_;
  std::vector<double> far_;  ///< squared distance to the nearest centroid
  double sum_ = 0;
  std::vector<float> centroids_;
};

/// Moves the centroids to the means of their rows. A cluster without rows takes the farthest one.
void move(const Matrix& x, Partition& part, const std::vector<double>& far) {
  std::vector<double> sum(part.centroids.size()), count(part.clusters);
  for (std::size_t i = 0; i < x.rows; ++i) {
    const auto row = x.row(i);
    count[part.of_row[i]] += 1;
    for (std::size_t k = 0; k < x.columns; ++k)
      sum[part.of_row[i] * x.columns + k] += static_cast<double>(row[k]);
  }
  for (std::uint32_t c = 0; c < part.clusters; ++c) {
    if (count[c] > 0) {
      for (std::size_t k = 0; k < x.columns; ++k)
        part.centroids[c * x.columns + k] = static_cast<float>(sum[c * x.columns + k] / count[c]);
      continue;
    }
    const auto farthest =
        static_cast<std::size_t>(std::max_element(far.begin(), far.end()) - far.begin());
    const auto row = x.row(farthest);
    std::copy(row.begin(),
              row.end(),
              part.centroids.begin() + static_cast<std::ptrdiff_t>(c * x.columns));
  }
}

Partition one_start(const Matrix& x, std::uint32_t k, Random& random, const Stop& stop) {
  Partition part{k, Beginning(x, random).centroids(k), std::vector<std::uint32_t>(x.rows), 0};
  std::vector<double> far(x.rows);
  double before = std::numeric_limits<double>::infinity();
  for (int step = 0; step < kStepsMax; ++step) {
    part.squares = 0;
    for (std::size_t i = 0; i < x.rows; ++i) {
      const Nearest found = nearest(x.row(i), part.centroids);
      part.of_row[i] = found.cluster;
      far[i] = found.squares;
      part.squares += found.squares;
    }
    if (!(part.squares < before * (1 - 1e-9)) || stop()) break;
    before = part.squares;
    move(x, part, far);
  }
  return part;
}

Matrix some_rows(const Matrix& x, std::span<const std::uint32_t> which) {
  Matrix some{which.size(), x.columns, {}};
  for (const std::uint32_t row : which) {
    const auto values = x.row(row);
    some.values.insert(some.values.end(), values.begin(), values.end());
  }
  return some;
}

std::vector<std::uint32_t> drawn(std::size_t rows, std::size_t most, Random& random) {
  std::vector<std::uint32_t> order(rows);
  std::iota(order.begin(), order.end(), 0U);
  const std::size_t count = std::min(rows, most);
  for (std::size_t i = 0; i < count; ++i) std::swap(order[i], order[i + random.below(rows - i)]);
  order.resize(count);
  return order;
}

/// How the rows of one half lie among its own clusters and among the other half's.
class Halves {
 public:
  Halves(const Matrix& test, const Partition& own, const Partition& other)
      : test_(test),
        other_(other),
        together_(own.clusters, std::vector<double>(other.clusters)),
        rows_(own.clusters),
        in_other_(other.clusters) {
    for (std::uint32_t i = 0; i < test.rows; ++i) {
      const std::uint32_t there = nearest(test.row(i), other.centroids).cluster;
      ++together_[own.of_row[i]][there];
      ++rows_[own.of_row[i]];
      in_other_[there].push_back(i);
    }
  }

  /// Of the pairs within each own cluster, the share that the other half puts together; the least.
  [[nodiscard]] double worst_share() const {
    double worst = 1;
    for (std::size_t c = 0; c < rows_.size(); ++c) {
      // A cluster of one row or none has no pairs and foretells nothing.
      if (rows_[c] < 2) return 0;
      double pairs = 0;
      for (const double count : together_[c]) pairs += count * (count - 1);
      worst = std::min(worst, pairs / (rows_[c] * (rows_[c] - 1)));
    }
    return worst;
  }

  /// Own clusters come first in the links, the other half's behind.
  [[nodiscard]] std::uint32_t groups() const {
    constexpr double kShared = .15, kRowsMin = 5;
    const auto own = static_cast<std::uint32_t>(rows_.size()), other = other_.clusters;
    Links links(own + other);
    for (std::uint32_t c = 0; c < own; ++c)
      for (std::uint32_t d = 0; d < other; ++d)
        if (together_[c][d] > kShared * rows_[c]) links.join(c, own + d);
    for (std::uint32_t d = 1; d < other; ++d)
      for (std::uint32_t e = 0; e < d; ++e)
        if (!links.joined(own + d, own + e) && !valley(d, e)) links.join(own + d, own + e);
    std::vector<double> rows(own + other);
    for (std::uint32_t c = 0; c < own; ++c) rows[links.root(c)] += rows_[c];
    return static_cast<std::uint32_t>(
        std::count_if(rows.begin(), rows.end(), [](double all) { return all >= kRowsMin; }));
  }

 private:
  class Links {
   public:
    explicit Links(std::uint32_t count) : above_(count) {
      std::iota(above_.begin(), above_.end(), 0U);
    }
    [[nodiscard]] std::uint32_t root(std::uint32_t i) {
      while (above_[i] != i) i = above_[i] = above_[above_[i]];
      return i;
    }
    [[nodiscard]] bool joined(std::uint32_t i, std::uint32_t j) { return root(i) == root(j); }
    void join(std::uint32_t i, std::uint32_t j) { above_[root(i)] = root(j); }

   private:
    std::vector<std::uint32_t> above_;
  };

  /// Whether rows are rarer between two of the other half's clusters than in either.
  [[nodiscard]] bool valley(std::uint32_t d, std::uint32_t e) const {
    constexpr double kNear = .22;  ///< in parts of the way from centroid to centroid
    constexpr double kRarer = .9;
    const std::size_t width = test_.columns;
    const auto from = std::span(other_.centroids).subspan(d * width, width);
    const auto to = std::span(other_.centroids).subspan(e * width, width);
    const double length = distance(from, to.data());
    double begin = 0, middle = 0, end = 0;
    for (const auto* rows : {&in_other_[d], &in_other_[e]}) {
      for (const std::uint32_t i : *rows) {
        double along = 0;
        for (std::size_t k = 0; k < width; ++k)
          along +=
              static_cast<double>(test_.row(i)[k] - from[k]) * static_cast<double>(to[k] - from[k]);
        along /= length;
        begin += std::abs(along) < kNear ? 1 : 0;
        middle += std::abs(along - .5) < kNear ? 1 : 0;
        end += std::abs(along - 1) < kNear ? 1 : 0;
      }
    }
    // By more than the error of so few rows, too: of fifteen slices some lie at a dent by chance.
    const double least = std::min(begin, end);
    return middle < kRarer * least && least - middle > sqrt(least + middle);
  }

  const Matrix& test_;
  const Partition& other_;
  std::vector<std::vector<double>> together_;  ///< rows by own cluster and the other half's
  std::vector<double> rows_;                   ///< of each own cluster
  std::vector<std::vector<std::uint32_t>> in_other_;
};

/// What sets a cluster apart, feature by feature.
class Describer {
 public:
  Describer(const Table& table, const std::vector<std::uint32_t>& of_row)
      : table_(table), of_row_(of_row) {}

  [[nodiscard]] std::string words(std::uint32_t cluster) const {
    struct Trait {
      double strength;
      std::string text;
    };
    std::vector<Trait> traits;
    for (std::size_t f = 0; f < table_.features.size(); ++f) {
      const Feature& feature = table_.features[f];
      if (feature.category()) {
        for (std::size_t level = 0; level < feature.levels.size(); ++level) {
          const auto is = [&](float x) { return x == static_cast<float>(level) ? 1. : 0.; };
          const Shape here = shape(f, cluster, is), all = shape(f, kAll, is);
          traits.push_back({std::abs(here.mean - all.mean) / std::max(all.deviation, 1e-9),
                            feature.name + (here.mean > all.mean ? " is " : " is seldom ") +
                                feature.levels[level] + " (" + in_words(100 * here.mean, 0) +
                                " %, all " + in_words(100 * all.mean, 0) + " %)"});
        }
        continue;
      }
      const auto same = [](float x) { return static_cast<double>(x); };
      const Shape here = shape(f, cluster, same), all = shape(f, kAll, same);
      traits.push_back({std::abs(here.mean - all.mean) / std::max(all.deviation, 1e-9),
                        std::string(here.mean > all.mean ? "high " : "low ") + feature.name +
                            " (mean " + in_words(here.mean, 2) + ", all " + in_words(all.mean, 2) +
                            ")"});
    }
    std::stable_sort(traits.begin(), traits.end(), [](const Trait& a, const Trait& b) {
      return a.strength > b.strength;
    });
    constexpr double kTold = .5;  ///< in deviations of all rows
    std::string text;
    for (std::size_t i = 0; i < std::min<std::size_t>(traits.size(), 3); ++i)
      if (traits[i].strength > kTold) text += (text.empty() ? "" : ", ") + traits[i].text;
    return text.empty() ? "like all" : text;
  }

 private:
  static constexpr std::uint32_t kAll = 0xffffffffU;
  struct Shape {
    double mean = 0, deviation = 0;
  };

  template <class Value>
  [[nodiscard]] Shape shape(std::size_t feature, std::uint32_t cluster, Value value) const {
    double sum = 0, squares = 0, count = 0;
    for (std::size_t i = 0; i < of_row_.size(); ++i) {
      const float x = table_.row(i)[feature];
      if ((cluster != kAll && of_row_[i] != cluster) || std::isnan(x)) continue;
      sum += value(x);
      squares += value(x) * value(x);
      count += 1;
    }
    if (count == 0) return {};
    const double mean = sum / count;
    return {mean, sqrt(std::max(squares / count - mean * mean, 0.))};
  }

  const Table& table_;
  const std::vector<std::uint32_t>& of_row_;
};

}  // namespace

Partition k_means(
    const Matrix& x, std::uint32_t k, std::uint32_t starts, std::uint64_t seed, const Stop& stop) {
  Random random(seed);
  Partition best;
  if (x.rows == 0) return best;
  k = static_cast<std::uint32_t>(std::min<std::size_t>(std::max(k, 1U), x.rows));
  for (std::uint32_t start = 0; start < std::max(starts, 1U); ++start) {
    if (start > 0 && stop()) break;
    Partition part = one_start(x, k, random, stop);
    if (best.clusters == 0 || part.squares < best.squares) best = std::move(part);
  }
  return best;
}

Replication replication(const Matrix& x, std::uint32_t k, std::uint64_t seed, const Stop& stop) {
  constexpr std::uint32_t kSplits = 3, kStarts = 5;
  if (k <= 1) return {};
  Random random(seed);
  std::vector<std::uint32_t> groups;
  double strength = 0;
  for (std::uint32_t split = 0; split < kSplits && !stop(); ++split) {
    const auto order = drawn(x.rows, x.rows, random);
    const std::span<const std::uint32_t> all(order);
    const Matrix one = some_rows(x, all.first(x.rows / 2)),
                 other = some_rows(x, all.subspan(x.rows / 2));
    const Partition train = k_means(one, k, kStarts, random.bits(), stop);
    const Partition test = k_means(other, k, kStarts, random.bits(), stop);
    if (stop()) break;  // clusters that are still on their way say nothing
    const Halves forward(other, test, train);
    strength += forward.worst_share();
    groups.push_back(forward.groups());
    groups.push_back(Halves(one, train, test).groups());
  }
  if (groups.empty()) return {0, 1, 0, 0};
  // The lower of the two in the middle: what is found again in half of the cases is no more.
  const auto middle = groups.begin() + static_cast<std::ptrdiff_t>((groups.size() - 1) / 2);
  std::nth_element(groups.begin(), middle, groups.end());
  Replication found;
  found.groups = std::max(*middle, 1U);
  found.halves = static_cast<std::uint32_t>(groups.size());
  found.strength = 2 * strength / found.halves;
  found.agreeing = static_cast<std::uint32_t>(std::count_if(
      groups.begin(), groups.end(), [&](std::uint32_t count) { return count >= found.groups; }));
  return found;
}

Clustering find_clusters(const Table& table, const ClusterOptions& options, const Stop& stop) {
  constexpr std::uint32_t kStarts = 10;
  Random random(options.seed);
  const Encoding encoding = learn_encoding(table, {});
  const Matrix rows = encode(encoding.scaled, table, drawn(table.rows(), kRowsMax, random));
  const Matrix sample = some_rows(rows, drawn(rows.rows, options.rows_max, random));
  Clustering found;
  for (std::uint32_t k = 2; k <= options.clusters_max; ++k) {
    const Replication again = replication(sample, k, mix64(options.seed + k), stop);
    if (stop()) break;  // of this number not all was looked at
    found.strengths.push_back(again.strength);
    if (std::tie(again.groups, again.agreeing) > std::tie(found.again.groups, found.again.agreeing))
      found.again = again;
  }
  found.found = found.again.groups > 1;
  Partition part = k_means(rows, found.again.groups, kStarts, mix64(options.seed), stop);
  found.model.inputs = encoding.scaled;
  found.model.clusters = part.clusters;
  found.model.centroids = std::move(part.centroids);

  std::vector<std::uint32_t> all(table.rows()), of_row;
  std::iota(all.begin(), all.end(), 0U);
  const Matrix every = encode(encoding.scaled, table, all);
  found.clusters.resize(found.model.clusters);
  for (std::size_t i = 0; i < every.rows; ++i) {
    of_row.push_back(nearest(every.row(i), found.model.centroids).cluster);
    ++found.clusters[of_row.back()].rows;
  }
  const Describer describer(table, of_row);
  for (std::uint32_t c = 0; c < found.model.clusters; ++c)
    found.clusters[c].words = describer.words(c);
  return found;
}

}  // namespace liminal::learn
