#include "core/models/machine.hpp"

#include <algorithm>
#include <array>

#include "core/base/math.hpp"

namespace liminal::models {
namespace {

/// Columns of a block of rows.
constexpr std::size_t kScratch = 4096;
static_assert(kScratch >= kColumnsMax);

template <class... F>
struct Overload : F... {
  using F::operator()...;
};
template <class... F>
Overload(F...) -> Overload<F...>;

}  // namespace

double clipped_logit(double p) {
  constexpr auto kLow = static_cast<double>(kProbabilityMin);
  const double clipped = std::clamp(p, kLow, 1 - kLow);
  return log(clipped / (1 - clipped));
}

Machine::Machine(const Trees& model, std::size_t features)
    : inputs_(model.inputs),
      features_(features),
      width_(inputs_.width(features)),
      part_(ForestPart{Forest(model.trees, width_),
                       static_cast<double>(model.base),
                       model.mean ? static_cast<double>(model.trees.size()) : 1.,
                       model.link == Link::kProbability}) {}

Machine::Machine(const Linear& model, std::size_t features)
    : inputs_(model.inputs),
      features_(features),
      width_(inputs_.width(features)),
      part_(LinearPart{model.weights, static_cast<double>(model.intercept)}) {}

Machine::Machine(const Mlp& model, std::size_t features)
    : inputs_(model.inputs),
      features_(features),
      width_(inputs_.width(features)),
      part_(Network(model.layers)) {}

Machine::Machine(const KMeans& model, std::size_t features)
    : inputs_(model.inputs),
      features_(features),
      width_(inputs_.width(features)),
      part_(CentroidPart{model.centroids}) {}

Machine::Machine(const IsolationForest& model, std::size_t features)
    : inputs_(model.inputs),
      features_(features),
      width_(inputs_.width(features)),
      part_(
          ForestPart{Forest(model.trees, width_),
                     0.,
                     -static_cast<double>(model.trees.size()) * static_cast<double>(model.expected),
                     false}) {}

double Machine::ForestPart::margin(double sum) const {
  const double total = base + sum / divisor;
  return probability ? clipped_logit(total) : total;
}

void Machine::ForestPart::margins(std::span<const float> columns, std::span<double> out) const {
  forest.sums(columns, out);
  for (double& value : out) value = margin(value);
}

std::size_t Machine::rows_max() const {
  const std::size_t made = std::clamp(kScratch / width_, std::size_t{1}, kRowsMax);
  const auto* const part = std::get_if<ForestPart>(&part_);
  return part == nullptr ? made : std::min(made, part->forest.rows_max());
}

double Machine::margin(std::span<const float> columns) const {
  return std::visit(
      Overload{[&](const ForestPart& part) {
                 double value = 0;
                 part.margins(columns, {&value, 1});
                 return value;
               },
               [&](const LinearPart& part) { return part.intercept + dot(part.weights, columns); },
               [&](const Network& part) { return part.output(columns); },
               [&](const CentroidPart& part) { return nearest(part.centroids, columns).distance; }},
      part_);
}

void Machine::margins(std::span<const float> rows,
                      std::span<double> out,
                      std::span<std::uint32_t> clusters) const {
  std::array<float, kScratch> made;
  std::span<const float> columns = rows;
  if (!inputs_.columns.empty()) {
    for (std::size_t i = 0; i < out.size(); ++i) {
      apply(inputs_,
            rows.subspan(i * features_, features_),
            std::span(made).subspan(i * width_, width_));
    }
    columns = std::span(made).first(out.size() * width_);
  }
  if (const auto* const forest = std::get_if<ForestPart>(&part_)) {
    forest->margins(columns, out);
    return;
  }
  const auto* const centroids = std::get_if<CentroidPart>(&part_);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto row = columns.subspan(i * width_, width_);
    if (centroids == nullptr) {
      out[i] = margin(row);
      continue;
    }
    const Nearest found = nearest(centroids->centroids, row);
    out[i] = found.distance;
    clusters[i] = found.cluster;
  }
}

std::size_t Machine::memory_bytes() const {
  std::size_t codes = 0;
  for (const Column& column : inputs_.columns) codes += column.codes.capacity() * sizeof(Code);
  return inputs_.columns.capacity() * sizeof(Column) + codes +
         std::visit(Overload{[](const ForestPart& part) { return part.forest.memory_bytes(); },
                             [](const LinearPart& part) {
                               return part.weights.capacity() * sizeof(float);
                             },
                             [](const Network& part) { return part.memory_bytes(); },
                             [](const CentroidPart& part) {
                               return part.centroids.capacity() * sizeof(float);
                             }},
                    part_);
}

}  // namespace liminal::models
