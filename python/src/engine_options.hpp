#pragma once

#include <string_view>

#include "convert.hpp"
#include "core/engine/options.hpp"

namespace liminal::python {

/// The engine's options from what Python gives; ValueError names what is wrong. `mode` is that of
/// every limit, rule and statistic that does not say its own.
[[nodiscard]] engine::Options engine_options(std::string_view profile,
                                             std::string_view mode,
                                             nb::handle detection_rules);

}  // namespace liminal::python
