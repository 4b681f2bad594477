#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/learn/fit.hpp"
#include "core/learn/table.hpp"
#include "core/models/model.hpp"

namespace liminal::learn {

/// k-means of rows: centroids, row-major, and each row's centroid. The best of `starts` starts by
/// k-means++, at most 100 steps each; a centroid without rows moves to the row that is farthest
/// from its own. Fewer rows than k: as many centroids as rows. Deterministic for a seed. Cost: rows
/// · k · columns a step.
///
/// Source: Lloyd 1982; Arthur, Vassilvitskii 2007.
struct Partition {
  std::uint32_t clusters = 0;
  std::vector<float> centroids;
  std::vector<std::uint32_t> of_row;
  double squares = 0;  ///< Σ of squared distances to the own centroid
};
[[nodiscard]] Partition k_means(const Matrix& x,
                                std::uint32_t k,
                                std::uint32_t starts,
                                std::uint64_t seed);

/// How well clusters of one half of the rows foretell which rows of the other half belong together:
/// the worst cluster's share of pairs, mean of three half-splits. 1 for k = 1.
///
/// Source: Tibshirani, Walther 2005, equation 2.1.
[[nodiscard]] double prediction_strength(const Matrix& x, std::uint32_t k, std::uint64_t seed);

struct Cluster {
  std::size_t rows = 0;
  std::string words;  ///< what sets it apart: "high messages_per_minute (mean 42, all 3)"
};

struct Clustering {
  models::KMeans model;
  std::vector<Cluster> clusters;
  std::vector<double> strengths;  ///< for k = 2, 3, …, as far as was looked
  bool found = false;             ///< false: nothing hangs together, all is one cluster
};

struct ClusterOptions {
  std::uint32_t clusters_max = 15;
  double strength_min = .8;
  std::size_t rows_max = 5000;  ///< of the sample that decides how many clusters there are
  std::uint64_t seed = 1;
};

/// The largest number of clusters whose prediction strength is above `strength_min`, else one, and
/// each in words. All rows decide where they lie (a sample of 100,000 when there are more).
[[nodiscard]] Clustering find_clusters(const Table& table,
                                       const ClusterOptions& options,
                                       const Stop& stop);

}  // namespace liminal::learn
