#pragma once

#include <functional>
#include <string_view>

#include "core/learn/fit.hpp"
#include "core/learn/search.hpp"

namespace liminal::training {

/// What the fits of a search are made of before it is prepared: its material follows from this
/// alone, to the bit, on every machine. Valid while what it refers to is.
struct FitSource {
  const learn::Table& table;
  const learn::Loss& loss;
  const learn::SearchOptions& options;
  bool all = false;  ///< nothing is left out (`learn::material_of_all`); else a search's
};

/// Makes the fitter of one thread. Thread-safe.
using MakeFitter = std::function<learn::Fitter()>;
/// Where fits are carried out: prepares that place for those of a source.
using Fitting = std::function<MakeFitter(const FitSource& source)>;

/// What a process that is no part of a cluster says to who asks it for the trainer ray.
inline constexpr std::string_view kRayIsElsewhere =
    "ray trains where the application runs on a Ray cluster, or at a gateway that joined one "
    "(docs/scale.md), not here; builtin is always there";

/// In the thread that asks, boosted trees by XGBoost.
[[nodiscard]] Fitting fitting_here();
[[nodiscard]] MakeFitter fitters_here();

}  // namespace liminal::training
