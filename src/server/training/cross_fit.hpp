#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/learn/registered.hpp"
#include "core/learn/table.hpp"
#include "core/models/model.hpp"
#include "server/training/held_out.hpp"

namespace liminal::training {

/// Makes the chosen model of some rows of a table.
using MakeOf = std::function<learn::Asked<models::Predictor>(std::span<const std::uint32_t> rows)>;

/// How far the mean probability of a model that was fitted to all rows is off, which no row is left
/// to judge: the same is fitted to the rows of two thirds of the users (of the rows, where users
/// are not known), three times, and each says of the third that it has not seen what came in the
/// time of those that judge (`HeldOut::test`, `between`).
struct CrossFit {
  double off = 0;    ///< Σp/Σy − 1
  double shift = 0;  ///< of margins, which makes that 0; at most 6 either way
};

/// Nothing where fewer than 20 of those rows are positive, where a third leaves fewer than 20 rows
/// of a class to fit to, where one of them cannot be made, or where margins are no numbers. `all`
/// and its labels are those of classes.
///
/// Deviation: each fit lacks a third of the rows, so that it is a little less sharp than what
/// answers.
///
/// Source: cross-fitting as Chernozhukov et al. 2018, definition 3.1; the prior as `shift_prior`.
[[nodiscard]] std::optional<CrossFit> cross_fit(const learn::Table& all,
                                                const HeldOut& held_out,
                                                std::uint64_t seed,
                                                const MakeOf& make);

/// A model as it answers.
struct FittedAgain {
  models::Predictor predictor;
  std::optional<CrossFit> cross;  ///< by which it was shifted
};

/// Makes a model of all rows, and shifts that of classes by a cross-fit as far as there is time for
/// it: `in_time` says whether there are so many seconds left. Fails where the model cannot be made.
[[nodiscard]] learn::Asked<FittedAgain> fit_again(const learn::Table& all,
                                                  const HeldOut& held_out,
                                                  std::uint64_t seed,
                                                  bool classes,
                                                  const MakeOf& make,
                                                  const std::function<bool(double)>& in_time);

/// Writes into a model's facts by what it was shifted.
void remember(const CrossFit& cross, models::Metadata& shifted);
/// What a report says of such facts; empty without.
[[nodiscard]] std::string cross_fit_in_words(const models::Metadata& model);
/// By what a model's margins were shifted; 0 where they were not.
[[nodiscard]] double cross_fit_shift(const models::Metadata& model);

}  // namespace liminal::training
