#include "server/registry/experiment_text.hpp"

#include <cmath>

#include "io/json/fields.hpp"
#include "io/json/writer.hpp"

namespace liminal::registry {

using learn::ExperimentOptions;
using learn::ExperimentState;
using learn::ExperimentView;

std::string options_json(const ExperimentOptions& options) {
  json::Writer out;
  out.begin_object();
  out.field("split", options.mode == ExperimentOptions::Mode::kSplit);
  out.field("share", options.share);
  out.field("alpha", options.alpha);
  out.field("effect", options.effect);
  out.field("effect_ratio", options.effect_ratio);
  out.field("block_s", seconds(options.block));
  out.field("rows_min", options.rows_min);
  out.field("salt", std::to_string(options.salt));
  out.key("guards");
  out.begin_array();
  for (const learn::GuardRail& guard : options.guards) {
    out.begin_object();
    out.field("name", guard.name);
    out.field("tolerance", guard.tolerance);
    out.end_object();
  }
  out.end_array();
  out.end_object();
  return out.take();
}

std::optional<ExperimentOptions> options_of(const std::string& text) {
  using json::Need;
  const auto value = json::parse(text);
  if (!value) return std::nullopt;
  Problems problems;
  json::Fields in(*value, "", problems);
  ExperimentOptions options;
  const bool split = in.flag("split", Need::kRequired).value_or(false);
  options.mode = split ? ExperimentOptions::Mode::kSplit : ExperimentOptions::Mode::kShadow;
  options.share = in.number("share", Need::kRequired, 0, 1).value_or(.5);
  options.alpha = in.number("alpha", Need::kRequired, 0, 1).value_or(.05);
  options.effect = in.number("effect", Need::kRequired, 0, 1e9).value_or(.01);
  // What was kept before these were there goes on without them.
  options.effect_ratio = in.number("effect_ratio", Need::kOptional, 0, 1).value_or(0);
  options.block = from_seconds(in.number("block_s", Need::kOptional, 0, 1e6).value_or(0));
  options.rows_min = in.number("rows_min", Need::kRequired, 0, 1e9).value_or(100);
  options.salt = std::stoull("0" + in.text("salt", Need::kRequired, 1, 20).value_or("0"));
  if (const auto* guards = in.array("guards", Need::kRequired, 0, 16)) {
    for (std::size_t i = 0; i < guards->size(); ++i) {
      json::Fields guard = in.element("guards", i, (*guards)[i]);
      options.guards.push_back({guard.text("name", Need::kRequired, 1, 64).value_or(""),
                                guard.number("tolerance", Need::kRequired, 0, 1e9).value_or(0)});
    }
  }
  if (!problems.empty() || !options.validate().empty()) return std::nullopt;
  return options;
}

std::optional<double> finite_or_none(double value) {
  return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

ExperimentView::Decision decision_of(const learn::Experiment& experiment,
                                     const learn::ExperimentDecision& made) {
  std::string text;
  switch (made.state) {
    case ExperimentState::kRunning:
      break;
    case ExperimentState::kChallengerBetter:
      text = "the challenger is better: it may be loaded";
      break;
    case ExperimentState::kChampionBetter:
      text = "the champion is better: it stays";
      break;
    case ExperimentState::kNoDifference:
      text = "no difference that matters: the champion stays";
      break;
    case ExperimentState::kHarm:
      text = "the guard " + experiment.options().guards[made.guard].name +
             " broke: the challenger was taken out";
      break;
    case ExperimentState::kInvalid:
      text = "users did not come in the ratio that was meant: nothing can be said";
      break;
  }
  return {made.at,
          std::string(learn::name(made.state)),
          made.difference,
          finite_or_none(made.interval.low),
          finite_or_none(made.interval.high),
          made.rows,
          text};
}

}  // namespace liminal::registry
