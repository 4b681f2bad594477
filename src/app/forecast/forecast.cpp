#include "app/forecast/forecast.hpp"

#include <fmt/core.h>
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <memory>

#include "app/forecast/plot.hpp"
#include "app/forecast/series_file.hpp"
#include "core/forecast/forecaster.hpp"
#include "io/json/time_text.hpp"

namespace liminal::app {
namespace {

/// What the arguments say, as the core wants it; a text when they say nonsense.
tl::expected<forecast::Options, std::string> options_of(const ForecastArguments& arguments) {
  forecast::Options options;
  options.horizon = arguments.horizon;
  options.points_max = 100'000;
  if (arguments.weigh_by == "geometric") options.measure = forecast::ErrorMeasure::kGeometric;
  std::vector<std::uint32_t> seasons = arguments.seasons;
  std::sort(seasons.begin(), seasons.end());
  if (seasons.size() > 2) return tl::unexpected<std::string>("--season can be given twice at most");
  if (seasons.size() == 1) options.seasons = forecast::Seasons{seasons[0], 0};
  if (seasons.size() == 2) options.seasons = forecast::Seasons{seasons[0], seasons[1]};
  for (const double level : arguments.quantiles) {
    if (!(level > 0 && level < 1))
      return tl::unexpected<std::string>("--quantiles must lie between 0 and 1");
  }
  if (const Problems problems = options.validate(); !problems.empty()) {
    const std::string option = problems[0].key == "horizon" ? "--horizon" : "--season";
    return tl::unexpected<std::string>(option + ' ' + problems[0].text);
  }
  return options;
}

/// A name as a field of CSV.
std::string quoted(const std::string& name) {
  if (name.find_first_of(",\"\n\r;\t") == std::string::npos) return name;
  std::string out = "\"";
  for (const char c : name) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + '"';
}

class ForecastRun {
 public:
  ForecastRun(const ForecastArguments& arguments,
              const forecast::Options& options,
              std::FILE* out,
              std::FILE* complaints)
      : arguments_(arguments), options_(options), out_(out), complaints_(complaints) {}

  ExitCode run() {
    auto file = open_table_file(arguments_.file);
    if (!file) return ExitCode::kFailed;
    std::vector<std::string> passed_over;
    file->passed_over = &passed_over;
    const auto read = read_series(*file, {arguments_.column, arguments_.time});
    tell_passed_over(passed_over, complaints_);
    if (!read) return fail(read.error());
    if (!arguments_.plot.empty() && read->series.size() > 1)
      return fail(fmt::format("{}: --plot shows one series, and this has several", file->name));
    write_header(read->by_row);
    bool all = true;
    for (const NamedSeries& series : read->series) all &= answer(file->name, series, read->by_row);
    if (std::fflush(out_) != 0 || std::ferror(out_) != 0)
      return fail("the forecast could not be written");
    return all ? ExitCode::kDone : ExitCode::kFailed;
  }

 private:
  ExitCode fail(const std::string& why) {
    fmt::print(complaints_, "liminal: {}\n", why);
    return ExitCode::kFailed;
  }

  void write_header(bool by_row) {
    fmt::print(out_, "{}step,mean", by_row ? "series," : "");
    for (const double level : arguments_.quantiles) fmt::print(out_, ",q{}", level);
    fmt::print(out_, "{},member,weight,error\n", arguments_.time.empty() ? "" : ",time");
  }

  bool answer(const std::string& file, const NamedSeries& series, bool by_row) {
    forecast::Forecaster forecaster(options_);
    for (const double value : series.values) forecaster.learn(value);
    if (const auto fitted = forecaster.refit(); !fitted) {
      fail(fmt::format("{}: {} has {} values, {} are needed",
                       file,
                       series.name,
                       fitted.error().position,
                       forecast::Forecaster::kValuesMin));
      return false;
    }
    const auto said = forecaster.forecast(options_.horizon, arguments_.quantiles);
    if (!said) {
      fail(fmt::format("{}: {} has no values near its end", file, series.name));
      return false;
    }
    write(series, *said, *forecaster.model(), by_row);
    if (arguments_.explain) explain(series, *forecaster.model());
    if (arguments_.plot.empty()) return true;
    std::ofstream plot(arguments_.plot, std::ios::binary);
    plot << plot_forecast(series, forecaster, *said, arguments_.quantiles);
    plot.close();
    if (!plot) fail(fmt::format("{}: cannot be written", arguments_.plot));
    return static_cast<bool>(plot);
  }

  void write(const NamedSeries& series,
             const forecast::Forecast& said,
             const forecast::Model& model,
             bool by_row) {
    const std::string spoke[] = {speaker(model.standing, 0), speaker(model.standing, 1)};
    const auto seen = static_cast<double>(series.values.size());
    for (std::size_t h = 0; h < said.mean.size(); ++h) {
      if (by_row) fmt::print(out_, "{},", quoted(series.name));
      fmt::print(out_, "{},{}", h + 1, said.mean[h]);
      for (const auto& quantile : said.quantiles) fmt::print(out_, ",{}", quantile[h]);
      if (!arguments_.time.empty()) {
        const double at = series.begin_s + series.step_s * (seen + static_cast<double>(h));
        fmt::print(out_,
                   ",{}",
                   json::format_time(SteadyTime{
                       std::chrono::duration_cast<Duration>(std::chrono::duration<double>(at))}));
      }
      fmt::print(out_, ",{}\n", spoke[h < model.plan.half() ? 0 : 1]);
    }
  }

