#include "server/api/forecast_answers.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <string>
#include <utility>

#include "core/forecast/spacing.hpp"
#include "server/api/metric_rows.hpp"

namespace liminal::api {
namespace {

using json::Need;

constexpr std::size_t kProblemsMax = 20;
constexpr double kStepMin = 1e-3, kStepMax = 366 * 86'400.;

std::string place(std::string_view list, std::size_t i) {
  return std::string(list) + "[" + std::to_string(i) + "]";
}

class ForecastReader {
 public:
  explicit ForecastReader(json::Fields& in) : in_(in) {}

  ForecastRequest read() {
    read_options();
    read_levels();
    const bool values = in_.has("values"), rows = in_.has("rows");
    if (values == rows) {
      in_.wrong("values", values ? "is told beside rows: one of them counts" : "is missing");
    } else if (values) {
      read_values();
    } else {
      read_rows();
    }
    const auto step = in_.has("step_s") ? in_.number("step_s", Need::kOptional, kStepMin, kStepMax)
                                        : std::nullopt;
    if (step && !rows) in_.wrong("step_s", "is of rows: values are a step apart");
    if (rows && !values && wrongs_ == 0) space(step);
    return std::move(out_);
  }

 private:
  void wrong(std::string_view name, std::string text) {
    if (++wrongs_ <= kProblemsMax) in_.wrong(name, std::move(text));
  }

  void read_options() {
    out_.options.points_max = kForecastPointsMax;
    if (in_.has("horizon")) {
      if (const auto steps = in_.whole("horizon", Need::kOptional, 1, kForecastHorizonMax))
        out_.options.horizon = static_cast<std::uint32_t>(*steps);
    }
    const auto measure = [](std::string_view word) -> std::optional<forecast::ErrorMeasure> {
      if (word == "relative") return forecast::ErrorMeasure::kRelative;
      if (word == "geometric") return forecast::ErrorMeasure::kGeometric;
      return std::nullopt;
    };
    if (in_.has("weigh_by")) {
      if (const auto by = in_.one_of("weigh_by", Need::kOptional, measure, "relative or geometric"))
        out_.options.measure = *by;
    }
    if (!in_.has("seasons")) return;
    const auto* seasons = in_.array("seasons", Need::kOptional, 0, 2);
    if (seasons == nullptr) return;
    forecast::Seasons told;
    for (std::size_t i = 0; i < seasons->size(); ++i) {
      const auto points = json::as_whole((*seasons)[i]);
      if (!points || *points < 2 || *points > kForecastPointsMax)
        return wrong(place("seasons", i), "must be a whole number of 2 to 20000 points");
      (i == 0 ? told.day : told.week) = static_cast<std::uint32_t>(*points);
    }
    if (seasons->size() == 2 && told.week <= told.day)
      return wrong("seasons", "must be the shorter one first");
    out_.options.seasons = told;
  }

  void read_levels() {
    if (!in_.has("quantiles")) return;
    const auto* levels = in_.array("quantiles", Need::kOptional, 0, kForecastLevelsMax);
    if (levels == nullptr) return;
    out_.levels.clear();
    for (std::size_t i = 0; i < levels->size(); ++i) {
      const auto level = json::as_number((*levels)[i]);
      if (!level || !(*level > 0 && *level < 1)) {
        wrong(place("quantiles", i), "must be a number between 0 and 1");
      } else {
        out_.levels.push_back(*level);
      }
    }
  }

  /// A number, or NaN for null.
  double value_of(const json::Value& value, const std::string& where) {
    if (value.as<std::nullptr_t>() != nullptr) return NAN;
    const auto number = json::as_number(value);
    if (number && std::abs(*number) <= kMetricValueMax) return *number;
    wrong(where, "must be a number from -1e100 to 1e100, or null");
    return NAN;
  }

  void read_values() {
    const auto* values = in_.array("values", Need::kOptional, 1, kForecastPointsMax);
    if (values == nullptr) return;
    out_.values.reserve(values->size());
    for (std::size_t i = 0; i < values->size(); ++i)
      out_.values.push_back(value_of((*values)[i], place("values", i)));
  }

