#include "core/learn/ledger.hpp"

#include <algorithm>
#include <cmath>

#include "core/base/math.hpp"

namespace liminal::learn {
namespace {

constexpr double kRefitFactor = 1.1;  ///< rounds for a quarter more rows

}  // namespace

Measure measure_of(Objective objective, double level) {
  using Values = std::span<const float>;
  switch (objective) {
    case Objective::kRocAuc:
      return roc_auc;
    case Objective::kAveragePrecision:
      return average_precision;
    case Objective::kLogLoss:
      return [](Values said, Values is) { return -margin_log_loss(said, is); };
    case Objective::kSquaredError:
      return [](Values said, Values is) { return -root_mean_square_error(said, is); };
    case Objective::kPinball:
      return [level](Values said, Values is) { return -pinball(said, is, level); };
  }
  return roc_auc;
}

std::string_view name(Objective objective) {
  switch (objective) {
    case Objective::kRocAuc:
      return "ROC-AUC";
    case Objective::kAveragePrecision:
      return "PR-AUC";
    case Objective::kLogLoss:
      return "negative log loss";
    case Objective::kSquaredError:
      return "negative RMSE";
    case Objective::kPinball:
      return "negative pinball loss";
  }
  return "unknown";
}

Problems SearchOptions::validate() const {
  Problems problems;
  const auto require = [&](bool right, const char* key, const char* text) {
    if (!right) problems.push_back({key, text});
  };
  require(counted() || (budget_s > 0 && budget_s <= 1e7), "budget_s", "must be above 0, up to 1e7");
  require(!counted() || fits_max >= 8, "fits_max", "must be 0 (not counted) or 8 at least");
  require(workers >= 1 && workers <= 1024, "workers", "must be 1 to 1,024");
  require(champion.us_row >= 0 && champion.memory_bytes >= 0, "champion", "must be 0 or more");
  require(fresh_ratio == 0 || (fresh_ratio >= .02 && fresh_ratio <= .5),
          "fresh_ratio",
          "must be 0 or within .02 and .5");
  return problems;
}

std::size_t Candidate::count() const {
  return static_cast<std::size_t>(
      std::count_if(attempts.begin(), attempts.end(), [](const auto& a) { return a.has_value(); }));
}

template <class Value>
std::optional<double> Candidate::mean(Value value) const {
  double sum = 0, count = 0;
  for (const auto& attempt : attempts) {
    if (!attempt) continue;
    const double one = value(*attempt);
    if (!std::isfinite(one)) continue;
    sum = rungs ? one : sum + one;
    count = rungs ? 1 : count + 1;
  }
  return count > 0 ? std::optional(sum / count) : std::nullopt;
}

double Candidate::score() const {
  return mean([](const Attempt& attempt) { return attempt.score; })
      .value_or(-std::numeric_limits<double>::infinity());
}

double Candidate::cost_s() const {
  double sum = 0;
  for (const auto& attempt : attempts) sum += attempt ? attempt->cost_s : 0;
  return sum;
}

std::uint32_t Candidate::refit_rounds() const {
  const auto rounds = mean([](const Attempt& attempt) { return double{1} * attempt.fit.rounds; });
  return static_cast<std::uint32_t>(kRefitFactor * rounds.value_or(0)) + 1;
}

Cost Candidate::cost() const {
  if (forgotten) return cost_before;
  const auto part = [this](double Cost::*which) {
    return mean([which](const Attempt& attempt) {
             return std::visit([](const auto& model) { return cost_of(model); },
                               attempt.fit.model).*
                    which;
           })
        .value_or(0);
  };
  return {part(&Cost::us_row), part(&Cost::memory_bytes)};
}

bool Candidate::whole() const {
  return rungs ? attempts.back().has_value() : count() == attempts.size();
}

void Candidate::forget() {
  cost_before = cost();
  forgotten = true;
  for (auto& attempt : attempts) {
    if (!attempt) continue;
    attempt->fit.model = models::Linear{};
    attempt->fit.margins = {};
  }
}

std::size_t Ledger::add(Recipe recipe) {
  Candidate candidate;
  candidate.recipe = std::move(recipe);
  candidate.attempts.resize(splits.size());
  candidate.rungs = rungs;
  candidates.push_back(std::move(candidate));
  return candidates.size() - 1;
}

std::vector<std::size_t> Ledger::ranked(std::uint32_t split) const {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const Candidate& candidate = candidates[i];
    if (candidate.boosted() && !candidate.forgotten && candidate.attempts[split])
      found.push_back(i);
  }
  return sorted(std::move(found));
}

