#include "core/forecast/model.hpp"

#include <algorithm>

#include "core/base/math.hpp"
#include "core/forecast/level_shift.hpp"

namespace liminal::forecast {

bool Model::shift_certain() const { return fitted_at - shift_at >= plan.seasons.day; }

bool Model::shift_followed() const { return fitted_at - shift_at >= plan.seasons.day / 2; }

double Model::other_level() const {
  if (shift_at == 0 || shift_certain()) return 1;
  return shift_followed() ? 1 / shift_factor : shift_factor;
}

History Model::view(std::span<const double> values, std::uint64_t first) const {
  if (shift_at <= first || !shift_followed()) return prepare(values, first, plan.seasons, scaling);
  std::vector<double> moved(values.begin(), values.end());
  const auto before =
      static_cast<std::size_t>(std::min<std::uint64_t>(shift_at - first, values.size()));
  for (std::size_t i = 0; i < before; ++i) moved[i] *= shift_factor;
  return prepare(moved, first, plan.seasons, scaling);
}

Model Model::fit(std::span<const double> values,
                 std::uint64_t first,
                 std::uint32_t horizon,
                 Seasons seasons,
                 ErrorMeasure measure) {
  Model model;
  model.fitted_at = first + values.size();
  model.plan = Plan::of(values.size(), horizon, seasons);
  model.scaling = Scaling::of(values);
  History history = model.view(values, first);
  // A ratio is what moves a load; a series with zeros or negative values has none.
  if (model.scaling.offset == 0) {
    if (const auto shift = find_level_shift(history.log, history.observed, model.plan.seasons)) {
      model.shift_at = first + shift->at;
      model.shift_factor = liminal::exp(shift->step);
      history = model.view(values, first);
    }
  }
  MemberFitter fitter;
  Backtest tested = backtest(history, model.plan, measure, fitter);
  model.members = std::move(tested.models);
  model.standing = tested.standing;
  model.spread.fit(std::move(tested.residuals),
                   model.plan.horizon,
                   model.plan.seasons.day,
                   model.plan.cuts,
                   model.scaling.non_negative);
  return model;
}

void Model::save(Writer& out) const {
  plan.save(out);
  out.put(scaling.scale);
  out.put(scaling.offset);
  out.put(scaling.floor);
  out.put(scaling.non_negative);
  members.save(out);
  standing.save(out);
  spread.save(out);
  out.put(fitted_at);
  out.put(shift_at);
  out.put(shift_factor);
}

void Model::load(Reader& in, bool floored) {
  plan.load(in);
  in.get(scaling.scale);
  in.get(scaling.offset);
  in.get(scaling.floor);
  scaling.non_negative = in.get<std::uint8_t>() != 0;
  members.load(in);
  standing.load(in);
  spread.load(in, floored);
  in.get(fitted_at);
  in.get(shift_at);
  in.get(shift_factor);
}

bool Model::valid(std::size_t points) const {
  constexpr std::uint32_t kHorizonMax = 10'000;
  if (plan.horizon < 1 || plan.horizon > kHorizonMax || spread.steps() != plan.horizon)
    return false;
  if (plan.seasons.week > 0 && plan.seasons.day == 0) return false;
  if (points < plan.longest() + std::size_t{plan.lags.back()} + 1) return false;
  const auto fits = [&](const Autoregression& model, bool needed) {
    return needed ? !model.lags.empty() && model.lags.back() <= points : true;
  };
  if (!fits(members.lags_log, true) || !fits(members.lags_level, true)) return false;
  return fits(members.day_log, plan.seasons.day > 0) &&
         fits(members.day_level, plan.seasons.day > 0) &&
         fits(members.week_log, plan.seasons.week > 0) &&
         fits(members.day_lags_log, plan.seasons.week > 0) &&
         fits(members.day_lags_level, plan.seasons.week > 0);
}

}  // namespace liminal::forecast
