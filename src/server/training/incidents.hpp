#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/learn/registered.hpp"
#include "core/traffic/alert.hpp"
#include "core/traffic/record.hpp"

namespace liminal::training {

/// Takes out the rows that alerts spoilt which a person confirmed; gives how many.
///
/// Of a model of classes these are rows from the alert's address within its span, of other users of
/// whom no alert says anything: they may be the same hand, and "ordinary" would be a wrong label.
/// Of another model all rows of the alert's user within its span.
std::size_t leave_out_incidents(const learn::ModelDefinition& definition,
                                std::vector<traffic::FeatureRow>& rows,
                                std::span<const traffic::Alert> alerts);

/// Minutes that overlap the span of a confirmed alert; gives how many.
std::size_t leave_out_incidents(std::vector<learn::MinuteTotal>& minutes,
                                std::span<const traffic::Alert> alerts);

}  // namespace liminal::training
