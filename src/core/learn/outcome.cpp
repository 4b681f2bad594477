#include "core/learn/outcome.hpp"

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "core/base/math.hpp"
#include "core/learn/metrics.hpp"
#include "core/learn/mixer.hpp"
#include "core/learn/paired.hpp"
#include "core/models/evaluator.hpp"

namespace liminal::learn {
namespace {

constexpr double kLeast = .005;
constexpr double kCoverages[] = {.8, .9, .95};

/// The fit on all rows if there is one, else the fits on the splits that count.
std::vector<const Fit*> fits_of(const Candidate& candidate, bool prefer_refit) {
  if (prefer_refit && candidate.refit) return {&candidate.refit->fit};
  std::vector<const Fit*> fits;
  for (const auto& attempt : candidate.attempts) {
    if (!attempt) continue;
    if (candidate.rungs) fits.clear();
    fits.push_back(&attempt->fit);
  }
  return fits;
}

/// Calibrates margins by those very rows and says what comes out of it.
struct Calibrated {
  Platt platt;
  std::vector<float> scores;
};

Calibrated calibrated(const std::vector<float>& margins,
                      const std::vector<float>& labels,
                      const Loss& loss) {
  if (!loss.classes()) return {{}, margins};
  Calibrated result{fit_platt(margins, labels), {}};
  for (const float margin : margins)
    result.scores.push_back(
        static_cast<float>(result.platt.probability(static_cast<double>(margin))));
  return result;
}

Trained trained(Mixer mixer, Recipes recipes, Calibrated calibrated) {
  Trained model;
  recipes.slope = calibrated.platt.slope;
  recipes.intercept = calibrated.platt.intercept;
  model.recipes = std::move(recipes);
  model.predictor = std::move(mixer).finish(calibrated.platt.slope, calibrated.platt.intercept);
  model.cost = cost_of(model.predictor);
  model.scores = std::move(calibrated.scores);
  return model;
}

Trained blend(const Ledger& ledger, const Pool& pool) {
  Mixer mixer(*ledger.material);
  Recipes recipes;
  for (std::size_t j = 0; j < pool.candidates.size(); ++j) {
    if (!(pool.weights[j] > 0)) continue;
    const Candidate& candidate = ledger.candidates[pool.candidates[j]];
    mixer.add(fits_of(candidate, ledger.rungs), pool.weights[j]);
    recipes.members.push_back({candidate.recipe, candidate.refit_rounds(), pool.weights[j]});
  }
  return trained(
      std::move(mixer),
      std::move(recipes),
      calibrated(blended(pool.margins, pool.weights), pool.labels, ledger.material->loss));
}

Trained single(const Ledger& ledger, const Pool& pool, std::size_t which) {
  Mixer mixer(*ledger.material);
  const Candidate& candidate = ledger.candidates[pool.candidates[which]];
  auto fits = fits_of(candidate, true);
  fits.resize(1);
  mixer.add(fits, 1);
  return trained(std::move(mixer),
                 Recipes{{{candidate.recipe, candidate.refit_rounds(), 1}}},
                 calibrated(pool.margins[which], pool.labels, ledger.material->loss));
}

/// What the model itself answers, as it will be asked later.
Result<std::vector<float>> answers(const models::Predictor& predictor,
                                   const Material& material,
                                   const std::vector<std::uint32_t>& rows) {
  models::Model model;
  model.metadata.name = "judged";
  model.metadata.task =
      material.loss.classes() ? models::Task::kClassification : models::Task::kRegression;
  for (const Feature& feature : material.table.features)
    model.metadata.features.push_back({feature.name, feature.unit});
  model.predictor = predictor;
  const auto evaluator = models::Evaluator::create(model);
  if (!evaluator) return failure(ErrorCode::kUnsupported);
  std::vector<float> said;
  said.reserve(rows.size());
  for (const std::uint32_t row : rows)
    said.push_back(static_cast<float>(evaluator->predict(material.table.row(row)).score));
  return said;
}

/// The places among the outcome's rows of users that the search never saw.
std::vector<std::size_t> unseen(const Ledger& ledger, const std::vector<std::uint32_t>& rows) {
  std::vector<std::size_t> places;
  const auto& groups = ledger.material->table.groups;
  if (groups.empty() || ledger.fresh.empty()) return places;
  std::unordered_set<std::uint64_t> seen;
  for (const std::uint32_t row : ledger.material->set(ledger.all)) seen.insert(groups[row]);
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (!seen.contains(groups[rows[i]])) places.push_back(i);
  return places;
}

std::vector<float> at(const std::vector<float>& values, const std::vector<std::size_t>& places) {
  std::vector<float> found;
  for (const std::size_t place : places) found.push_back(values[place]);
  return found;
}

/// Judges a model on the outcome's rows: by what it answers on fresh ones, else by what its fits
/// said in validation.
Result<Trained> judged(Trained model, const Ledger& ledger, const Outcome& outcome) {
  const Loss& loss = ledger.material->loss;
  if (outcome.fresh) {
    auto said = answers(model.predictor, *ledger.material, outcome.rows);
    if (!said) return tl::unexpected(said.error());
    model.scores = std::move(*said);
  }
  model.figures = figures_of(model.scores, outcome.labels, loss);
  const auto places = unseen(ledger, outcome.rows);
  model.unseen_figures = figures_of(at(model.scores, places), at(outcome.labels, places), loss);
  if (loss.classes() || loss.lopsided()) return model;
  for (const double coverage : kCoverages)
    model.intervals.emplace_back(coverage,
                                 conformal_half_width(model.scores, outcome.labels, coverage));
  return model;
}

void choose_rows(const Ledger& ledger, const Pool& pool, Outcome& outcome) {
  outcome.fresh = !ledger.fresh.empty();
  outcome.rows = outcome.fresh ? ledger.fresh : pool.rows;
  for (const std::uint32_t row : outcome.rows)
    outcome.labels.push_back(ledger.material->table.labels[row]);
  outcome.unseen_rows = unseen(ledger, outcome.rows).size();
}

/// Between the blend and the best single model: two models as alike as a champion and its
/// challenger are.
double positives_to_tell(const Ledger& ledger, const Pool& pool) {
  if (pool.margins.empty()) return 0;
  const auto mixed = blended(pool.margins, pool.weights);
  if (mixed == pool.margins.front()) return 0;
  std::vector<std::uint64_t> users;
  const auto& groups = ledger.material->table.groups;
  if (!groups.empty())
    for (const std::uint32_t row : pool.rows) users.push_back(groups[row]);
  const PairedAuc test = delong(pool.margins.front(), mixed, pool.labels, users);
  return test.variance > 0 ? positives_needed(test, kLeast) : 0;
}

}  // namespace

Figures figures_of(std::span<const float> scores, std::span<const float> labels, const Loss& loss) {
  Figures figures = kNoFigures;
  if (!loss.classes()) {
    figures.mae = mean_absolute_error(scores, labels);
    figures.rmse = root_mean_square_error(scores, labels);
    figures.pinball = pinball(scores, labels, loss.level);
    figures.at_or_below = share_at_or_below(scores, labels);
    return figures;
  }
  figures.roc_auc = roc_auc(scores, labels);
  figures.pr_auc = average_precision(scores, labels);
  figures.brier = brier(scores, labels);
  figures.log_loss = log_loss(scores, labels);
  figures.recall_at_alerts = recall_at(scores, labels, kAlertRatio);
  figures.calibration_error = calibration_error(scores, labels);
  return figures;
}

Result<Outcome> assemble(const Ledger& ledger,
                         const Pool& pool,
                         std::optional<std::size_t> champion,
                         const Cost& budget) {
  double sum = 0;
  for (const double weight : pool.weights) sum += weight;
  if (!(sum > 0)) return failure(ErrorCode::kUnavailable);
  Outcome outcome;
  choose_rows(ledger, pool, outcome);
  auto best = judged(blend(ledger, pool), ledger, outcome);
  if (!best) return tl::unexpected(best.error());
  outcome.best = std::move(*best);
  outcome.best_is_champion = outcome.best.cost.within(budget);
  outcome.leaderboard = leaderboard_of(ledger);
  for (LeaderboardLine& line : outcome.leaderboard) {
    const auto place = std::find(pool.candidates.begin(), pool.candidates.end(), line.candidate);
    if (place != pool.candidates.end())
      line.weight = pool.weights[static_cast<std::size_t>(place - pool.candidates.begin())];
    line.champion = !outcome.best_is_champion && champion == line.candidate;
  }
  if (outcome.best_is_champion) {
    outcome.champion = outcome.best;
  } else if (champion) {
    const auto place = std::find(pool.candidates.begin(), pool.candidates.end(), *champion);
    if (place != pool.candidates.end()) {
      const auto which = static_cast<std::size_t>(place - pool.candidates.begin());
      auto found = judged(single(ledger, pool, which), ledger, outcome);
      if (!found) return tl::unexpected(found.error());
      outcome.champion = std::move(*found);
    }
  }
  if (ledger.material->loss.classes()) outcome.positives_needed = positives_to_tell(ledger, pool);
  return outcome;
}

std::vector<LeaderboardLine> leaderboard_of(const Ledger& ledger) {
  std::vector<LeaderboardLine> lines;
  for (std::size_t i = 0; i < ledger.candidates.size(); ++i) {
    const Candidate& candidate = ledger.candidates[i];
    if (candidate.count() == 0) continue;
    LeaderboardLine line;
    line.candidate = i;
    line.recipe = in_words(candidate.recipe);
    line.score = candidate.score();
    line.fits = static_cast<std::uint32_t>(candidate.count());
    line.rounds = candidate.refit_rounds();
    line.cost_s = candidate.cost_s();
    line.cost = candidate.cost();
    lines.push_back(std::move(line));
  }
  std::stable_sort(lines.begin(), lines.end(), [](const auto& a, const auto& b) {
    return a.fits != b.fits ? a.fits > b.fits : a.score > b.score;
  });
  return lines;
}

}  // namespace liminal::learn
