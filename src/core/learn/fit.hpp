#pragma once

#include <cstdint>
#include <functional>
#include <variant>
#include <vector>

#include "core/base/result.hpp"
#include "core/learn/material.hpp"
#include "core/learn/recipe.hpp"
#include "core/models/model.hpp"

namespace liminal::learn {

/// Asked between trees whether to end now with what there is.
using Stop = std::function<bool()>;

/// One fit that a search asks for.
struct FitJob {
  std::uint64_t id = 0;
  Recipe recipe;
  std::uint32_t train = 0;                  ///< a set of the material
  std::uint32_t valid = Material::kNoRows;  ///< the set that decides when to end; none: all rounds
  std::uint32_t rounds_max = 3000;          ///< of boosting
  std::uint64_t seed = 1;
  double end_s = 0;  ///< elapsed time at which to stop with what there is; infinite when counted
};

/// A fitted model and its margins on the rows it was validated on, in the set's order.
struct Fit {
  std::variant<models::Trees, models::Linear> model;
  std::vector<float> margins;
  std::uint32_t rounds = 0;  ///< kept, up to the best one
  std::uint32_t built = 0;   ///< also those after the best one
  bool complete = true;      ///< false: stopped before it was done
};

/// Boosted trees come from outside the core.
///
/// `train` grows trees on the set `job.train`, encoded by `material.encoding.trees`, until the loss
/// on `job.valid` has not improved for max(20, 3/eta) rounds, `rounds_max`, or `stop`; it keeps the
/// rounds up to the best one. Without validation it keeps all. It fits to `material.unit_labels`,
/// and its trees and margins are in that unit: `run_fit` tells them in the labels' own. The same
/// job gives the same trees. Thread rule: one owner; threads that train at once have one each.
class Booster {
 public:
  virtual ~Booster() = default;
  [[nodiscard]] virtual Result<Fit> train(const Material& material,
                                          const FitJob& job,
                                          const BoosterRecipe& recipe,
                                          const Stop& stop) = 0;
};

/// Carries out a job. `kUnavailable` when it was stopped before anything could be kept,
/// `kOutOfRange` for a recipe beyond its bounds.
[[nodiscard]] Result<Fit> run_fit(const Material& material,
                                  const FitJob& job,
                                  Booster& booster,
                                  const Stop& stop);

/// Carries out jobs of one material for one thread, wherever that is: as `run_fit`, and with what
/// there is once `left_s` have passed (infinite: when it is done).
using Fitter = std::function<Result<Fit>(
    const Material& material, const FitJob& job, double left_s, const Stop& stop)>;

/// A margin from what a model adds up to: of forests of classes log(p/(1 − p)), else itself.
[[nodiscard]] double link_margin(models::Link link, double sum);

/// The node of a tree at which a row that is encoded already ends.
[[nodiscard]] std::uint32_t leaf_of(const models::Tree& tree, std::span<const float> row);

/// The sum (or mean) that trees give a row that is encoded already.
[[nodiscard]] double tree_sum(const models::Trees& trees, std::span<const float> row);

}  // namespace liminal::learn