  void read_rows() {
    const auto* rows = in_.array("rows", Need::kOptional, 2, kForecastPointsMax);
    if (rows == nullptr) {
      ++wrongs_;
      return;
    }
    for (std::size_t i = 0; i < rows->size() && wrongs_ < kProblemsMax; ++i) {
      json::Fields row = in_.element("rows", i, (*rows)[i]);
      const auto at = row.time("timestamp", Need::kRequired);
      const auto value =
          row.is_null("value")
              ? std::optional<double>(NAN)
              : row.number("value", Need::kRequired, -kMetricValueMax, kMetricValueMax);
      row.finish();
      const auto* members = (*rows)[i].as<json::Value::Object>();
      if (!at || !value || members->size() > 2) {
        ++wrongs_;
        continue;
      }
      if (last_ && *at <= *last_)
        wrong(place("rows", i) + ".timestamp", "must be after the row before it");
      if (!first_) first_ = at;
      last_ = at;
      times_.push_back(seconds(at->time_since_epoch()));
      out_.values.push_back(*value);
    }
  }

  void space(std::optional<double> step) {
    out_.step_s = step.value_or(forecast::usual_step(times_));
    if (!(out_.step_s >= kStepMin))
      return wrong("step_s", "must be told: rows lie less than a millisecond apart");
    // By the rows' own distance irregular times make no gaps; by another one time must not bend.
    const auto space_by = step ? forecast::place_on_grid : forecast::space_evenly;
    auto spaced = space_by(times_, out_.values, out_.step_s, kForecastPointsMax);
    if (!spaced)
      return wrong(place("rows", spaced.error().position) + ".timestamp",
                   "makes more than 20000 steps: tell a longer step_s");
    out_.values = std::move(*spaced);
    out_.next = step ? *first_ + from_seconds(*step * static_cast<double>(out_.values.size()))
                     : *last_ + from_seconds(out_.step_s);
  }

  json::Fields& in_;
  ForecastRequest out_;
  std::vector<double> times_;
  std::optional<EventTime> first_, last_;
  std::size_t wrongs_ = 0;
};

void write_half(std::string_view name,
                const forecast::Standing& standing,
                std::size_t half,
                std::size_t member,
                json::Writer& out) {
  out.key(name);
  out.begin_object();
  out.field("weight", standing.weights[half][member]);
  out.field("error",
            standing.origins > 0 ? std::optional(standing.errors[half][member]) : std::nullopt);
  out.end_object();
}

/// Who spoke, the one that is believed most first.
void write_members(const forecast::Plan& plan,
                   const forecast::Standing& standing,
                   json::Writer& out) {
  std::vector<std::size_t> order(forecast::kMembers);
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto weight = [&](std::size_t m) {
    return standing.weights[0][m] + standing.weights[1][m];
  };
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return weight(a) > weight(b);
  });
  out.key("members");
  out.begin_array();
  for (const std::size_t m : order) {
    const auto member = static_cast<forecast::Member>(m);
    if (!speaks(member, plan)) continue;
    out.begin_object();
    out.field("member", name(member));
    write_half("near", standing, 0, m, out);
    write_half("far", standing, 1, m, out);
    out.end_object();
  }
  out.end_array();
}

void write_numbers(std::string_view name, std::span<const double> numbers, json::Writer& out) {
  out.key(name);
  out.begin_array();
  for (const double number : numbers) out.value(number);
  out.end_array();
}

void write_quantiles(std::span<const double> levels,
                     const forecast::Forecast& said,
                     std::size_t steps,
                     json::Writer& out) {
  out.key("quantiles");
  out.begin_array();
  for (std::size_t i = 0; i < levels.size(); ++i) {
    out.begin_object();
    out.field("level", levels[i]);
    write_numbers("values", std::span(said.quantiles[i]).first(steps), out);
    out.end_object();
  }
  out.end_array();
}

void write_backtest(const forecast::Standing& standing, json::Writer& out) {
  out.key("backtest");
  out.begin_object();
  out.field("origins", standing.origins);
  out.field("refits", standing.cuts);
  out.end_object();
}

void write_seasons(const forecast::Seasons& seasons, json::Writer& out) {
  out.key("seasons");
  out.begin_array();
  for (const std::uint32_t season : {seasons.day, seasons.week}) {
    if (season > 0) out.value(season);
  }
  out.end_array();
}

void write_level_shift(std::uint64_t point, double factor, bool certain, json::Writer& out) {
  out.key("level_shift");
  if (point == 0) return out.null();
  out.begin_object();
  out.field("point", point);
  out.field("factor", factor);
  out.field("certain", certain);
  out.end_object();
}

/// What a metric is counted in, as its name says; nothing when it does not.
std::optional<std::string_view> unit_of(std::string_view metric) {
  if (metric.ends_with("_per_second"))
    return metric.find("bytes") != std::string_view::npos ? "B/s" : "1/s";
  constexpr std::pair<std::string_view, std::string_view> kEndings[]{{"_seconds", "s"},
                                                                     {"_bytes", "B"},
                                                                     {"_bits", "bit"},
                                                                     {"_ratio", "1"},
                                                                     {"connections", "1"},
                                                                     {"users", "1"}};
  for (const auto& [ending, unit] : kEndings) {
    if (metric.ends_with(ending)) return unit;
  }
  return std::nullopt;
}

