#include "core/forecast/members.hpp"

#include <algorithm>

#include "core/base/math.hpp"
#include "core/stats/median.hpp"

namespace liminal::forecast {
namespace {

using stats::median;

constexpr double kLagsRidge = 1e-4;
constexpr double kResidualRidge = 1e-3;
constexpr int kColdIterations = 4;
constexpr int kWarmIterations = 3;
constexpr double kSlackBelow = .3;
constexpr double kSlackAbove = .5;
constexpr std::size_t kWeeksMax = 5;
constexpr double kWeekDecay = .6;

/// Profile and autoregression of the rest, in the scale of `series`.
Path profile_path(const Profile& profile,
                  const Autoregression& rest,
                  std::span<const double> series,
                  std::size_t origin,
                  std::uint64_t first,
                  std::size_t horizon) {
  const std::size_t reach = std::min<std::size_t>(origin, rest.lags.back());
  std::vector<double> past(reach);
  for (std::size_t i = 0; i < reach; ++i) {
    const std::size_t at = origin - reach + i;
    past[i] = series[at] - profile.at(first + at);
  }
  Path path(horizon);
  rest.continue_from(past, path);
  for (std::size_t h = 0; h < horizon; ++h) path[h] += profile.at(first + origin + h);
  return path;
}

/// What stood at this step of the last weeks, the nearest most.
struct WeeksMean {
  std::span<const double> past;
  std::size_t week;
  std::array<double, kWeeksMax> weights{};