std::vector<std::size_t> Ledger::sorted(std::vector<std::size_t> which) const {
  std::stable_sort(which.begin(), which.end(), [&](auto a, auto b) {
    return candidates[a].score() > candidates[b].score();
  });
  return which;
}

std::optional<std::size_t> Ledger::best_within(const Cost& budget) const {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const Candidate& candidate = candidates[i];
    if (candidate.whole() && !candidate.forgotten && std::isfinite(candidate.score()) &&
        candidate.refit_cost().within(budget))
      found.push_back(i);
  }
  return found.empty() ? std::nullopt : std::optional(sorted(std::move(found)).front());
}

Pool Ledger::pool(std::size_t boosted_max, std::optional<std::size_t> champion) const {
  std::vector<std::size_t> boosted, others;
  for (std::size_t i = 0; i < candidates.size(); ++i)
    if (candidates[i].whole() && !candidates[i].forgotten)
      (candidates[i].boosted() ? boosted : others).push_back(i);
  Pool found;
  found.candidates = sorted(std::move(boosted));
  found.candidates.resize(std::min(found.candidates.size(), boosted_max));
  found.candidates.insert(found.candidates.end(), others.begin(), others.end());
  const auto place = std::find(found.candidates.begin(), found.candidates.end(), champion);
  if (champion && place == found.candidates.end()) found.candidates.push_back(*champion);
  found.margins.resize(found.candidates.size());
  for (std::size_t s = rungs ? splits.size() - 1 : 0; s < splits.size(); ++s) {
    for (std::size_t j = 0; j < found.candidates.size(); ++j) {
      const auto& margins = candidates[found.candidates[j]].attempts[s]->fit.margins;
      found.margins[j].insert(found.margins[j].end(), margins.begin(), margins.end());
    }
    found.labels.insert(found.labels.end(), splits[s].labels.begin(), splits[s].labels.end());
    const auto rows = material->set(splits[s].valid);
    found.rows.insert(found.rows.end(), rows.begin(), rows.end());
  }
  return found;
}

double Ledger::left_s(const Spent& now) const {
  return options.counted() ? std::numeric_limits<double>::infinity()
                           : options.budget_s - now.elapsed_s;
}

std::uint32_t Ledger::left_fits(const Spent& now) const {
  if (!options.counted()) return std::numeric_limits<std::uint32_t>::max();
  return options.fits_max - std::min(now.fits, options.fits_max);
}

double Ledger::standard_error(std::span<const float> margins, std::span<const float> labels) const {
  constexpr std::size_t kParts = 10;
  std::vector<double> scores;
  for (std::size_t part = 0; part < kParts; ++part) {
    std::vector<float> m, y;
    for (std::size_t i = part; i < labels.size(); i += kParts) {
      m.push_back(margins[i]);
      y.push_back(labels[i]);
    }
    if (const double score = measure(m, y); std::isfinite(score)) scores.push_back(score);
  }
  if (scores.size() < 2) return 0;
  const auto n = static_cast<double>(scores.size());
  double mean = 0, squares = 0;
  for (const double score : scores) mean += score / n;
  for (const double score : scores) squares += (score - mean) * (score - mean);
  return sqrt(squares / (n - 1) / n);
}

bool Patience::lost(double ratio, double score, double standard_error) {
  constexpr double kShare = .3, kErrors = .25;
  if (since_ < 0 || score > score_ + kErrors * standard_error) {
    since_ = ratio;
    score_ = score;
  }
  return ratio - since_ > kShare;
}

}  // namespace liminal::learn
