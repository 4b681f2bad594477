#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "core/base/random.hpp"
#include "core/learn/metrics.hpp"

namespace liminal::learn {

struct TwoScores {
  std::vector<float> a, b, y;
};

/// Two related scores with ties, both classes at least twice.
inline TwoScores made_up(std::uint64_t seed, std::size_t rows) {
  Random random(seed);
  TwoScores made;
  for (std::size_t i = 0; i < rows; ++i) {
    const bool positive = i < 2 || (i >= 4 && random.chance(.3));
    const double level = random.normal() + (positive ? 1 : 0);
    made.a.push_back(static_cast<float>(std::round(4 * (level + .3 * random.normal()))) / 4);
    made.b.push_back(static_cast<float>(std::round(4 * (level + .8 * random.normal()))) / 4);
    made.y.push_back(positive ? 1.F : 0.F);
  }
  return made;
}

inline double kernel(float positive, float negative) {
  return positive > negative ? 1 : positive == negative ? .5 : 0;
}

/// By all pairs.
inline double slow_auc(const std::vector<float>& scores, const std::vector<float>& y) {
  double sum = 0, pairs = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    for (std::size_t j = 0; j < y.size(); ++j) {
      if (!is_positive(y[i]) || is_positive(y[j])) continue;
      sum += kernel(scores[i], scores[j]);
      ++pairs;
    }
  }
  return sum / pairs;
}

}  // namespace liminal::learn
