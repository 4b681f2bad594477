#pragma once

#include <span>

#include "core/base/result.hpp"
#include "core/salience/learnt.hpp"
#include "server/training/builtin.hpp"

namespace liminal::training {

inline constexpr std::string_view kSalienceRanking = "salience_ranking";

/// Ranks alerts by what operators said of earlier ones: a logistic model of the terms of an alert's
/// history, whose weights are what those terms count for.
[[nodiscard]] learn::ModelDefinition salience_ranking();

/// One row a judgement: its terms, and whether it was relevant.
[[nodiscard]] Rows ranking_rows(std::span<const salience::JudgedTerms> judged);

/// Learns weights (salience::learn_weights) on a part of the rows and judges them on the rest,
/// later and of other users, against the champion's or, without one, against the prior's: by the
/// same gate as every model, but for calibration. kConflict when there are too few judgements.
[[nodiscard]] learn::Asked<learn::TrainedModel> train_ranking(const Rows& rows,
                                                              const BuiltinOptions& options);

/// The weights that a model of that kind holds. kUnsupported for another model; kOutOfRange when a
/// weight is out of its bounds.
[[nodiscard]] Result<salience::TermWeights> weights_of(const models::Model& model);

}  // namespace liminal::training
