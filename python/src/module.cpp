#include "bind.hpp"

NB_MODULE(_engine, module) {
  using namespace liminal::python;
  module.doc() = "Liminal's engine: the C++ core that the gateway runs.";
  module.attr("__version__") = LIMINAL_VERSION;
  bind_engine(module);
  bind_cluster(module);
  bind_service(module);
  bind_signals(module);
  bind_forecasts(module);
  bind_models(module);
  bind_replay(module);
  bind_training(module);
  bind_spread(module);
}
