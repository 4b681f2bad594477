#pragma once

#include <optional>
#include <string>

#include "core/learn/registered.hpp"

namespace liminal::registry {

/// Options of an experiment as they are kept, in JSON, and read again; nothing when they are not
/// valid.
[[nodiscard]] std::string options_json(const learn::ExperimentOptions& options);
[[nodiscard]] std::optional<learn::ExperimentOptions> options_of(const std::string& text);

/// A decision in words.
[[nodiscard]] learn::ExperimentView::Decision decision_of(const learn::Experiment& experiment,
                                                          const learn::ExperimentDecision& made);

[[nodiscard]] std::optional<double> finite_or_none(double value);

}  // namespace liminal::registry
