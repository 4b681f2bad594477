#include "core/forecast/backtest.hpp"

#include <algorithm>
#include <cmath>

#include "core/base/math.hpp"

namespace liminal::forecast {
namespace {

/// Half-lives of an origin's weight, in blocks: short for who is believed, long for how far off.
constexpr double kStandingHalfLife = 2;
constexpr double kSpreadHalfLife = 10;
/// Below this error members are equally perfect.
constexpr double kErrorMin = 1e-9;
constexpr double kLn2 = 0.69314718055994530942;

struct Origin {
  std::size_t at = 0;
  PerMember<Path> paths;
};

double half_life_weight(double age, double half_life) {
  return liminal::exp(-kLn2 * age / half_life);
}

/// Sums of one member's errors in one half.
struct Errors {
  double relative = 0, absolute = 0, weight = 0;

  void add(double actual, double forecast, double w) {
    const double error = std::abs(actual - forecast);
    relative += w * 2 * error / (std::abs(actual) + std::abs(forecast) + kErrorMin);
    absolute += w * error;
    weight += w;
  }
  [[nodiscard]] double mean(ErrorMeasure measure, bool non_negative) const {
    if (!(weight > 0)) return 0;
    // Around zero relative errors say nothing.
    if (!non_negative) return absolute / weight;
    if (measure == ErrorMeasure::kRelative) return relative / weight;
    return sqrt(relative * absolute) / weight;
  }
};

void judge(const std::vector<Origin>& origins,
           const History& history,
           const Plan& plan,
           ErrorMeasure measure,
           Standing& standing) {
  std::array<PerMember<Errors>, 2> sums{};
  const std::size_t n = history.size();
  for (const Origin& origin : origins) {
    const double weight =
        half_life_weight(static_cast<double>(n - origin.at), kStandingHalfLife * plan.block);
    const std::size_t steps = std::min<std::size_t>(plan.horizon, n - origin.at);
    for (std::size_t m = 0; m < kMembers; ++m) {
      if (origin.paths[m].empty()) continue;
      for (std::size_t h = 0; h < steps; ++h) {
        const std::size_t at = origin.at + h;
        if (history.observed[at] > 0)
          sums[h < plan.half() ? 0 : 1][m].add(history.level[at], origin.paths[m][h], weight);
      }
    }
  }
  for (std::size_t half = 0; half < 2; ++half) {
    // What nobody was tested on is judged by the near half; without any test all are equal.
    const bool tested = sums[half][static_cast<std::size_t>(Member::kNaive)].weight > 0;
    const auto& judged = sums[tested ? half : 0];
    auto& errors = standing.errors[half];
    double least = INFINITY;
    for (std::size_t m = 0; m < kMembers; ++m) {
      errors[m] = judged[m].mean(measure, history.scaling.non_negative);
      if (speaks(static_cast<Member>(m), plan)) least = std::min(least, errors[m] + kErrorMin);
    }
    double total = 0;
    for (std::size_t m = 0; m < kMembers; ++m) {
      if (!speaks(static_cast<Member>(m), plan)) continue;
      const double ratio = least / (errors[m] + kErrorMin);
      total += standing.weights[half][m] = ratio * ratio * ratio * ratio;
    }
    for (double& weight : standing.weights[half]) weight /= total;
  }
}

}  // namespace

Path Standing::combine(const PerMember<Path>& paths, std::uint32_t half) const {
  Path mean;
  for (std::size_t m = 0; m < kMembers; ++m) {
    mean.resize(std::max(mean.size(), paths[m].size()));
    for (std::size_t h = 0; h < paths[m].size(); ++h)
      mean[h] += weights[h < half ? 0 : 1][m] * paths[m][h];
  }
  return mean;
}

void Standing::save(Writer& out) const {
  for (const auto* table : {&errors, &weights}) {
    for (const auto& half : *table) {
      for (const double number : half) out.put(number);
    }
  }
  out.put(origins);
  out.put(cuts);
}

void Standing::load(Reader& in) {
  for (auto* table : {&errors, &weights}) {
    for (auto& half : *table) {
      for (double& number : half) in.get(number);
    }
  }
  in.get(origins);
  in.get(cuts);
}

Backtest backtest(const History& history,
                  const Plan& plan,
                  ErrorMeasure measure,
                  MemberFitter& fitter) {
  Backtest result;
  const std::size_t n = history.size();
  std::vector<Bounds> bounds(n + 1, {INFINITY, -INFINITY});  // of all before
  for (std::size_t i = 0; i < n; ++i) {
    bounds[i + 1] = {std::min(bounds[i].low, history.level[i]),
                     std::max(bounds[i].high, history.level[i])};
  }
  std::vector<Origin> origins;
  for (std::uint32_t k = plan.cuts; k > 0; --k) {
    const std::size_t cut = n - std::size_t{plan.block} * k;
    fitter.fit(history, cut, plan, k != plan.cuts, result.models);
    for (std::size_t at = cut; at < cut + plan.block; at += plan.stride)
      origins.push_back({at, speak(result.models, history, at, plan, bounds[at])});
  }
  fitter.fit(history, n, plan, plan.cuts > 0, result.models);

  Standing& standing = result.standing;
  standing.cuts = plan.cuts;
  standing.origins = static_cast<std::uint32_t>(origins.size());
  judge(origins, history, plan, measure, standing);
  for (const Origin& origin : origins) {
    const Path said = standing.combine(origin.paths, plan.half());
    const double weight =
        half_life_weight(static_cast<double>(n - origin.at), kSpreadHalfLife * plan.block);
    for (std::size_t h = 0; h < said.size() && origin.at + h < n; ++h) {
      const std::size_t at = origin.at + h;
      if (history.observed[at] > 0) {
        result.residuals.push_back({static_cast<std::uint32_t>(h),
                                    history.first + at,
                                    said[h],
                                    history.level[at],
                                    weight});
      }
    }
  }
  return result;
}

}  // namespace liminal::forecast
