#include "core/learn/remake.hpp"

#include <limits>
#include <utility>

#include "core/learn/mixer.hpp"

namespace liminal::learn {

Result<models::Predictor> remake(const Material& all,
                                 const Recipes& recipes,
                                 std::uint64_t seed,
                                 const Fitter& fitter,
                                 const Stop& stop) {
  Mixer mixer(all);
  for (const Recipes::Member& member : recipes.members) {
    FitJob job;
    job.recipe = member.recipe;
    job.rounds_max = member.rounds;
    job.seed = seed;
    job.end_s = std::numeric_limits<double>::infinity();
    const auto fit = fitter(all, job, job.end_s, stop);
    if (!fit) return tl::unexpected(fit.error());
    // Half of a fit is not what was judged.
    if (!fit->complete) return failure(ErrorCode::kUnavailable);
    mixer.add({&*fit}, member.weight);
  }
  return std::move(mixer).finish(recipes.slope, recipes.intercept);
}

}  // namespace liminal::learn
