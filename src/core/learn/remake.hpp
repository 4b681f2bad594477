#pragma once

#include "core/learn/outcome.hpp"
#include "core/learn/table.hpp"

namespace liminal::learn {

/// What a search of this table would fit to when it left nothing out: set 0 is every row. `table`
/// must be valid and labelled.
[[nodiscard]] Material material_of_all(Table table, const Loss& loss, const SearchOptions& options);

/// Makes a model again of all rows: every member is fitted as its recipe says, with the weights and
/// the calibration that were found where rows could judge them. Nothing judges the result; the
/// figures that it goes by are those of the model that was judged. The same rows and seed give the
/// same model. `kUnavailable` when it was stopped.
///
/// Cost: one fit a member.
[[nodiscard]] Result<models::Predictor> remake(const Material& all,
                                               const Recipes& recipes,
                                               std::uint64_t seed,
                                               const Fitter& fitter,
                                               const Stop& stop);

}  // namespace liminal::learn