void write_time(std::string_view name, EventTime at, json::Writer& out) {
  out.field(name, SteadyTime{at.time_since_epoch()});
}

void write(const forecast::Outlook& outlook, std::size_t steps, json::Writer& out) {
  steps = std::min(steps, outlook.ahead.mean.size());
  out.begin_object();
  write_time("begins", outlook.begins, out);
  write_time("refitted_at", outlook.refitted_at, out);
  out.field("missing", outlook.missing);
  write_numbers("mean", std::span(outlook.ahead.mean).first(steps), out);
  write_quantiles(forecast::TimedForecaster::kLevels, outlook.ahead, steps, out);
  write_members(outlook.plan, outlook.standing, out);
  write_backtest(outlook.standing, out);
  write_seasons(outlook.plan.seasons, out);
  write_level_shift(outlook.shift_at, outlook.shift_factor, outlook.shift_certain, out);
  out.end_object();
}

void write_series(const ForecastSeries& series, json::Writer& out) {
  const auto minutes = std::chrono::ceil<std::chrono::minutes>(series.lacks);
  out.field("source", series.source);
  out.field("metric", series.metric);
  out.field("unit", unit_of(series.metric));
  out.field("state", series.outlook != nullptr ? "ready" : "learning");
  out.field("minutes_missing", minutes.count());
  out.field("points", series.points);
  out.field("step_s", seconds(forecast::TimedForecaster::Step{1}));
}

}  // namespace

ForecastRequest read_forecast(json::Fields& in) { return ForecastReader(in).read(); }

std::optional<MadeForecast> make_forecast(const ForecastRequest& request, Problems& problems) {
  const std::string list = request.next ? "rows" : "values";
  MadeForecast made{forecast::Forecaster(request.options), {}};
  for (const double value : request.values) made.forecaster.learn(value);
  if (const auto fitted = made.forecaster.refit(); !fitted) {
    problems.push_back({list,
                        "hold " + std::to_string(fitted.error().position) + " numbers, " +
                            std::to_string(forecast::Forecaster::kValuesMin) + " are needed"});
    return std::nullopt;
  }
  auto said = made.forecaster.forecast(request.options.horizon, request.levels);
  if (!said) {
    problems.push_back({list, "end with too many missing values"});
    return std::nullopt;
  }
  made.said = std::move(*said);
  return made;
}

void write(const ForecastRequest& request, const MadeForecast& made, json::Writer& out) {
  const forecast::Model& model = *made.forecaster.model();
  const auto& values = request.values;
  out.begin_object();
  out.field("points", values.size());
  out.field("missing", std::count_if(values.begin(), values.end(), [](double one) {
              return std::isnan(one);
            }));
  out.key("begins");
  if (request.next) {
    out.value(SteadyTime{request.next->time_since_epoch()});
  } else {
    out.null();
  }
  out.field("step_s", request.next ? std::optional(request.step_s) : std::nullopt);
  write_numbers("mean", made.said.mean, out);
  write_quantiles(request.levels, made.said, made.said.mean.size(), out);
  write_members(model.plan, model.standing, out);
  write_backtest(model.standing, out);
  write_seasons(model.plan.seasons, out);
  write_level_shift(model.shift_at, model.shift_factor, model.shift_certain(), out);
  out.field("model", "forecast");
  out.end_object();
}

void write_summary(const ForecastSeries& series, json::Writer& out) {
  const forecast::Outlook* const outlook = series.outlook.get();
  out.begin_object();
  write_series(series, out);
  write_seasons(outlook != nullptr ? outlook->plan.seasons : forecast::Seasons{}, out);
  out.key("backtest");
  if (outlook == nullptr) {
    out.null();
  } else {
    const forecast::Standing& standing = outlook->standing;
    const forecast::Member first = standing.heaviest(0);
    out.begin_object();
    out.field("origins", standing.origins);
    out.field("refits", standing.cuts);
    out.field("member", name(first));
    out.field("error",
              standing.origins > 0
                  ? std::optional(standing.errors[0][static_cast<std::size_t>(first)])
                  : std::nullopt);
    out.end_object();
  }
  out.end_object();
}

void write(const ForecastSeries& series, std::size_t steps, json::Writer& out) {
  out.begin_object();
  write_series(series, out);
  out.key("forecast");
  if (series.outlook == nullptr) {
    out.null();
  } else {
    write(*series.outlook, steps, out);
  }
  out.field("model", "forecast");
  out.end_object();
}

}  // namespace liminal::api
