#include "core/learn/holdout_plan.hpp"

#include <algorithm>
#include <cmath>

#include "core/learn/blend.hpp"
#include "core/learn/portfolio.hpp"

namespace liminal::learn {
namespace {

constexpr std::size_t kPoolMax = 11;
constexpr std::size_t kBlendMax = 3;
constexpr std::size_t kBlendRounds = 12;
constexpr double kForestBudgetMin_s = 30;
constexpr std::uint32_t kForestFitsMin = 30;
constexpr std::size_t kForestRowsMax = 100'000;
constexpr double kEtaMax = .3;
constexpr double kPenalty = 10;

const BoosterRecipe& boosted(const Candidate& candidate) {
  return std::get<BoosterRecipe>(candidate.recipe);
}

/// Seconds that a fit on all rows takes: a quarter more rows, a tenth more rounds, none in vain.
double refit_s(const Attempt& attempt) {
  const double used =
      attempt.fit.built > 0 ? static_cast<double>(attempt.fit.rounds) / attempt.fit.built : 1;
  return attempt.cost_s * used * 1.25 * 1.15;
}

}  // namespace

std::vector<Request> HoldoutPlan::next(Ledger& ledger, const Spent& now) {
  while (stage_ != Stage::kDone) {
    std::vector<Request> wanted = batch(ledger, now);
    if (!wanted.empty()) return wanted;
  }
  return {};
}

std::vector<Request> HoldoutPlan::batch(Ledger& ledger, const Spent& now) {
  switch (stage_) {
    case Stage::kFirst:
      stage_ = Stage::kMiddle;
      return first(ledger);
    case Stage::kMiddle:
      stage_ = Stage::kTop;
      return middle(ledger);
    case Stage::kTop:
      stage_ = Stage::kSure;
      return top(ledger);
    case Stage::kSure:
      stage_ = Stage::kTopRest;
      return sure(ledger);
    case Stage::kTopRest:
      stage_ = Stage::kCheap;
      return top_rest(ledger, now);
    case Stage::kCheap:
      return cheap(ledger);
    case Stage::kPair:
      return pair(ledger, now);
    case Stage::kPairJudged: {
      stage_ = Stage::kPair;
      std::vector<std::size_t> whole;
      for (const std::size_t one : tried_)
        if (ledger.candidates[one].attempts[last(ledger)]) whole.push_back(one);
      search_.judge(ledger, whole);
      return {};
    }
    case Stage::kRefit:
      stage_ = Stage::kDone;
      return refit(ledger);
    case Stage::kDone:
      break;
  }
  return {};
}

std::vector<Request> HoldoutPlan::first(Ledger& ledger) {
  std::vector<BoosterRecipe> recipes = portfolio(ledger.material->loss);
  // The expensive ones last: what does not fit into the time is not missed most.
  std::stable_sort(recipes.begin(), recipes.end(), [](const auto& a, const auto& b) {
    const auto burden = [](const BoosterRecipe& r) { return (r.parallel > 1) + (r.eta < .03); };
    return burden(a) < burden(b);
  });
  const bool only = ledger.splits.size() == 1;
  std::vector<Request> wanted;
  for (const BoosterRecipe& recipe : recipes)
    wanted.push_back({ledger.add(recipe), 0, only ? .5 : .22, only ? .15 : .09});
  return wanted;
}

/// Raises the learning rate of a candidate so that its fit on the next rows ends in time.
void HoldoutPlan::hasten(Ledger& ledger, std::size_t one, std::uint32_t split) const {
  if (ledger.options.counted()) return;
  Candidate& candidate = ledger.candidates[one];
  std::uint32_t from = split;
  while (from > 0 && !candidate.attempts[from]) --from;
  if (!candidate.attempts[from]) return;
  const Attempt& seen = *candidate.attempts[from];
  const auto rows = [&](std::uint32_t s) {
    return static_cast<double>(ledger.material->set(ledger.splits[s].train).size());
  };
  const double allowed = (split == last(ledger) ? .2 : .1) * ledger.options.budget_s;
  double needed = 1.25 * seen.cost_s * rows(split) / rows(from) * seen.fit.rounds /
                  std::max<double>(seen.fit.built, 1);
  if (!seen.fit.complete && seen.fit.built <= seen.fit.rounds + 1) needed *= 2;
  if (needed <= allowed) return;
  BoosterRecipe recipe = boosted(candidate);
  recipe.eta = std::min(kEtaMax, std::max(recipe.eta, recipe.eta * needed / allowed));
  candidate.recipe = recipe;
}

std::vector<Request> HoldoutPlan::middle(Ledger& ledger) {
  if (ledger.splits.size() < 3) return {};
  auto best = ledger.ranked(0);
  best.resize(std::min<std::size_t>(best.size(), 5));
  std::vector<Request> wanted;
  for (const std::size_t one : best) {
    hasten(ledger, one, 1);
    wanted.push_back({one, 1, .42});
  }
  return wanted;
}

std::vector<Request> HoldoutPlan::top(Ledger& ledger) {
  const std::uint32_t split = last(ledger);
  if (split == 0) return {};
  finalists_ = ledger.ranked(split - 1);
  if (finalists_.empty()) finalists_ = ledger.ranked(0);
  finalists_.resize(std::min<std::size_t>(finalists_.size(), 4));
  std::vector<Request> wanted;
  for (const std::size_t one : finalists_) hasten(ledger, one, split);
  for (std::size_t i = 0; i < std::min<std::size_t>(2, finalists_.size()); ++i)
    wanted.push_back({finalists_[i], split, .72});
  return wanted;
}

/// One candidate is tried on all training rows, whatever time it takes.
std::vector<Request> HoldoutPlan::sure(const Ledger& ledger) {
  const std::uint32_t split = last(ledger);
  if (!ledger.ranked(split).empty()) return {};
  const std::size_t one = finalists_.empty() ? 0 : finalists_.front();
  Request request{one, split, std::numeric_limits<double>::infinity()};
  request.cap = .4;
  request.least = .2;
  return {request};
}

std::vector<Request> HoldoutPlan::top_rest(Ledger& ledger, const Spent& now) {
  const std::uint32_t split = last(ledger);
  std::vector<Request> wanted;
  const bool forest = ledger.options.counted() ? ledger.options.fits_max >= kForestFitsMin
                                               : ledger.options.budget_s >= kForestBudgetMin_s;
  if (forest && ledger.material->table.rows() <= kForestRowsMax) {
    Request request{ledger.add(ForestRecipe{80, 4, .6}), split, end(ledger)};
    request.cap = .15;
    wanted.push_back(request);
  }
  // Cheap to ask, should nothing else be.
  if (!ledger.options.counted() || ledger.options.fits_max >= kForestFitsMin) {
    Request request{ledger.add(LinearRecipe{kPenalty}), split, end(ledger)};
    request.cap = .1;
    wanted.push_back(request);
  }
  double longest = 0;
  for (const std::size_t one : ledger.ranked(split))
    longest = std::max(longest, ledger.candidates[one].attempts[split]->cost_s);
  if (ledger.left_s(now) - (1 - end(ledger)) * ledger.options.budget_s > .5 * longest) {
    for (const std::size_t one : finalists_)
      if (!ledger.candidates[one].attempts[split]) wanted.push_back({one, split, end(ledger)});
  }
  return wanted;
}

std::vector<Request> HoldoutPlan::cheap(Ledger& ledger) {
  const auto recipe = cheaper_.next(ledger);
  if (!recipe) {
    stage_ = Stage::kPair;
    return {};
  }
  Request request{ledger.add(*recipe), last(ledger), end(ledger)};
  request.cap = .15;
  return {request};
}

double HoldoutPlan::end(const Ledger& ledger) const {
  if (ledger.options.counted()) {
    return 1 - static_cast<double>(kBlendMax) / std::max(ledger.options.fits_max, 4U);
  }
  const std::uint32_t split = last(ledger);
  double reserve_s = 0;
  const auto ranked = ledger.ranked(split);
  for (std::size_t i = 0; i < std::min<std::size_t>(2, ranked.size()); ++i) {
    reserve_s = std::max(reserve_s, refit_s(*ledger.candidates[ranked[i]].attempts[split]));
  }
  return 1 - .03 - 1.3 * reserve_s / ledger.options.budget_s;
}

std::vector<Request> HoldoutPlan::pair(Ledger& ledger, const Spent& now) {
  const std::uint32_t split = last(ledger);
  const auto ranked = ledger.ranked(split);
  stage_ = Stage::kRefit;
  if (ranked.empty()) return {};
  if (!searching_) search_.begin(ranked.front());
  searching_ = true;
  const auto cheap = ledger.best_within_budget();
  for (std::size_t i = kPoolMax; i < ranked.size(); ++i)
    if (ranked[i] != search_.best() && ranked[i] != cheap) ledger.candidates[ranked[i]].forget();
  const Attempt& best = *ledger.candidates[search_.best()].attempts[split];
  const double end = this->end(ledger);
  const double available_s = ledger.left_s(now) - (1 - end) * ledger.options.budget_s;
  if (search_.exhausted()) return {};
  if (ledger.options.counted() ? ledger.left_fits(now) < 2 + kBlendMax
                               : available_s < 1.1 * best.cost_s)
    return {};
  if (ledger.options.stop_early) {
    const double error = ledger.standard_error(best.fit.margins, ledger.splits[split].labels);
    if (patience_.lost(now.ratio, best.score, error)) return {};
  }
  tried_ = search_.pair(ledger);
  stage_ = Stage::kPairJudged;
  std::vector<Request> wanted;
  for (const std::size_t one : tried_)
    wanted.push_back({one, split, end, 2.5 * best.cost_s / ledger.options.budget_s});
  return wanted;
}

std::vector<Request> HoldoutPlan::refit(const Ledger& ledger) {
  const Pool blend = pool(ledger);
  std::vector<std::size_t> order(blend.candidates.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) {
    return blend.weights[a] > blend.weights[b];
  });
  std::vector<Request> wanted;
  const auto want = [&](std::size_t one) {
    for (const Request& request : wanted)
      if (request.candidate == one) return;
    Request request{one, Request::kRefit, 1};
    wanted.push_back(request);
  };
  for (const std::size_t i : order) {
    const Candidate& candidate = ledger.candidates[blend.candidates[i]];
    if (blend.weights[i] > 0 && candidate.boosted()) want(blend.candidates[i]);
  }
  champion_ = ledger.best_within_budget();
  if (champion_) want(*champion_);
  return wanted;
}

Pool HoldoutPlan::pool(const Ledger& ledger) const {
  Pool pool = ledger.pool(kPoolMax, champion_);
  pool.weights = greedy_blend(pool.margins, pool.labels, ledger.measure, kBlendMax, kBlendRounds);
  return pool;
}

}  // namespace liminal::learn
