#include "server/training/model_facts.hpp"

#include <fmt/format.h>

#include <cmath>

#include "core/learn/calibrate.hpp"
#include "io/json/value.hpp"
#include "io/json/writer.hpp"

namespace liminal::training {
namespace {

constexpr std::string_view kLevels = "levels.";

std::string json_list(const std::vector<std::string>& texts) {
  json::Writer out;
  out.begin_array();
  for (const std::string& text : texts) out.value(text);
  out.end_array();
  return out.take();
}

void add_figures(const learn::Figures& figures, models::Metadata& metadata) {
  const auto add = [&](const char* key, double value) {
    if (std::isfinite(value)) metadata.facts.emplace_back(key, fmt::format("{:.6g}", value));
  };
  add("roc_auc", figures.roc_auc);
  add("pr_auc", figures.pr_auc);
  add("brier", figures.brier);
  add("log_loss", figures.log_loss);
  add("mean_absolute_error", figures.mae);
  add("root_mean_square_error", figures.rmse);
}

/// Infinite, where there is too little to tell, it is left away.
void add_half_width(double coverage, double half, models::Metadata& metadata) {
  if (!std::isfinite(half)) return;
  metadata.facts.emplace_back(fmt::format("half_width.{}", coverage), fmt::format("{:.9g}", half));
}

}  // namespace

void describe(const learn::Table& table, models::Metadata& metadata) {
  for (const learn::Feature& feature : table.features) {
    metadata.features.push_back({feature.name, feature.unit});
    if (feature.category())
      metadata.facts.emplace_back(std::string(kLevels) + feature.name, json_list(feature.levels));
  }
}

void tell_half_widths(std::span<const float> said,
                      std::span<const float> labels,
                      models::Metadata& metadata) {
  for (const double coverage : {.8, .9, .95})
    add_half_width(coverage, learn::conformal_half_width(said, labels, coverage), metadata);
}

models::Model model_of(const learn::Table& table,
                       const learn::Outcome& outcome,
                       const learn::Trained& trained,
                       const RunFacts& facts) {
  models::Model model;
  models::Metadata& metadata = model.metadata;
  metadata.name = facts.name;
  metadata.task = facts.loss.classes() ? models::Task::kClassification : models::Task::kRegression;
  metadata.trainer = "builtin";
  describe(table, metadata);
  metadata.facts.emplace_back("target", facts.target);
  if (facts.loss.classes())
    metadata.facts.emplace_back("classes", json_list({facts.negative, facts.positive}));
  metadata.facts.emplace_back("rows", std::to_string(facts.rows));
  metadata.facts.emplace_back("seed", std::to_string(facts.seed));
  metadata.facts.emplace_back("validation", std::string(learn::name(facts.validation)));
  add_figures(trained.figures, metadata);
  metadata.facts.emplace_back(
      "figures", outcome.fresh ? "rows left out of training" : "rows of the validation");
  for (const auto& [coverage, half] : trained.intervals) add_half_width(coverage, half, metadata);
  model.predictor = trained.predictor;
  return model;
}

std::vector<std::string> levels_of(const models::Metadata& metadata, const std::string& feature) {
  std::vector<std::string> levels;
  const auto parsed = json::parse(fact(metadata, std::string(kLevels) + feature));
  if (!parsed) return levels;
  if (const auto* array = parsed->as<json::Value::Array>()) {
    for (const json::Value& value : *array)
      if (const auto* text = value.as<std::string>()) levels.push_back(*text);
  }
  return levels;
}

}  // namespace liminal::training
