#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/models/model.hpp"

namespace liminal::models {

/// Σ aᵢ·bᵢ in double, in four sums that are added at the end: the order is part of the result.
[[nodiscard]] double dot(std::span<const float> a, std::span<const float> b);

/// 1/(1 + e^−x).
[[nodiscard]] double logistic(double x);

/// A network with its weights transposed, so that a layer's outputs are summed side by side.
class Network {
 public:
  explicit Network(std::span<const Layer> layers);
  /// The last layer's output for one row of columns.
  [[nodiscard]] double output(std::span<const float> columns) const;
  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  struct Part {
    std::size_t rows = 0;
    std::size_t columns = 0;
    std::vector<float> weights;  ///< columns × rows
    std::vector<float> bias;
    Activation activation = Activation::kIdentity;
  };
  std::vector<Part> parts_;
};

struct Nearest {
  double distance = 0;
  std::uint32_t cluster = 0;
};

/// The nearest of `clusters` centroids (clusters × columns); of equally near ones the first. A
/// column that is NaN makes the distance NaN.
[[nodiscard]] Nearest nearest(std::span<const float> centroids, std::span<const float> columns);

}  // namespace liminal::models
