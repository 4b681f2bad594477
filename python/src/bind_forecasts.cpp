#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <limits>

#include "bind.hpp"
#include "core/forecast/forecaster.hpp"
#include "core/scaling/backtest.hpp"
#include "core/scaling/service.hpp"
#include "io/json/writer.hpp"
#include "server/api/scaling_answers.hpp"

namespace liminal::python {
namespace {

using namespace nb::literals;

// --- Forecaster ----------------------------------------------------------------------------------

using Forecaster = Guarded<forecast::Forecaster>;

std::uint32_t whole(std::int64_t value, const char* field) {
  if (value < 0 || value > std::numeric_limits<std::uint32_t>::max())
    raise_value(field, "must be 0 to 4294967295");
  return static_cast<std::uint32_t>(value);
}

forecast::Options forecast_options(std::int64_t horizon,
                                   std::optional<std::vector<std::int64_t>> seasons,
                                   std::int64_t points_max,
                                   std::string_view measure) {
  forecast::Options options;
  options.horizon = whole(horizon, "horizon");
  options.points_max = whole(points_max, "points_max");
  if (measure != "relative" && measure != "geometric")
    raise_value("measure", "must be relative or geometric");
  options.measure = measure == "relative" ? forecast::ErrorMeasure::kRelative
                                          : forecast::ErrorMeasure::kGeometric;
  if (seasons) {
    if (seasons->size() > 2) raise_value("seasons", "must be at most two, the shorter first");
    forecast::Seasons known;
    if (!seasons->empty()) known.day = whole((*seasons)[0], "seasons");
    if (seasons->size() == 2) known.week = whole((*seasons)[1], "seasons");
    options.seasons = known;
  }
  raise_if_any(options.validate());
  return options;
}

void learn(Forecaster& forecaster, nb::handle given) {
  // A number that is no `float`: of NumPy, Decimal.
  if (PySequence_Check(given.ptr()) == 0 && PyNumber_Check(given.ptr()) != 0) {
    const double value = number(given, "values");
    return forecaster.with([&](forecast::Forecaster& one) { one.learn(value); });
  }
  const Column<double> values = numbers(given, "values");
  forecaster.without_interpreter([&](forecast::Forecaster& one) {
    for (std::size_t i = 0; i < values.shape(0); ++i) one.learn(values.data()[i]);
  });
}

void refit(Forecaster& forecaster) {
  const Result<void> fitted =
      forecaster.without_interpreter([](forecast::Forecaster& one) { return one.refit(); });
  if (!fitted)
    raise_value("values",
                "are too few: " + std::to_string(fitted.error().position) + ", 8 are needed");
}

nb::dict make_forecast(Forecaster& forecaster,
                       std::optional<std::int64_t> horizon,
                       const std::vector<double>& quantiles) {
  std::uint32_t steps = 0;
  const std::uint32_t asked = horizon ? whole(*horizon, "horizon") : 0;
  bool too_far = false;
  const Result<forecast::Forecast> made =
      forecaster.without_interpreter([&](forecast::Forecaster& one) {
        if (one.refit_due()) (void)one.refit();
        steps = horizon ? asked : one.options().horizon;
        too_far = steps == 0 || steps > one.options().horizon;
        return one.forecast(steps, quantiles);
      });
  if (!made) {
    if (made.error().code == ErrorCode::kUnavailable)
      raise_value("values", "are too few: 8 are needed");
    if (too_far) raise_value("horizon", "must be 1 to the forecaster's");
    raise_value("quantiles[" + std::to_string(made.error().position) + "]",
                "must be inside of 0 to 1");
  }
  std::vector<double> flat;
  for (const std::vector<double>& level : made->quantiles)
    flat.insert(flat.end(), level.begin(), level.end());
  nb::dict out;
  out["mean"] = to_array(std::vector<double>(made->mean));
  out["quantiles"] = to_rows(std::move(flat), quantiles.size(), steps);
  return out;
}

nb::bytes save(Forecaster& forecaster) {
  Writer out;
  forecaster.without_interpreter([&](forecast::Forecaster& one) { one.save(out); });
  return nb::bytes(out.bytes().data(), out.bytes().size());
}

void load(Forecaster& forecaster, const nb::bytes& bytes) {
  Reader in(std::string_view(bytes.c_str(), bytes.size()));
  const Result<void> read =
      forecaster.without_interpreter([&](forecast::Forecaster& one) { return one.load(in); });
  if (!read) raise_error("bytes", read.error());
}

void bind_forecaster(nb::module_& module) {
  nb::class_<Forecaster>(
      module, "Forecaster", R"(What a series of evenly spaced points does next, with quantiles.

horizon: steps ahead that can be asked, 1 to 10,000; the back-test tests just this one. seasons: after
how many points the series repeats itself, up to two, the shorter first; None to find them by test, []
for none. points_max: points kept, 64 to 100,000. measure: "relative", or "geometric" for load that
events drive. Thread-safe. Raises ValueError that names the argument.)")
      .def(
          "__init__",
          [](Forecaster* self,
             std::int64_t horizon,
             std::optional<std::vector<std::int64_t>> seasons,
             std::int64_t points_max,
             std::string_view measure) {
            new (self)
                Forecaster(forecast_options(horizon, std::move(seasons), points_max, measure));
          },
          "horizon"_a = 48,
          nb::kw_only(),
          "seasons"_a.none() = nb::none(),
          "points_max"_a = 20'000,
          "measure"_a = "relative")
      .def(
          "learn",
          [](Forecaster& forecaster, double value) {
            forecaster.with([&](forecast::Forecaster& one) { one.learn(value); });
          },
          "value"_a,
          "Adds one point.")
      .def("learn",
           &learn,
           "values"_a.none(),
           nb::sig("def learn(self, values: numpy.typing.ArrayLike) -> None"),
           "Adds points in order: float64 of shape (n,), not copied; lists, pandas and Arrow are. "
           "NaN is a missing one.")
      .def("refit",
           &refit,
           "Fits and tests the members anew: about 5 ms for 800 points. Raises ValueError below 8 "
           "values. The interpreter is free meanwhile.")
      .def("forecast",
           &make_forecast,
           "horizon"_a.none() = nb::none(),
           "quantiles"_a = std::vector<double>{.1, .5, .9},
           R"(What comes: ``{"mean": (h,), "quantiles": (levels, h)}``, float64.

Refits first when that is due. Raises ValueError for a horizon of 0 or beyond the forecaster's, a level
that is not inside of 0 to 1, and fewer than 8 values.)")
      .def_prop_ro("points",
                   [](Forecaster& forecaster) {
                     return forecaster.with([](forecast::Forecaster& one) { return one.points(); });
                   })
      .def("save", &save, "What was learnt, as bytes; options are not part of it.")
      .def("load", &load, "bytes"_a);
}

// --- ScalingPlanner ------------------------------------------------------------------------------

struct PlannedService {
  PlannedService(std::uint32_t horizon_minutes, scaling::ServiceOptions known)
      : options(known), service(horizon_minutes) {}
  scaling::ServiceOptions options;
  scaling::Service service;
};
using Planner = Guarded<PlannedService>;

/// A value as the API takes it; what lies outside is a mistake.
std::optional<double> within(std::optional<double> value, double high, const char* field) {
  if (value && !(*value >= 0 && *value <= high))
    raise_value(field, "must be 0 to " + std::to_string(high));
  return value;
}

bool observe(Planner& planner,
             nb::handle timestamp,
             std::optional<double> request_rate,
             std::optional<double> cpu_avg,
             std::optional<double> memory_avg,
             std::optional<double> response_time,
             std::optional<double> replicas) {
  using scaling::Observation;
  const EventTime at = event_time(timestamp);
  Observation seen;
  seen.request_rate = within(request_rate, scaling::LoadModel::kLoadMax, "request_rate");
  seen.cpu_ratio = within(cpu_avg, Observation::kRatioMax, "cpu_avg");
  seen.memory_ratio = within(memory_avg, Observation::kRatioMax, "memory_avg");
  seen.response_time_s = within(response_time, Observation::kResponseMax, "response_time");
  seen.replicas = within(replicas, Observation::kReplicasMax, "replicas");
  return planner.with(
      [&](PlannedService& one) { return one.service.observe(at, seen, one.options); });
}

using MaybeColumn = std::optional<Column<double>>;

MaybeColumn maybe_numbers(nb::handle values, const char* field) {
  return values.is_none() ? MaybeColumn() : numbers(values, field);
}

std::size_t observe_batch(Planner& planner,
                          nb::handle times_told,
                          nb::handle request_rates,
                          nb::handle cpu_avgs,
                          nb::handle memory_avgs,
                          nb::handle response_times,
                          nb::handle replica_counts) {
  using scaling::Observation;
  const Column<double> timestamps = times(times_told, "timestamps");
  const MaybeColumn request_rate = maybe_numbers(request_rates, "request_rate"),
                    cpu_avg = maybe_numbers(cpu_avgs, "cpu_avg"),
                    memory_avg = maybe_numbers(memory_avgs, "memory_avg"),
                    response_time = maybe_numbers(response_times, "response_time"),
                    replicas = maybe_numbers(replica_counts, "replicas");
  const std::size_t count = timestamps.shape(0);
  const auto value_of =
      [&](const MaybeColumn& column, std::size_t i, double high, const char* field) {
        if (!column) return std::optional<double>();
        if (column->shape(0) != count) raise_value(field, "must be as long as timestamps");
        const double value = column->data()[i];
        return value != value ? std::optional<double>() : within(value, high, field);
      };
  std::vector<std::pair<EventTime, Observation>> rows(count);
  for (std::size_t i = 0; i < count; ++i) {
    auto& [at, seen] = rows[i];
    at = event_time(timestamps.data()[i]);
    seen.request_rate = value_of(request_rate, i, scaling::LoadModel::kLoadMax, "request_rate");
    seen.cpu_ratio = value_of(cpu_avg, i, Observation::kRatioMax, "cpu_avg");
    seen.memory_ratio = value_of(memory_avg, i, Observation::kRatioMax, "memory_avg");
    seen.response_time_s = value_of(response_time, i, Observation::kResponseMax, "response_time");
    seen.replicas = value_of(replicas, i, Observation::kReplicasMax, "replicas");
  }
  std::size_t learnt = 0;
  planner.without_interpreter([&](PlannedService& one) {
    for (const auto& [at, seen] : rows)
      learnt += one.service.observe(at, seen, one.options) ? 1U : 0U;
  });
  return learnt;
}

nb::object advise(Planner& planner, nb::handle timestamp) {
  const EventTime now = event_time(timestamp);
  const scaling::Advice advice = planner.without_interpreter(
      [&](PlannedService& one) { return one.service.advise(now, one.options); });
  json::Writer out;
  api::write(advice, out);
  return from_json(out.text());
}

nb::object make_backtest(Planner& planner) {
  const auto played = planner.without_interpreter(
      [](PlannedService& one) { return scaling::backtest(one.service, one.options); });
  if (!played && played.error().code == ErrorCode::kConflict)
    raise_value("history",
                "is too short: " + std::to_string(played.error().position) + " minutes are needed");
  if (!played) raise_value("history", "does not show yet what an instance can take");
  json::Writer out;
  api::write(*played, out);
  return from_json(out.text());
}

void bind_planner(nb::module_& module) {
  nb::class_<Planner>(
      module,
      "ScalingPlanner",
      R"(How many instances a service will need for its coming peak, learnt from how it is used.

horizon_minutes: how far ahead, 1 to 240: what an instance takes to start. replicas_min, replicas_max:
bounds of the advice. shortage_cost: how many times more a missing instance costs than an idle one,
0.5 to 99,999. cooldown_s: no fewer instances for so long after there were more. Thread-safe.)")
      .def(
          "__init__",
          [](Planner* self,
             std::int64_t horizon_minutes,
             std::int64_t replicas_min,
             std::int64_t replicas_max,
             double shortage_cost,
             double cooldown_s) {
            const std::uint32_t horizon = whole(horizon_minutes, "horizon_minutes");
            if (horizon < 1 || horizon > scaling::LoadModel::kHorizonMax)
              raise_value("horizon_minutes", "must be 1 to 240");
            if (!(cooldown_s >= 0 && cooldown_s <= 86'400))
              raise_value("cooldown_s", "must be 0 to 86400");
            scaling::ServiceOptions options;
            options.replicas_min = whole(replicas_min, "replicas_min");
            options.replicas_max = whole(replicas_max, "replicas_max");
            options.shortage_cost = shortage_cost;
            options.cooldown = from_seconds(cooldown_s);
            raise_if_any(scaling::validate(options));
            new (self) Planner(horizon, options);
          },
          nb::kw_only(),
          "horizon_minutes"_a = 10,
          "replicas_min"_a = 1,
          "replicas_max"_a = 1000,
          "shortage_cost"_a = 99.,
          "cooldown_s"_a = 300.)
      .def("observe",
           &observe,
           "timestamp"_a,
           nb::kw_only(),
           "request_rate"_a.none() = nb::none(),
           "cpu_avg"_a.none() = nb::none(),
           "memory_avg"_a.none() = nb::none(),
           "response_time"_a.none() = nb::none(),
           "replicas"_a.none() = nb::none(),
           R"(Learns what was seen of the service at one moment; what is not known is left out.

request_rate: of the whole service, any unit. cpu_avg, memory_avg: 0 to 1, mean over its instances.
response_time: seconds. Returns False when the minute was closed by a later report. Raises ValueError
that names the argument.)")
      .def("observe_batch",
           &observe_batch,
           "timestamps"_a.none(),
           nb::kw_only(),
           "request_rate"_a.none() = nb::none(),
           "cpu_avg"_a.none() = nb::none(),
           "memory_avg"_a.none() = nb::none(),
           "response_time"_a.none() = nb::none(),
           "replicas"_a.none() = nb::none(),
           nb::sig("def observe_batch(self, timestamps: numpy.typing.ArrayLike, *,"
                   " request_rate: numpy.typing.ArrayLike | None = None,"
                   " cpu_avg: numpy.typing.ArrayLike | None = None,"
                   " memory_avg: numpy.typing.ArrayLike | None = None,"
                   " response_time: numpy.typing.ArrayLike | None = None,"
                   " replicas: numpy.typing.ArrayLike | None = None) -> int"),
           "The same for float64 of shape (n,) each, oldest first; NaN is not known. Times may be "
           "datetime64; lists, pandas and Arrow are copied. Returns how many were learnt. The "
           "interpreter is free while they are.")
      .def("advise",
           &advise,
           "timestamp"_a,
           "What to do, as ``POST /scaling`` answers: ``{\"predictions\", \"model\"}``. Changes "
           "nothing.")
      .def("backtest",
           &make_backtest,
           "What policies would have made of the last week, as ``GET /scaling/{service}/backtest`` "
           "answers. Raises ValueError while the history is too short.");
}

}  // namespace

void bind_forecasts(nb::module_& module) {
  bind_forecaster(module);
  bind_planner(module);
}

}  // namespace liminal::python
