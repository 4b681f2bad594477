#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <tl/expected.hpp>

#include "core/base/problem.hpp"
#include "core/models/model.hpp"

namespace liminal::models {

struct Prediction {
  double score = 0;           ///< probability, value, distance or anomaly score, as the task says
  double margin = 0;          ///< before the link
  std::uint32_t cluster = 0;  ///< clustering: the nearest centroid
  friend bool operator==(const Prediction&, const Prediction&) = default;
};

/// Computes a model: its nodes and weights laid out for speed.
///
/// Rows are `features()` floats each, row-major; NaN is a missing value, infinity a very large one.
/// Guarantees: the same model and row give the same bits on every machine, compiler and CPU, alone
/// or in a batch of any size. Never allocates while predicting.
/// Thread rule: immutable; any number of threads may predict at once.
/// Cost: a tree's row about .6 ns a level (bench/models has figures). Memory: `memory_bytes`, 8
/// bytes a node.
class Evaluator {
 public:
  /// Fails with all that `validate` finds.
  [[nodiscard]] static tl::expected<Evaluator, Problems> create(const Model& model);

  Evaluator(Evaluator&&) noexcept;
  Evaluator& operator=(Evaluator&&) noexcept;
  Evaluator(const Evaluator&) = delete;
  Evaluator& operator=(const Evaluator&) = delete;
  ~Evaluator();

  [[nodiscard]] std::size_t features() const;

  /// `row` holds exactly `features()` values.
  [[nodiscard]] Prediction predict(std::span<const float> row) const;

  /// `rows` holds `out.size()` rows one after the other.
  void predict_batch(std::span<const float> rows, std::span<Prediction> out) const;

  [[nodiscard]] std::size_t memory_bytes() const;

  class Part;

 private:
  explicit Evaluator(std::unique_ptr<const Part> part);
  std::unique_ptr<const Part> part_;
};

}  // namespace liminal::models