  /// The member that is believed most in a half of the horizon: its name, its weight there, and its
  /// error in the back-test, empty without one.
  static std::string speaker(const forecast::Standing& standing, std::size_t half) {
    const forecast::Member member = standing.heaviest(half);
    const auto m = static_cast<std::size_t>(member);
    return fmt::format("{},{:.4g},{}",
                       name(member),
                       standing.weights[half][m],
                       standing.origins > 0 ? fmt::format("{:.4g}", standing.errors[half][m]) : "");
  }

  /// Who spoke, with which weight, and how each did in the back-test.
  void explain(const NamedSeries& series, const forecast::Model& model) {
    const forecast::Plan& plan = model.plan;
    const forecast::Standing& standing = model.standing;
    fmt::print(complaints_, "{}: {} points, ", series.name, series.values.size());
    if (plan.seasons.week > 0) {
      fmt::print(complaints_, "seasons of {} and {} points", plan.seasons.day, plan.seasons.week);
    } else if (plan.seasons.day > 0) {
      fmt::print(complaints_, "a season of {} points", plan.seasons.day);
    } else {
      fmt::print(complaints_, "no season");
    }
    fmt::print(
        complaints_, "; tested from {} places, {} refits\n", standing.origins, standing.cuts);
    if (model.shift_at > 0) {
      fmt::print(complaints_,
                 "the level moved by the factor {:.3g} at point {}: {}\n",
                 model.shift_factor,
                 model.shift_at + 1,
                 model.shift_certain()
                     ? "what lies before was moved along"
                     : "not for a day yet, so that quantiles are wide enough for both levels");
    }
    fmt::print(complaints_,
               "{:<17} {:>15} {:>19}\n{:<17} {:>7} {:>7} {:>9} {:>9}\n",
               "",
               "weight",
               "error",
               "member",
               "near",
               "far",
               "near",
               "far");
    for (std::size_t m = 0; m < forecast::kMembers; ++m) {
      if (!speaks(static_cast<forecast::Member>(m), plan)) continue;
      fmt::print(complaints_,
                 "{:<17} {:>7.3f} {:>7.3f} {:>9.4f} {:>9.4f}\n",
                 name(static_cast<forecast::Member>(m)),
                 standing.weights[0][m],
                 standing.weights[1][m],
                 standing.errors[0][m],
                 standing.errors[1][m]);
    }
  }

  const ForecastArguments& arguments_;
  const forecast::Options& options_;
  std::FILE* out_;
  std::FILE* complaints_;
};

}  // namespace

ExitCode run_forecast(const ForecastArguments& arguments, std::FILE* out, std::FILE* complaints) {
  const auto options = options_of(arguments);
  if (!options) {
    fmt::print(complaints, "liminal: {}\n", options.error());
    return ExitCode::kUsage;
  }
  return ForecastRun(arguments, *options, out, complaints).run();
}

void add_forecast(CLI::App& parent, Run& chosen) {
  auto* command = parent.add_subcommand("forecast", "Forecast a series of evenly spaced values");
  auto arguments = std::make_shared<ForecastArguments>();
  command->add_option("FILE", arguments->file, "Values as CSV or NDJSON; - is the standard input")
      ->required();
  command->add_option("--horizon", arguments->horizon, "Steps ahead, 1 to 10000")->required();
  command->add_option("--column", arguments->column, "The values' column, by name or number");
  command->add_option(
      "--time",
      arguments->time,
      "A column of times (RFC 3339 or seconds): gaps become missing values (default: "
      "timestamp, time, datetime, date or t, else the first of dates)");
  command->add_option("--season",
                      arguments->seasons,
                      "Points after which the series repeats itself, at most twice (24 and 168); "
                      "0 for never; found by test when not given");
  command->add_option("--quantiles", arguments->quantiles, "Levels between 0 and 1 (.1,.5,.9)")
      ->delimiter(',');
  command
      ->add_option(
          "--weigh-by",
          arguments->weigh_by,
          "How members are compared: relative error, or geometric for load that events drive")
      ->check(CLI::IsMember({"relative", "geometric"}));
  command->add_option("--plot", arguments->plot, "Draw history and forecast to this file, as SVG");
  command->add_flag("--explain", arguments->explain, "Say of every member how it did");
  command->footer(
      "\nWrites step,mean and the quantiles, one line a step, and of the nine members whose "
      "weighted mean\n"
      "it is the one that is believed most there, its weight and its error in the back-test. Rows "
      "that\n"
      "begin with a name are series of their own (as M4's files) and give a line per series and "
      "step.\n"
      "Empty, NaN and NA are missing. Lines of JSON objects are rows, too, with the names of the "
      "first.\n"
      "\n  liminal forecast requests.csv --column requests --horizon 48 --plot requests.svg\n");
  command->callback([&chosen, arguments] {
    chosen = [arguments] { return run_forecast(*arguments, stdout, stderr); };
  });
}

}  // namespace liminal::app
