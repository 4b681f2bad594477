#include "server/training/fitting.hpp"

#include <memory>

#include "io/xgboost/trainer.hpp"

namespace liminal::training {

MakeFitter fitters_here() {
  return [] {
    return [booster = std::make_shared<xgboost::Trainer>()](const learn::Material& material,
                                                            const learn::FitJob& job,
                                                            double,
                                                            const learn::Stop& stop) {
      return learn::run_fit(material, job, *booster, stop);
    };
  };
}

Fitting fitting_here() {
  return [](const FitSource&) { return fitters_here(); };
}

}  // namespace liminal::training
