#include "core/learn/blend.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/check.hpp"
#include "core/base/random.hpp"

namespace liminal::learn {
namespace {

constexpr double kGainMin = 1e-5;

class Selection {
 public:
  Selection(const MarginTable& margins, std::span<const float> labels, const Measure& measure)
      : margins_(margins), labels_(labels), measure_(measure), times_(margins.size()) {}

  std::vector<double> run(std::size_t members_max, std::size_t rounds) {
    for (std::size_t round = 0; round < rounds; ++round)
      if (!add_best(members_max)) break;
    std::vector<double> weights;
    for (const double times : times_) weights.push_back(added_ > 0 ? times / added_ : 0);
    return weights;
  }

 private:
  bool add_best(std::size_t members_max) {
    const auto members = static_cast<std::size_t>(
        std::count_if(times_.begin(), times_.end(), [](double times) { return times > 0; }));
    std::size_t best = margins_.size();
    double best_score = score_;
    for (std::size_t j = 0; j < margins_.size(); ++j) {
      if (times_[j] == 0 && members >= members_max) continue;
      const double score = measure_(with(j), labels_);
      const double needed =
          best == margins_.size() && added_ > 0 ? best_score + gain_min() : best_score;
      if (std::isfinite(score) && (score > needed || (best == margins_.size() && added_ == 0))) {
        best = j;
        best_score = score;
      }
    }
    if (best == margins_.size()) return false;
    sum_.resize(labels_.size());
    for (std::size_t i = 0; i < sum_.size(); ++i) sum_[i] += static_cast<double>(margins_[best][i]);
    ++times_[best];
    ++added_;
    score_ = best_score;
    return true;
  }

  /// In parts of the score, which may be an error of any size.
  [[nodiscard]] double gain_min() const { return kGainMin * std::max(std::abs(score_), 1e-12); }

  std::span<const float> with(std::size_t j) {
    if (added_ == 0) return margins_[j];
    mixed_.resize(labels_.size());
    for (std::size_t i = 0; i < mixed_.size(); ++i) {
      mixed_[i] =
          static_cast<float>((sum_[i] + static_cast<double>(margins_[j][i])) / (added_ + 1));
    }
    return mixed_;
  }

  const MarginTable& margins_;
  std::span<const float> labels_;
  const Measure& measure_;
  std::vector<double> times_;
  std::vector<double> sum_;
  std::vector<float> mixed_;
  double added_ = 0;
  double score_ = -std::numeric_limits<double>::infinity();
};

}  // namespace

std::vector<double> greedy_blend(const MarginTable& margins,
                                 std::span<const float> labels,
                                 const Measure& measure,
                                 std::size_t members_max,
                                 std::size_t rounds) {
  for (const auto& column : margins) LIMINAL_CHECK(column.size() == labels.size());
  return Selection(margins, labels, measure).run(members_max, rounds);
}

std::vector<double> bagged_blend(const MarginTable& margins,
                                 std::span<const float> labels,
                                 const Measure& measure,
                                 std::size_t bags,
                                 std::uint64_t seed) {
  constexpr std::size_t kMembersMax = 4, kRounds = 6;
  Random random(seed);
  std::vector<double> weights(margins.size());
  double sum = 0;
  for (std::size_t bag = 0; bag < bags; ++bag) {
    MarginTable half(margins.size());
    std::vector<float> truth;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      if (!random.chance(.5)) continue;
      truth.push_back(labels[i]);
      for (std::size_t j = 0; j < margins.size(); ++j) half[j].push_back(margins[j][i]);
    }
    const auto found = greedy_blend(half, truth, measure, kMembersMax, kRounds);
    for (std::size_t j = 0; j < found.size(); ++j) {
      weights[j] += found[j];
      sum += found[j];
    }
  }
  if (!(sum > 0)) return greedy_blend(margins, labels, measure, kMembersMax, kRounds);
  for (double& weight : weights) weight /= sum;
  return weights;
}

std::vector<float> blended(const MarginTable& margins, std::span<const double> weights) {
  LIMINAL_CHECK(margins.size() == weights.size());
  std::vector<float> result(margins.empty() ? 0 : margins.front().size());
  for (std::size_t i = 0; i < result.size(); ++i) {
    double sum = 0;
    for (std::size_t j = 0; j < margins.size(); ++j)
      sum += weights[j] * static_cast<double>(margins[j][i]);
    result[i] = static_cast<float>(sum);
  }
  return result;
}

}  // namespace liminal::learn
