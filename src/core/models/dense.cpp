#include "core/models/dense.hpp"

#include <array>
#include <limits>

#include "core/base/math.hpp"

namespace liminal::models {
namespace {

double activate(Activation activation, double x) {
  switch (activation) {
    case Activation::kIdentity:
      break;
    case Activation::kRelu:
      return x < 0 ? 0 : x;
    case Activation::kTanh:
      return 2 * logistic(2 * x) - 1;
    case Activation::kLogistic:
      return logistic(x);
  }
  return x;
}

}  // namespace

double dot(std::span<const float> a, std::span<const float> b) {
  std::array<double, 4> sums{};
  std::size_t i = 0;
  for (; i + 4 <= a.size(); i += 4) {
    for (std::size_t k = 0; k < 4; ++k)
      sums[k] += static_cast<double>(a[i + k]) * static_cast<double>(b[i + k]);
  }
  for (std::size_t k = 0; i < a.size(); ++i, ++k)
    sums[k] += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

double logistic(double x) { return 1 / (1 + exp(-x)); }

Network::Network(std::span<const Layer> layers) {
  parts_.reserve(layers.size());
  for (const Layer& layer : layers) {
    Part part{layer.rows, layer.columns, {}, layer.bias, layer.activation};
    part.weights.resize(layer.weights.size());
    for (std::size_t row = 0; row < part.rows; ++row) {
      for (std::size_t column = 0; column < part.columns; ++column)
        part.weights[column * part.rows + row] = layer.weights[row * part.columns + column];
    }
    parts_.push_back(std::move(part));
  }
}

double Network::output(std::span<const float> columns) const {
  std::array<double, kLayerRowsMax> sums;
  std::array<float, kLayerRowsMax> values;
  std::span<const float> in = columns;
  double last = 0;
  for (const Part& part : parts_) {
    for (std::size_t row = 0; row < part.rows; ++row) sums[row] = 0;
    for (std::size_t column = 0; column < part.columns; ++column) {
      const float* const weights = part.weights.data() + column * part.rows;
      const auto x = static_cast<double>(in[column]);
      for (std::size_t row = 0; row < part.rows; ++row)
        sums[row] += static_cast<double>(weights[row]) * x;
    }
    for (std::size_t row = 0; row < part.rows; ++row) {
      last = activate(part.activation, sums[row] + static_cast<double>(part.bias[row]));
      values[row] = static_cast<float>(last);
    }
    in = {values.data(), part.rows};
  }
  return last;
}

std::size_t Network::memory_bytes() const {
  std::size_t bytes = parts_.capacity() * sizeof(Part);
  for (const Part& part : parts_)
    bytes += (part.weights.capacity() + part.bias.capacity()) * sizeof(float);
  return bytes;
}

Nearest nearest(std::span<const float> centroids, std::span<const float> columns) {
  Nearest best{std::numeric_limits<double>::infinity(), 0};
  const std::size_t clusters = centroids.size() / columns.size();
  for (std::size_t cluster = 0; cluster < clusters; ++cluster) {
    const float* const centre = centroids.data() + cluster * columns.size();
    double sum = 0;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const double away = static_cast<double>(columns[i]) - static_cast<double>(centre[i]);
      sum += away * away;
    }
    if (!(sum >= best.distance)) best = {sum, static_cast<std::uint32_t>(cluster)};
  }
  best.distance = sqrt(best.distance);
  return best;
}

}  // namespace liminal::models
