#pragma once

#include "core/base/codec.hpp"
#include "core/traffic/alert.hpp"

namespace liminal::engine {

/// Findings and alerts as snapshots and journals hold them. `load` is false, and the value then
/// means nothing, when the bytes make no sense.
void save(const traffic::Finding& finding, Writer& out);
[[nodiscard]] bool load(traffic::Finding& finding, Reader& in);
void save(const traffic::Alert& alert, Writer& out);
[[nodiscard]] bool load(traffic::Alert& alert, Reader& in);

}  // namespace liminal::engine
