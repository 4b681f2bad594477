#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/learn/fit.hpp"
#include "core/learn/table.hpp"
#include "core/models/model.hpp"

namespace liminal::learn {

struct IsolationRecipe {
  std::uint32_t trees = 100;
  std::uint32_t sample = 256;  ///< rows of each tree
};

/// Grows an isolation forest: in each tree a random column is cut at a random place between its
/// lowest and highest value, until a row is alone or log₂ of the sample is reached. Columns must be
/// finite (`Encoding::filled`). Its inputs are left empty. Deterministic for a seed.
/// Cost: about 20 µs a tree of 256 rows, whatever the number of rows.
///
/// Source: Liu, Ting, Zhou, "Isolation Forest", ICDM 2008, algorithms 1 and 2.
[[nodiscard]] models::IsolationForest grow_isolation_forest(const Matrix& x,
                                                            const IsolationRecipe& recipe,
                                                            std::uint64_t seed,
                                                            const Stop& stop);

/// How far each feature of a row lies from what is usual: z of the median and the median deviation.
/// The sum of log(1 + z²) ranks rows nearly as well as a forest does, and its terms say why.
class RobustDistance {
 public:
  /// Learns medians and deviations; missing values take no part. Categories count by how rare their
  /// level is: z² = −ln of its share, against the most frequent one.
  [[nodiscard]] static RobustDistance learn(const Table& table);

  /// log(1 + z²) of each feature; 0 where it is missing.
  [[nodiscard]] std::vector<double> terms(std::span<const float> row) const;
  [[nodiscard]] double sum(std::span<const float> row) const;

 private:
  struct Usual {
    double median = 0, scale = 1;
    std::vector<double> squares;  ///< z² of each level of a category
  };
  std::vector<Usual> usual_;
};

/// A forest for a table, and the score from which on `alert_ratio` of its rows lie.
struct AnomalyModel {
  models::IsolationForest forest;
  std::vector<float> scores;  ///< of the rows, by the forest: 0–1
  float line = .5F;
  RobustDistance distance;
};
[[nodiscard]] AnomalyModel find_anomalies(const Table& table,
                                          double alert_ratio,
                                          std::uint64_t seed,
                                          const Stop& stop);

}  // namespace liminal::learn
