#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/base/codec.hpp"

namespace liminal::scaling {

/// Linear regression with an L2 penalty over a stream whose past fades: the normal equations are
/// kept, `add` learns an example, `decay` lets everything so far count for less, `solve` computes
/// coefficients. The first column is the constant and is not penalised.
///
/// Guarantees: finite examples give finite coefficients (the penalty keeps the matrix positive
/// definite; when rounding takes even that, the old coefficients stay); the same examples in the
/// same order give the same bits everywhere.
/// Cost: n²/2 multiply-adds an example (zeros are skipped), n³/6 a solution. Memory: 4n² + 16n
/// bytes.
class Ridge {
 public:
  explicit Ridge(std::size_t columns);

  void add(std::span<const float> x, double y);
  void decay(double factor);
  /// `penalty` is added to each diagonal, in parts of the total weight.
  void solve(double penalty);

  [[nodiscard]] double predict(std::span<const float> x) const;
  [[nodiscard]] double weight() const { return gram_.front(); }
  [[nodiscard]] std::size_t columns() const { return moments_.size(); }
  [[nodiscard]] std::span<const double> coefficients() const { return coefficients_; }
  [[nodiscard]] std::size_t memory_bytes() const;

  void save(Writer& out) const;
  [[nodiscard]] Result<void> load(Reader& in);

 private:
  std::vector<double> gram_;     ///< lower triangle by rows
  std::vector<double> moments_;  ///< Σ x·y
  std::vector<double> coefficients_;
};

}  // namespace liminal::scaling
