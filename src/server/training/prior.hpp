#pragma once

#include "core/learn/outcome.hpp"
#include "core/learn/table.hpp"
#include "server/training/held_out.hpp"

namespace liminal::training {

/// Lets probabilities count with how often a row is positive where the rows come from that judge.
/// What is learnt from ends in the middle of the positive rows' times, and so holds another share
/// of them than what comes later. That share is taken from the rows in between
/// (`HeldOut::between`), of which neither model nor verdict knows anything else; with fewer than 20
/// positives among them nothing is changed.
///
/// `trained.predictor` is shifted by the difference of the log odds; `trained.recipes` by that less
/// what the margins move by themselves when the model is made again of all rows.
///
/// Source: prior correction, King and Zeng 2001, section 4.1.
void shift_prior(const learn::Table& table, const HeldOut& held_out, learn::Trained& trained);

}  // namespace liminal::training
