#include "server/api/forecast_answers.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

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
void write_members(const forecast::Model& model, json::Writer& out) {
  const forecast::Standing& standing = model.standing;
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
    if (!speaks(member, model.plan)) continue;
    out.begin_object();
    out.field("member", name(member));
    write_half("near", standing, 0, m, out);
    write_half("far", standing, 1, m, out);
    out.end_object();
  }
  out.end_array();
}

void write_numbers(std::string_view name, const std::vector<double>& numbers, json::Writer& out) {
  out.key(name);
  out.begin_array();
  for (const double number : numbers) out.value(number);
  out.end_array();
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
  out.key("quantiles");
  out.begin_array();
  for (std::size_t i = 0; i < request.levels.size(); ++i) {
    out.begin_object();
    out.field("level", request.levels[i]);
    write_numbers("values", made.said.quantiles[i], out);
    out.end_object();
  }
  out.end_array();
  write_members(model, out);
  out.key("backtest");
  out.begin_object();
  out.field("origins", model.standing.origins);
  out.field("refits", model.standing.cuts);
  out.end_object();
  out.key("seasons");
  out.begin_array();
  for (const std::uint32_t season : {model.plan.seasons.day, model.plan.seasons.week}) {
    if (season > 0) out.value(season);
  }
  out.end_array();
  out.key("level_shift");
  if (model.shift_at > 0) {
    out.begin_object();
    out.field("point", model.shift_at);
    out.field("factor", model.shift_factor);
    out.field("certain", model.shift_certain());
    out.end_object();
  } else {
    out.null();
  }
  out.field("model", "forecast");
  out.end_object();
}

}  // namespace liminal::api