  /// The value that weeks before `origin` stood at step `h` after (or before) it.
  [[nodiscard]] double at(std::size_t position, std::size_t weeks) const {
    double sum = 0, total = 0;
    for (std::size_t k = 0; k < weeks; ++k) {
      sum += weights[k] * past[position - week * (k + 1)];
      total += weights[k];
    }
    return sum / total;
  }
};

Path weeks_path(std::span<const double> past, const Plan& plan) {
  const std::size_t n = past.size(), week = plan.longest();
  const std::size_t today = std::max(1U, plan.seasons.day);
  WeeksMean mean{past, week};
  double weight = 1;
  for (double& w : mean.weights) w = weight, weight *= kWeekDecay;
  const std::size_t weeks = std::min(kWeeksMax, n / week);
  Path path(plan.horizon);
  for (std::size_t h = 0; h < path.size(); ++h) path[h] = mean.at(n + h % week, weeks);
  const std::size_t earlier = n > today ? std::min(weeks, (n - today) / week) : 0;
  if (earlier == 0) return path;
  std::vector<double> shifts(today);
  for (std::size_t i = 0; i < today; ++i) {
    const std::size_t at = n - today + i;
    shifts[i] = past[at] - mean.at(at, earlier);
  }
  const double shift = .5 * median(std::move(shifts));
  for (double& value : path) value += shift;
  return path;
}

}  // namespace

std::string_view name(Member member) {
  constexpr std::array<std::string_view, kMembers> kNames = {"lags_log",
                                                             "lags",
                                                             "day_profile_log",
                                                             "week_profile_log",
                                                             "weeks",
                                                             "naive",
                                                             "day_profile",
                                                             "day_lags_log",
                                                             "day_lags"};
  return kNames[static_cast<std::size_t>(member)];
}

bool speaks(Member member, const Plan& plan) {
  switch (member) {
    case Member::kDayProfileLog:
    case Member::kDayProfile:
      return plan.seasons.day > 0;
    case Member::kWeekProfileLog:
    case Member::kDayLagsLog:
    case Member::kDayLagsLevel:
      return plan.seasons.week > 0;
    default:
      return true;
  }
}

void MemberModels::save(Writer& out) const {
  for (const Autoregression* model :
       {&lags_log, &lags_level, &day_lags_log, &day_lags_level, &day_log, &week_log, &day_level})
    model->save(out);
  for (const Profile* profile : {&day_log_profile, &week_log_profile, &day_level_profile})
    profile->save(out);
}

void MemberModels::load(Reader& in) {
  for (Autoregression* model :
       {&lags_log, &lags_level, &day_lags_log, &day_lags_level, &day_log, &week_log, &day_level})
    model->load(in);
  for (Profile* profile : {&day_log_profile, &week_log_profile, &day_level_profile})
    profile->load(in);
}

void MemberFitter::fit(
    const History& history, std::size_t cut, const Plan& plan, bool warm, MemberModels& models) {
  const auto log = std::span(history.log).first(cut);
  const auto level = std::span(history.level).first(cut);
  // e^(−age/memory) by multiplication: one factor a point, from the newest.
  weights_.resize(cut);
  const double factor = liminal::exp(-1 / plan.memory);
  double weight = 1;
  for (std::size_t i = cut; i-- > 0; weight *= factor) weights_[i] = weight * history.observed[i];

  const int iterations = warm ? kWarmIterations : kColdIterations;
  const auto start = [&](Autoregression& model, const std::vector<std::uint32_t>& lags) {
    if (!warm) model = {lags, {}, 0};
  };
  start(models.lags_log, plan.lags);
  start(models.lags_level, plan.lags);
  fitter_.fit(log, weights_, kLagsRidge, iterations, models.lags_log);
  fitter_.fit(level, weights_, kLagsRidge, iterations, models.lags_level);
  const Seasons seasons = plan.seasons;
  if (seasons.day == 0) return;
  start(models.day_log, plan.residual_lags);
  start(models.day_level, plan.residual_lags);
  models.day_log_profile.fit(log, weights_, history.first, seasons.day, 0);
  models.day_level_profile.fit(level, weights_, history.first, seasons.day, 0);
  fit_residual(log, models.day_log_profile, history.first, iterations, models.day_log);
  fit_residual(level, models.day_level_profile, history.first, iterations, models.day_level);
  if (seasons.week == 0) return;
  start(models.day_lags_log, plan.day_lags);
  start(models.day_lags_level, plan.day_lags);
  fitter_.fit(log, weights_, kLagsRidge, iterations, models.day_lags_log);
  fitter_.fit(level, weights_, kLagsRidge, iterations, models.day_lags_level);
  start(models.week_log, plan.residual_lags);
  models.week_log_profile.fit(log, weights_, history.first, seasons.day, seasons.week);
  fit_residual(log, models.week_log_profile, history.first, iterations, models.week_log);
}

void MemberFitter::fit_residual(std::span<const double> series,
                                const Profile& profile,
                                std::uint64_t first,
                                int iterations,
                                Autoregression& model) {
  rest_.resize(series.size());
  for (std::size_t i = 0; i < series.size(); ++i) rest_[i] = series[i] - profile.at(first + i);
  fitter_.fit(rest_, weights_, kResidualRidge, iterations, model);
}

PerMember<Path> speak(const MemberModels& models,
                      const History& history,
                      std::size_t origin,
                      const Plan& plan,
                      Bounds bounds) {
  const auto log = std::span(history.log).first(origin);
  const auto level = std::span(history.level).first(origin);
  const std::size_t horizon = plan.horizon;
  PerMember<Path> paths;
  const auto path = [&](Member member) -> Path& { return paths[static_cast<std::size_t>(member)]; };
  const auto unlog = [&](Path& values) {
    for (double& value : values) value = history.scaling.from_log(value);
  };

  const auto lagged =
      [&](Member member, const Autoregression& model, std::span<const double> past) {
        if (!speaks(member, plan)) return;
        path(member).resize(horizon);
        model.continue_from(past, path(member));
      };
  lagged(Member::kLagsLog, models.lags_log, log);
  lagged(Member::kLagsLevel, models.lags_level, level);
  lagged(Member::kDayLagsLog, models.day_lags_log, log);
  lagged(Member::kDayLagsLevel, models.day_lags_level, level);
  path(Member::kWeeks) = weeks_path(log, plan);
  const std::size_t day = std::max(1U, plan.seasons.day);
  for (std::size_t h = 0; h < horizon; ++h)
    path(Member::kNaive).push_back(level[origin - day + h % day]);
  const auto profiled = [&](Member member, const Profile& profile, const Autoregression& rest) {
    if (!speaks(member, plan)) return;
    const auto series = member == Member::kDayProfile ? level : log;
    path(member) = profile_path(profile, rest, series, origin, history.first, horizon);
  };
  profiled(Member::kDayProfileLog, models.day_log_profile, models.day_log);
  profiled(Member::kWeekProfileLog, models.week_log_profile, models.week_log);
  profiled(Member::kDayProfile, models.day_level_profile, models.day_level);
  for (const Member member : {Member::kLagsLog,
                              Member::kDayLagsLog,
                              Member::kDayProfileLog,
                              Member::kWeekProfileLog,
                              Member::kWeeks})
    unlog(path(member));

  const double range = bounds.high - bounds.low;
  double low = bounds.low - kSlackBelow * range;
  if (history.scaling.non_negative) low = std::max(low, 0.);
  const double high = bounds.high + kSlackAbove * range;
  for (Path& values : paths) {
    for (double& value : values) value = std::min(std::max(value, low), high);
  }
  return paths;
}

}  // namespace liminal::forecast
