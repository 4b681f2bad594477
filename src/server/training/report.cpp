#include "server/training/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/random.hpp"
#include "core/learn/drift.hpp"
#include "core/learn/metrics.hpp"
#include "core/models/evaluator.hpp"
#include "io/json/writer.hpp"

namespace liminal::training {
namespace {

constexpr std::size_t kImportanceRows = 1000;
constexpr double kDriftMin = .2;
constexpr double kCalibrationMax = .05;
constexpr double kTooGood = .999;
constexpr double kPowerUsual = 300;  ///< positives below which little can be told

const learn::Trained& deciding(const learn::Outcome& outcome) {
  return outcome.champion ? *outcome.champion : outcome.best;
}

/// Larger is better: ROC-AUC, or −mean absolute error.
double quality(std::span<const float> scores,
               std::span<const float> labels,
               const learn::Loss& loss) {
  return loss.classes() ? learn::roc_auc(scores, labels)
                        : -learn::mean_absolute_error(scores, labels);
}

std::vector<float> answers(const models::Evaluator& evaluator,
                           std::span<const float> rows,
                           std::size_t count) {
  std::vector<models::Prediction> said(count);
  evaluator.predict_batch(rows, said);
  std::vector<float> scores;
  for (const models::Prediction& one : said) scores.push_back(static_cast<float>(one.score));
  return scores;
}

void write_figures(json::Writer& out, const learn::Figures& figures, const learn::Loss& loss) {
  out.begin_object();
  if (loss.classes()) {
    out.field("roc_auc", figures.roc_auc);
    out.field("pr_auc", figures.pr_auc);
    out.field("brier", figures.brier);
    out.field("log_loss", figures.log_loss);
    out.field("recall_at_alerts", figures.recall_at_alerts);
    out.field("alert_ratio", learn::kAlertRatio);
    out.field("calibration_error", figures.calibration_error);
  } else {
    out.field("mean_absolute_error", figures.mae);
    out.field("root_mean_square_error", figures.rmse);
    out.field("pinball_loss", figures.pinball);
    out.field("pinball_level", loss.level);
    out.field("at_or_below_ratio", figures.at_or_below);
  }
  out.end_object();
}

void write_model(json::Writer& out,
                 const char* name,
                 const learn::Trained& model,
                 const learn::Loss& loss) {
  out.key(name);
  out.begin_object();
  out.key("metrics");
  write_figures(out, model.figures, loss);
  out.field("us_row", model.cost.us_row);
  out.field("memory_bytes", model.cost.memory_bytes);
  out.end_object();
}

void write_leaderboard(json::Writer& out, const learn::Outcome& outcome) {
  out.key("leaderboard");
  out.begin_array();
  for (const learn::LeaderboardLine& line : outcome.leaderboard) {
    out.begin_object();
    out.field("recipe", line.recipe);
    out.field("score", line.score);
    out.field("fits", line.fits);
    out.field("cost_s", line.cost_s);
    out.field("us_row", line.cost.us_row);
    out.field("memory_bytes", line.cost.memory_bytes);
    out.field("weight", line.weight);
    out.field("champion", line.champion);
    out.end_object();
  }
  out.end_array();
}

template <class List, class Value>
void write_pairs(
    json::Writer& out, const char* name, const List& list, const char* what, Value value) {
  out.key(name);
  out.begin_array();
  for (const auto& one : list) {
    out.begin_object();
    out.field("feature", one.feature);
    out.field(what, value(one));
    out.end_object();
  }
  out.end_array();
}

void write_texts(json::Writer& out, const char* name, const std::vector<std::string>& texts) {
  out.key(name);
  out.begin_array();
  for (const std::string& text : texts) out.value(text);
  out.end_array();
}

}  // namespace

std::vector<Importance> importance_of(const learn::Table& table,
                                      const learn::Outcome& outcome,
                                      const RunFacts& facts) {
  std::vector<Importance> found;
  const auto evaluator =
      models::Evaluator::create(model_of(table, outcome, deciding(outcome), facts));
  if (!evaluator) return found;
  const std::size_t width = table.features.size();
  Random random(facts.seed);
  std::vector<std::uint32_t> rows = outcome.rows;
  const std::size_t count = std::min(rows.size(), kImportanceRows);
  for (std::size_t i = 0; i < count; ++i)
    std::swap(rows[i], rows[i + random.below(rows.size() - i)]);
  std::vector<float> values, labels;
  for (std::size_t i = 0; i < count; ++i) {
    const auto row = table.row(rows[i]);
    values.insert(values.end(), row.begin(), row.end());
    labels.push_back(table.labels[rows[i]]);
  }
  const double whole = quality(answers(*evaluator, values, count), labels, facts.loss);
  for (std::size_t f = 0; f < width; ++f) {
    std::vector<float> dealt = values;
    for (std::size_t i = count; i > 1; --i)
      std::swap(dealt[(i - 1) * width + f], dealt[random.below(i) * width + f]);
    const double without = quality(answers(*evaluator, dealt, count), labels, facts.loss);
    const double loss = whole - without;
    found.push_back(
        {table.features[f].name, facts.loss.classes() ? loss : loss / std::max(-whole, 1e-30)});
  }
  std::stable_sort(
      found.begin(), found.end(), [](const auto& a, const auto& b) { return a.loss > b.loss; });
  return found;
}

std::vector<FeatureDrift> drift_between(const learn::Table& last, const learn::Table& now) {
  std::vector<FeatureDrift> found;
  const auto column = [](const learn::Table& table, std::size_t f) {
    std::vector<float> values;
    for (std::size_t i = 0; i < table.rows(); ++i) values.push_back(table.row(i)[f]);
    return values;
  };
  for (std::size_t a = 0; a < last.features.size(); ++a) {
    for (std::size_t b = 0; b < now.features.size(); ++b) {
      const learn::Feature &before = last.features[a], &after = now.features[b];
      if (before.name != after.name || before.category() || after.category()) continue;
      found.push_back(
          {after.name, learn::stability(learn::Reference::learn(column(last, a)), column(now, b))});
    }
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return a.stability > b.stability;
  });
  return found;
}

