#pragma once

#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "core/models/dense.hpp"
#include "core/models/forest.hpp"
#include "core/models/model.hpp"

namespace liminal::models {

/// log(p/(1 − p)) of a probability clipped as `Link::kProbability` says.
[[nodiscard]] double clipped_logit(double p);

/// One model's margins: everything but blends, laid out to be computed. The model must be valid.
class Machine {
 public:
  /// Rows are computed in blocks of so many at most.
  static constexpr std::size_t kRowsMax = Forest::kRowsMax;

  Machine(const Trees& model, std::size_t features);
  Machine(const Linear& model, std::size_t features);
  Machine(const Mlp& model, std::size_t features);
  Machine(const KMeans& model, std::size_t features);
  Machine(const IsolationForest& model, std::size_t features);

  /// Rows that fit the scratch memory of `margins` at once, 1 to `kRowsMax`.
  [[nodiscard]] std::size_t rows_max() const;

  /// Margins of at most `rows_max()` rows; for centroids also which is the nearest.
  void margins(std::span<const float> rows,
               std::span<double> out,
               std::span<std::uint32_t> clusters) const;

  /// The same of one row whose columns are made already.
  [[nodiscard]] double margin(std::span<const float> columns) const;

  [[nodiscard]] const Inputs& inputs() const { return inputs_; }
  [[nodiscard]] std::size_t width() const { return width_; }
  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  struct ForestPart {
    Forest forest;
    double base = 0;
    double divisor = 1;  ///< of the sum of the leaves
    bool probability = false;

    [[nodiscard]] double margin(double sum) const;
    void margins(std::span<const float> columns, std::span<double> out) const;
  };
  struct LinearPart {
    std::vector<float> weights;
    double intercept = 0;
  };
  struct CentroidPart {
    std::vector<float> centroids;
  };

  Inputs inputs_;
  std::size_t features_ = 0;
  std::size_t width_ = 0;
  std::variant<ForestPart, LinearPart, Network, CentroidPart> part_;
};

}  // namespace liminal::models
