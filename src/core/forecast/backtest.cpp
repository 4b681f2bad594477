#include "core/forecast/backtest.hpp"

#include <algorithm>
#include <cmath>
#include <span>

#include "core/base/math.hpp"

namespace liminal::forecast {
namespace {

/// Half-lives of an origin's weight: short for who is believed, in Plan::recent, long for how far
/// off, in blocks.
constexpr double kStandingHalfLife = 1.5;
constexpr double kLeanHalfLife = 2;
constexpr double kLeanShare = .15;
constexpr double kMedianShare = .5;
/// A relative error is one of at least this level.
constexpr double kLevelMin = .02;
constexpr double kSpreadHalfLife = 10;
/// Below this error members are equally perfect.
constexpr double kErrorMin = 1e-9;
constexpr double kLn2 = 0.69314718055994530942;

struct Origin {
  std::size_t at = 0;
  double stands_for = 1;  ///< how much wider than the plan's stride is the one to the next
  PerMember<Path> paths;
};

double half_life_weight(const Origin& origin, std::size_t end, double half_life) {
  return origin.stands_for * liminal::exp(-kLn2 * static_cast<double>(end - origin.at) / half_life);
}

/// What a member says, and how much that counts.
struct Vote {
  double value = 0, weight = 0;
};

/// Where half of the weight is reached, each vote's at its middle; straight lines in between.
double weighted_median(std::span<Vote> votes) {
  std::sort(votes.begin(), votes.end(), [](const Vote& a, const Vote& b) {
    return a.value != b.value ? a.value < b.value : a.weight < b.weight;
  });
  double before = 0, last_middle = 0;
  for (std::size_t i = 0; i < votes.size(); ++i) {
    const double middle = before + votes[i].weight / 2;
    if (middle >= .5) {
      if (i == 0 || middle == last_middle) return votes[i].value;
      const double part = (.5 - last_middle) / (middle - last_middle);
      return votes[i - 1].value + part * (votes[i].value - votes[i - 1].value);
    }
    before += votes[i].weight;
    last_middle = middle;
  }
  return votes.back().value;
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
    const double weight = half_life_weight(origin, n, kStandingHalfLife * plan.recent());
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
      total += standing.weights[half][m] = ratio * ratio * ratio * ratio * ratio;
    }
    for (double& weight : standing.weights[half]) weight /= total;
  }
}

}  // namespace

Path Standing::combine(const PerMember<Path>& paths, std::uint32_t half) const {
  std::size_t horizon = 0;
  for (const Path& path : paths) horizon = std::max(horizon, path.size());
  Path combined(horizon);
  for (std::size_t h = 0; h < horizon; ++h) {
    std::array<Vote, kMembers> votes;
    std::size_t count = 0;
    double mean = 0;
    for (std::size_t m = 0; m < kMembers; ++m) {
      if (paths[m].empty()) continue;
      votes[count++] = {paths[m][h], weights[h < half ? 0 : 1][m]};
      mean += votes[count - 1].weight * votes[count - 1].value;
    }
    const double middle = weighted_median(std::span(votes).first(count));
    combined[h] = (kMedianShare * middle + (1 - kMedianShare) * mean) * (1 + kLeanShare * lean);
  }
  return combined;
}

Member Standing::heaviest(std::size_t half) const {
  const PerMember<double>& of = weights[half];
  return static_cast<Member>(std::max_element(of.begin(), of.end()) - of.begin());
}

void Standing::save(Writer& out) const {
  for (const auto* table : {&errors, &weights}) {
    for (const auto& half : *table) {
      for (const double number : half) out.put(number);
    }
  }
  out.put(lean);
  out.put(origins);
  out.put(cuts);
}

void Standing::load(Reader& in) {
  for (auto* table : {&errors, &weights}) {
    for (auto& half : *table) {
      for (double& number : half) in.get(number);
    }
  }
  in.get(lean);
  in.get(origins);
  in.get(cuts);
}

namespace {

/// By how much, in parts of what was said, the values lay above it lately.
double lean_of(const std::vector<Origin>& origins,
               const History& history,
               const Plan& plan,
               const Standing& standing) {
  // Around zero there are no parts.
  if (!history.scaling.non_negative) return 0;
  const std::size_t n = history.size();
  double sum = 0, total = 0;
  for (const Origin& origin : origins) {
    const Path said = standing.combine(origin.paths, plan.half());
    const double weight = half_life_weight(origin, n, kLeanHalfLife * plan.recent());
    for (std::size_t h = 0; h < said.size() && origin.at + h < n; ++h) {
      const std::size_t at = origin.at + h;
      if (!(history.observed[at] > 0)) continue;
      sum += weight * (history.level[at] - said[h]) / std::max(said[h], kLevelMin);
      total += weight;
    }
  }
  return total > 0 ? std::clamp(sum / total, -1., 1.) : 0;
}

}  // namespace

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
    for (std::size_t at = cut; at < cut + plan.block;) {
      const std::uint32_t stride = plan.stride_at(n - at);
      origins.push_back({at,
                         static_cast<double>(stride) / plan.stride,
                         speak(result.models, history, at, plan, bounds[at])});
      at += stride;
    }
  }
  fitter.fit(history, n, plan, plan.cuts > 0, result.models);

  Standing& standing = result.standing;
  standing.cuts = plan.cuts;
  standing.origins = static_cast<std::uint32_t>(
      std::count_if(origins.begin(), origins.end(), [&](const Origin& origin) {
        const auto from = history.observed.begin() + static_cast<std::ptrdiff_t>(origin.at);
        const auto steps = std::min<std::size_t>(plan.horizon, n - origin.at);
        return std::any_of(
            from, from + static_cast<std::ptrdiff_t>(steps), [](double seen) { return seen > 0; });
      }));
  judge(origins, history, plan, measure, standing);
  standing.lean = lean_of(origins, history, plan, standing);
  for (const Origin& origin : origins) {
    const Path said = standing.combine(origin.paths, plan.half());
    const double weight = half_life_weight(origin, n, kSpreadHalfLife * plan.block);
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