std::vector<std::string> next_steps(const Report& report) {
  const learn::Outcome& outcome = *report.outcome;
  std::vector<std::string> steps;
  if (report.facts.loss.classes()) {
    const std::size_t positives = learn::positives(outcome.labels);
    const double auc = outcome.best.figures.roc_auc;
    if (auc > kTooGood) {
      steps.push_back(fmt::format(
          "ROC-AUC {:.4f} is too good to be true: look whether {} says the label itself",
          auc,
          report.importance.empty() ? std::string("a feature") : report.importance[0].feature));
    }
    const double needed = std::max(outcome.positives_needed, kPowerUsual);
    if (static_cast<double>(positives) < needed) {
      steps.push_back(fmt::format(
          "Collect labels: {} positives judge these models, and about {:.0f} are needed "
          "to tell a difference of .005 in ROC-AUC",
          positives,
          needed));
    }
    if (deciding(outcome).figures.calibration_error > kCalibrationMax)
      steps.push_back("Do not read the scores as probabilities yet: they are off by more than .05");
  }
  for (const FeatureDrift& drift : report.drift) {
    if (drift.stability < kDriftMin) break;
    steps.push_back(
        fmt::format("Find out why {} changed since the last run (stability index {:.2f})",
                    drift.feature,
                    drift.stability));
  }
  if (report.facts.validation == learn::Validation::kFolds ||
      report.facts.validation == learn::Validation::kHoldout)
    steps.push_back(
        "Name the column of times, if there is one: a split at random promises too much "
        "where things change");
  if (!outcome.champion) {
    steps.push_back(
        "No model is within the budget for every message: raise it, or use the best for batches");
  } else {
    steps.push_back(
        "Let the model run in shadow beside what runs now, and promote it by the paired test");
  }
  return steps;
}

std::string report_json(const Report& report) {
  const learn::Outcome& outcome = *report.outcome;
  const learn::Loss& loss = report.facts.loss;
  json::Writer out;
  out.begin_object();
  out.field("name", report.facts.name);
  out.field("task", loss.classes() ? "classification" : "regression");
  out.field("target", report.facts.target);
  out.field("objective", std::string(learn::name(report.facts.objective)));
  out.field("seed", report.facts.seed);
  out.field("elapsed_s", report.facts.elapsed_s);
  out.key("data");
  out.begin_object();
  out.field("rows", report.table->rows());
  out.field("features", report.table->features.size());
  if (loss.classes()) out.field("positives", learn::positives(report.table->labels));
  write_texts(out, "notes", report.notes);
  out.end_object();
  out.field("validation", std::string(learn::name(report.facts.validation)));
  out.field("figure_rows", outcome.rows.size());
  out.field("figure_rows_fresh", outcome.fresh);
  out.field("fitted_again_on_all_rows", report.fitted_again);
  write_model(out, "best", outcome.best, loss);
  if (outcome.champion) write_model(out, "champion", *outcome.champion, loss);
  out.field("best_is_champion", outcome.best_is_champion);
  write_leaderboard(out, outcome);
  if (loss.classes()) {
    out.key("calibration");
    out.begin_array();
    for (const auto& bin : learn::calibration_bins(deciding(outcome).scores, outcome.labels, 10)) {
      out.begin_object();
      out.field("rows", bin.rows);
      out.field("predicted", bin.predicted);
      out.field("observed", bin.observed);
      out.end_object();
    }
    out.end_array();
    out.field("positives_needed", outcome.positives_needed);
  } else {
    out.key("intervals");
    out.begin_array();
    for (const auto& [coverage, half] : outcome.best.intervals) {
      out.begin_object();
      out.field("coverage", coverage);
      out.field("half_width", half);
      out.end_object();
    }
    out.end_array();
  }
  write_pairs(
      out, "importance", report.importance, "loss", [](const Importance& one) { return one.loss; });
  write_pairs(out, "drift", report.drift, "stability", [](const FeatureDrift& one) {
    return one.stability;
  });
  write_texts(out, "next_steps", next_steps(report));
  out.end_object();
  return out.take();
}

}  // namespace liminal::training
