#include "core/learn/fold_plan.hpp"

#include <algorithm>
#include <cmath>

#include "core/learn/blend.hpp"
#include "core/learn/portfolio.hpp"

namespace liminal::learn {
namespace {

constexpr double kPenalties[] = {333, 10};
constexpr std::size_t kPoolMax = 10;
constexpr std::size_t kKept = 12;  ///< candidates whose models are kept during local search
constexpr std::size_t kBags = 8;
constexpr std::uint32_t kFitsForAll = 60;   ///< from here on every kind of model is tried
constexpr std::uint32_t kFitsForSome = 30;  ///< and from here on one of each

}  // namespace

std::vector<Request> FoldPlan::next(Ledger& ledger, const Spent& now) {
  while (stage_ != Stage::kDone) {
    std::vector<Request> wanted = batch(ledger, now);
    if (!wanted.empty()) return wanted;
  }
  return {};
}

/// What the present stage wants. Each moves on to the next.
std::vector<Request> FoldPlan::batch(Ledger& ledger, const Spent& now) {
  switch (stage_) {
    case Stage::kLinear:
      stage_ = Stage::kForest;
      return linear(ledger, now);
    case Stage::kForest:
      stage_ = Stage::kSecondForest;
      return forest(ledger, now, false);
    case Stage::kSecondForest:
      stage_ = Stage::kFirstFold;
      return forest(ledger, now, true);
    case Stage::kFirstFold:
      stage_ = Stage::kSecondFold;
      return first_fold(ledger, now);
    case Stage::kSecondFold:
      stage_ = Stage::kOtherFolds;
      return second_fold(ledger, now);
    case Stage::kOtherFolds:
      stage_ = Stage::kSure;
      return other_folds(ledger, now);
    case Stage::kSure:
      stage_ = Stage::kCheap;
      return sure(ledger);
    case Stage::kCheap:
      return cheap(ledger, now);
    case Stage::kPair:
      return pair(ledger, now);
    case Stage::kPairRest:
      stage_ = Stage::kPairJudged;
      return pair_rest(ledger);
    case Stage::kPairJudged:
      stage_ = Stage::kPair;
      judge_pair(ledger);
      return {};
    case Stage::kLeftover:
      stage_ = Stage::kRefit;
      return leftover(ledger, now);
    case Stage::kRefit:
      stage_ = Stage::kDone;
      return refit(ledger);
    case Stage::kDone:
      break;
  }
  return {};
}

std::vector<Request> FoldPlan::on_all_folds(const Ledger& ledger,
                                            std::size_t candidate,
                                            double end) {
  std::vector<Request> wanted;
  for (std::uint32_t fold = 0; fold < ledger.splits.size(); ++fold)
    wanted.push_back({candidate, fold, end});
  return wanted;
}

/// Boosted candidates that were tried on every fold, the best first.
std::vector<std::size_t> FoldPlan::complete(const Ledger& ledger) const {
  std::vector<std::size_t> found;
  for (const std::size_t one : ledger.ranked(0))
    if (ledger.candidates[one].count() == ledger.splits.size()) found.push_back(one);
  return found;
}

std::vector<Request> FoldPlan::linear(Ledger& ledger, const Spent& now) {
  std::vector<Request> wanted;
  const std::uint32_t fits = ledger.left_fits(now);
  for (const double l2 : kPenalties) {
    if (fits < kFitsForSome || (fits < kFitsForAll && !wanted.empty())) break;
    const auto requests = on_all_folds(ledger, ledger.add(LinearRecipe{l2}), .15);
    wanted.insert(wanted.end(), requests.begin(), requests.end());
  }
  return wanted;
}

std::vector<Request> FoldPlan::forest(Ledger& ledger, const Spent& now, bool second) {
  const std::uint32_t least = second ? kFitsForAll : kFitsForSome;
  if (ledger.options.counted() && ledger.options.fits_max < least) return {};
  if (second && !ledger.options.counted() && now.ratio - forest_begin_ > .12) return {};
  forest_begin_ = now.ratio;
  // The quantile of one row is that row.
  const std::uint32_t more = ledger.material->loss.kind == Loss::Kind::kPinball ? 2 : 0;
  const ForestRecipe recipe{120, more + (second ? 3U : 1U), second ? .6 : 0.};
  return on_all_folds(ledger, ledger.add(recipe), now.ratio + .12);
}

/// Fits that may be asked for so that `reserved` are left, to try one candidate on all folds and to
/// fit one on all rows; one at least.
std::size_t FoldPlan::affordable(const Ledger& ledger, const Spent& now, std::size_t reserved) {
  const std::size_t left = ledger.left_fits(now);
  return left > reserved ? left - reserved : 1;
}

std::vector<Request> FoldPlan::first_fold(Ledger& ledger, const Spent& now) {
  begin_ = std::min(now.ratio, .6);
  std::vector<Request> wanted;
  const std::size_t most = affordable(ledger, now, ledger.splits.size());
  for (const BoosterRecipe& recipe : portfolio(ledger.material->loss)) {
    if (wanted.size() == most) break;
    const bool early = wanted.size() < 2;
    wanted.push_back({ledger.add(recipe), 0, end(early ? .6 : .33)});
  }
  return wanted;
}

std::vector<Request> FoldPlan::second_fold(const Ledger& ledger, const Spent& now) {
  std::vector<Request> wanted;
  const auto ranked = ledger.ranked(0);
  const std::size_t most = std::min({ranked.size(),
                                     std::max<std::size_t>(3, ranked.size() / 2),
                                     affordable(ledger, now, ledger.splits.size() - 1)});
  for (std::size_t i = 0; i < most; ++i) wanted.push_back({ranked[i], 1, end(.5)});
  return wanted;
}

std::vector<Request> FoldPlan::other_folds(const Ledger& ledger, const Spent& now) {
  std::vector<Request> wanted;
  const std::size_t most = affordable(ledger, now, 1);
  const auto ranked = ledger.ranked(1);
  for (std::size_t i = 0; i < std::min<std::size_t>(ranked.size(), 4); ++i)
    for (std::uint32_t fold = 2; fold < ledger.splits.size() && wanted.size() < most; ++fold)
      wanted.push_back({ranked[i], fold, end(.8)});
  return wanted;
}

/// One candidate is tried on all folds, whatever time it takes.
std::vector<Request> FoldPlan::sure(const Ledger& ledger) {
  if (!complete(ledger).empty()) return {};
  std::size_t best = ledger.candidates.size();
  for (std::size_t i = 0; i < ledger.candidates.size(); ++i) {
    const Candidate& candidate = ledger.candidates[i];
    if (!candidate.boosted()) continue;
    const auto place = [](const Candidate& c) { return std::pair(c.count(), c.score()); };
    if (best == ledger.candidates.size() || place(candidate) > place(ledger.candidates[best]))
      best = i;
  }
  std::vector<Request> wanted;
  for (std::uint32_t fold = 0; fold < ledger.splits.size(); ++fold) {
    if (ledger.candidates[best].attempts[fold]) continue;
    Request request{best, fold, std::numeric_limits<double>::infinity()};
    request.cap = .1;
    request.least = .05;
    wanted.push_back(request);
  }
  return wanted;
}

std::vector<Request> FoldPlan::cheap(Ledger& ledger, const Spent& now) {
  const bool room = ledger.left_fits(now) > ledger.splits.size();
  const auto recipe = room ? cheaper_.next(ledger) : std::nullopt;
  if (recipe) return on_all_folds(ledger, ledger.add(*recipe), end(.9));
  stage_ = Stage::kPair;
  return {};
}

double FoldPlan::reserve_s(const Ledger& ledger) const {
  const auto all = complete(ledger);
  if (all.empty()) return 0;
  const Candidate& best = ledger.candidates[all.front()];
  const double refit = 1.25 * 1.1 * best.cost_s() / static_cast<double>(best.count());
  return .03 * ledger.options.budget_s + .1 + refit;
}

std::vector<Request> FoldPlan::pair(Ledger& ledger, const Spent& now) {
  const auto all = complete(ledger);
  stage_ = Stage::kLeftover;
  if (all.empty()) return {};
  if (!searching_) search_.begin(all.front());
  searching_ = true;
  forget_the_worst(ledger);
  const Candidate& best = ledger.candidates[search_.best()];
  const double pair_s = 2.4 * best.cost_s() / static_cast<double>(ledger.options.workers);
  const std::uint32_t pair_fits = 2 * static_cast<std::uint32_t>(ledger.splits.size()) + 1;
  if (search_.exhausted() || ledger.left_s(now) < reserve_s(ledger) + pair_s ||
      ledger.left_fits(now) < pair_fits)
    return {};
  if (ledger.options.stop_early) {
    const Attempt& first = *best.attempts[0];
    const double error = ledger.standard_error(first.fit.margins, ledger.splits[0].labels) /
                         std::sqrt(static_cast<double>(ledger.splits.size()));
    if (patience_.lost(now.ratio, best.score(), error)) return {};
  }
  tried_ = search_.pair(ledger);
  stage_ = Stage::kPairRest;
  std::vector<Request> wanted;
  for (const std::size_t one : tried_)
    for (std::uint32_t fold = 0; fold < 2; ++fold) wanted.push_back({one, fold, 1});
  return wanted;
}

/// What is not much worse than the best on two folds is tried on the others too.
std::vector<Request> FoldPlan::pair_rest(const Ledger& ledger) {
  const Candidate& best = ledger.candidates[search_.best()];
  const double here = .5 * (best.attempts[0]->score + best.attempts[1]->score);
  std::vector<Request> wanted;
  for (const std::size_t one : ledger.sorted(tried_)) {
    const Candidate& candidate = ledger.candidates[one];
    if (candidate.count() != 2 || candidate.score() < here - .0005 * std::abs(here)) continue;
    for (std::uint32_t fold = 2; fold < ledger.splits.size(); ++fold)
      wanted.push_back({one, fold, 1});
  }
  return wanted;
}

void FoldPlan::judge_pair(const Ledger& ledger) {
  std::vector<std::size_t> whole;
  for (const std::size_t one : tried_)
    if (ledger.candidates[one].count() == ledger.splits.size()) whole.push_back(one);
  search_.judge(ledger, whole);
}

std::vector<Request> FoldPlan::leftover(const Ledger& ledger, const Spent& now) {
  std::vector<Request> wanted;
  double planned_s = 0;
  auto fits = ledger.left_fits(now);
  for (const std::size_t one : ledger.ranked(0)) {
    const Candidate& candidate = ledger.candidates[one];
    const std::size_t missing = ledger.splits.size() - candidate.count();
    if (missing == 0 || fits <= missing) continue;
    const double fit_s = candidate.cost_s() / static_cast<double>(candidate.count());
    const double needed =
        1.3 * fit_s * static_cast<double>(missing) / static_cast<double>(ledger.options.workers);
    if (ledger.left_s(now) - reserve_s(ledger) < planned_s + needed) continue;
    planned_s += needed;
    fits -= static_cast<std::uint32_t>(missing);
    for (std::uint32_t fold = 0; fold < ledger.splits.size(); ++fold)
      if (!candidate.attempts[fold]) wanted.push_back({one, fold, 1});
  }
  return wanted;
}

std::vector<Request> FoldPlan::refit(const Ledger& ledger) {
  champion_ = ledger.best_within_budget();
  if (!champion_) return {};
  Request request{*champion_, Request::kRefit, 1};
  request.least = .1;
  return {request};
}

void FoldPlan::forget_the_worst(Ledger& ledger) const {
  const auto all = complete(ledger);
  const auto cheap = ledger.best_within_budget();
  for (std::size_t i = kKept; i < all.size(); ++i)
    if (all[i] != search_.best() && all[i] != cheap) ledger.candidates[all[i]].forget();
}

Pool FoldPlan::pool(const Ledger& ledger) const {
  Pool pool = ledger.pool(kPoolMax, champion_);
  pool.weights =
      bagged_blend(pool.margins, pool.labels, ledger.measure, kBags, mix64(ledger.options.seed));
  return pool;
}

}  // namespace liminal::learn
