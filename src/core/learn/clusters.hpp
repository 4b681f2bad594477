#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/learn/fit.hpp"
#include "core/learn/table.hpp"
#include "core/models/model.hpp"

namespace liminal::learn {

/// k-means of rows: centroids, row-major, and each row's centroid. The best of `starts` starts by
/// greedy k-means++ (of 2 + ln k rows drawn the one that leaves least), at most 100 steps each; a
/// centroid without rows moves to the row that is farthest from its own. Fewer rows than k: as many
/// centroids as rows. Deterministic for a seed. `stop` is asked after each step whether to end
/// where the centroids are. Cost: rows · k · columns a step.
///
/// Source: Lloyd 1982; Arthur, Vassilvitskii 2007.
struct Partition {
  std::uint32_t clusters = 0;
  std::vector<float> centroids;
  std::vector<std::uint32_t> of_row;
  double squares = 0;  ///< Σ of squared distances to the own centroid
};
[[nodiscard]] Partition k_means(
    const Matrix& x, std::uint32_t k, std::uint32_t starts, std::uint64_t seed, const Stop& stop);

/// What halves of the rows say of each other's k clusters, over three half-splits.
struct Replication {
  /// How well clusters of one half foretell which rows of the other belong together: the worst
  /// cluster's share of pairs, the mean of the splits. 1 for k = 1, 0 where none was looked at.
  ///
  /// Source: Tibshirani, Walther 2005, equation 2.1.
  double strength = 1;
  /// How many groups of one half are found again in the other, the median over splits and halves: k
  /// at most. Clusters of both halves are linked that share .15 of a cluster's rows, and clusters
  /// of one half between which the other half's rows have no valley: along the line from centroid
  /// to centroid they are not rarer in the middle than at the end that has fewer, by a tenth and by
  /// their standard error. What hangs together is one group; one of fewer than five rows is none.
  ///
  /// So what k cuts in two counts once: either the other half cuts it elsewhere, or the cut runs
  /// where rows are densest, as that through a group which is long in one direction, of which both
  /// halves agree. And one pair that overlaps does not hide nine others. Measured in
  /// bench/clustering.
  std::uint32_t groups = 1;
  std::uint32_t halves = 0;    ///< of how many it is told: two a split
  std::uint32_t agreeing = 0;  ///< of these have so many groups, or more
};
/// Stopped, it tells of the splits that were done.
[[nodiscard]] Replication replication(const Matrix& x,
                                      std::uint32_t k,
                                      std::uint64_t seed,
                                      const Stop& stop);

struct Cluster {
  std::size_t rows = 0;
  std::string words;  ///< what sets it apart: "high messages_per_minute (mean 42, all 3)"
};

struct Clustering {
  models::KMeans model;
  std::vector<Cluster> clusters;
  std::vector<double> strengths;  ///< for k = 2, 3, …, as far as was looked
  Replication again;              ///< of the number of clusters looked for that told how many
  bool found = false;             ///< false: nothing is found again, all is one cluster
};

struct ClusterOptions {
  std::uint32_t clusters_max = 15;
  std::size_t rows_max = 5000;  ///< of the sample that decides how many clusters there are
  std::uint64_t seed = 1;
};

/// As many clusters as the most groups that are found again for any number of clusters looked for,
/// each in words. All rows decide where they lie (a sample of 100,000 when there are more), by
/// k-means that is told the number. Stopped, it is by the numbers that were looked at whole.
[[nodiscard]] Clustering find_clusters(const Table& table,
                                       const ClusterOptions& options,
                                       const Stop& stop);

}  // namespace liminal::learn
