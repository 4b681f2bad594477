#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/base/problem.hpp"
#include "core/salience/ranker.hpp"

namespace liminal::salience {

/// The terms of an item's history as numbers, in the order of `kTermNames`.
inline constexpr std::size_t kTerms = 6;
inline constexpr std::array<std::string_view, kTerms> kTermNames{
    "rarity", "type_rarity", "neighbourhood", "surprise", "breadth", "feedback"};
using TermValues = std::array<double, kTerms>;
[[nodiscard]] TermValues values_of(const Terms& terms);

/// What each term counts for. With ones a judgement is that of `Ranker` alone; with others it stays
/// additive: the weighted terms and the offset add up to x, and each is a line of the explanation.
struct TermWeights {
  TermValues of{1, 1, 1, 1, 1, 1};  ///< 0 to `kWeightMax` each
  double offset = 0;

  /// The terms as they count.
  [[nodiscard]] Terms weighted(const Terms& terms) const;
  [[nodiscard]] bool is_prior() const { return *this == TermWeights{}; }
  friend bool operator==(const TermWeights&, const TermWeights&) = default;
};
inline constexpr double kWeightMax = 4;
/// A judgement by history has the log-odds (x − kNeutral)/kScale.
inline constexpr double kNeutral = 13, kScale = 3;
/// Finite, and within their bounds.
[[nodiscard]] Problems validate(const TermWeights& weights);

/// An item that somebody judged, with its terms from before that.
struct JudgedTerms {
  TermValues terms{};
  bool relevant = false;
  std::uint64_t source = 0;  ///< hash; who is learnt from is not tested on
  SteadyTime time{};         ///< of the item
};

struct WeightLearning {
  /// How many judgements of the scarcer kind the ones weigh as: few judgements move little.
  double prior_judgements = 10;
  std::uint32_t pairs_max = 20'000;
};

/// Learns what terms count for from judgements: weights under which relevant items lie above
/// irrelevant ones. The ones when there is nothing of either kind.
///
/// Pairwise logistic loss of (relevant, irrelevant) over the scale of x, mean over at most
/// `pairs_max` pairs, plus ½ · `prior_judgements` / judgements of the scarcer kind · |w − 1|²;
/// minimised by coordinate-wise Newton steps, clamped to 0…`kWeightMax` (no term turns against its
/// meaning). The offset keeps the judged items' mean x, so that scores keep their level.
///
/// Guarantees: deterministic, the same bits everywhere. Cost: some 50 ms at `pairs_max`.
/// Source: Joachims, "Optimizing search engines using clickthrough data" (2002), with the logistic
/// in place of the hinge loss.
[[nodiscard]] TermWeights learn_weights(std::span<const JudgedTerms> judged,
                                        const WeightLearning& options = {});

}  // namespace liminal::salience
