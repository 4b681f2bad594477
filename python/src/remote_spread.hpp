#pragma once

#include <memory>

#include "convert.hpp"
#include "server/training/spread.hpp"

namespace liminal::python {

/// A distributed training that `place.spread(files, features, target, classes, workers,
/// sample_rows, rounds_max, budget_s, seed)` of Python begins (liminal/_spread.py). The object that
/// it gives has `sample(stopped, tell)`, `grow(parting, stopped, tell)` and `end()`; they raise
/// ValueError for what is wrong with the files, LookupError for what is not there or has no room,
/// and give None once `stopped()`. Called without the interpreter. Nothing is begun before the
/// first of them.
[[nodiscard]] std::unique_ptr<training::Spread> begin_remote_spread(
    const nb::object& place, const training::SpreadWish& wish);

}  // namespace liminal::python
