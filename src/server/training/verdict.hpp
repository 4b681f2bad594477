#pragma once

#include <span>

#include "core/learn/cost.hpp"
#include "core/learn/fit.hpp"
#include "server/training/builtin.hpp"

namespace liminal::training {

/// What a model's answers on the rows that judge say of it: figures, what people judged apart, the
/// comparison with the champion, and the gate's decision. `test` are the rows of `held_out.test`,
/// `said` is one a row, `cost` as it was measured. Everything given must outlive the report.
/// Stopped (`stop`), values are shown no better.
[[nodiscard]] RunReport verdict_on(std::span<const float> said,
                                   const learn::Cost& cost,
                                   const BuiltinOptions& options,
                                   const learn::Loss& loss,
                                   const Rows& rows,
                                   const HeldOut& held_out,
                                   const learn::Table& test,
                                   const learn::Stop& stop);

}  // namespace liminal::training
