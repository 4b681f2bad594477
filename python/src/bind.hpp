#pragma once

#include "convert.hpp"

namespace liminal::python {

// One function a subject; each adds its classes to the module.
void bind_engine(nb::module_& module);
void bind_cluster(nb::module_& module);
void bind_service(nb::module_& module);
void bind_signals(nb::module_& module);
void bind_forecasts(nb::module_& module);
void bind_models(nb::module_& module);
void bind_replay(nb::module_& module);
void bind_training(nb::module_& module);
void bind_spread(nb::module_& module);

}  // namespace liminal::python
