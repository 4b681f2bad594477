#pragma once

#include <optional>
#include <span>
#include <vector>

#include "core/learn/outcome.hpp"
#include "core/learn/table.hpp"
#include "server/training/held_out.hpp"

namespace liminal::training {

/// The rows of a training by what they do.
struct PriorRows {
  const learn::Table& all;  ///< that came
  const HeldOut& held_out;
  std::span<const double> margins;    ///< that the model gives to `held_out.between`
  std::span<const float> calibrated;  ///< labels of those by which the search calibrated
  const learn::Table& searched;       ///< that it was given
  const learn::Table& injected;       ///< that are never held out
};

/// Lets probabilities count with how often a row is positive where the rows come from that judge.
/// The search calibrates with the share of the rows that it calibrates on: of what is learnt from,
/// which ends in the middle of the positive rows' times, and where these are few with injected
/// abuse among it. The share that counts is that of the rows in between (`HeldOut::between`), of
/// which neither model nor verdict knows anything else; with fewer than 20 positives among them, of
/// the rows that were learnt from, without what was injected.
///
/// `trained.predictor`, which has seen none of the rows in between, is shifted so that its mean
/// probability among them is the share there, by 6 at most: rows of either kind may look otherwise
/// than before. Where they do not say how often, or its margins are not known and finite, it is
/// shifted by the difference of the log odds, which is the same while they look as before.
///
/// `trained.recipes` are always shifted by the difference of the log odds, less what the margins
/// move by themselves when the model is made again of all rows: what rows in between look like such
/// a model learns from them, and would be corrected for twice. Its mean is for `cross_fit` to tell.
///
/// Deviation: rows in between are of users that were learnt from, those that judge of others. A
/// model that knows users by heart has its mean corrected for the wrong ones.
/// A half row of either kind is added, so that a share is never 0 or 1.
///
/// Source: prior correction, King and Zeng 2001, section 4.1.
void shift_prior(const PriorRows& rows, learn::Trained& trained);

/// Positive rows from which on the mean of what is said of them is believed.
inline constexpr double kPositivesToShift = 20;

/// What is to be added to margins so that their mean probability is `share`, as far as 6; nothing
/// where there are none or one is not finite.
[[nodiscard]] std::optional<double> shift_to(std::span<const double> margins, double share);

/// Adds to the margin of what a search makes.
void add_to_margin(models::Predictor& predictor, double shift);

/// The margins of a model of classes for some rows of a table; none when it cannot be computed.
[[nodiscard]] std::vector<double> margins_of(const models::Predictor& predictor,
                                             const learn::Table& table,
                                             std::span<const std::uint32_t> rows);

}  // namespace liminal::training
