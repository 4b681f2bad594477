#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/learn/metrics.hpp"
#include "io/svg/chart.hpp"
#include "server/training/page_parts.hpp"
#include "server/training/report.hpp"

namespace liminal::training {
namespace {

/// Rows from the highest score down.
std::vector<std::size_t> ranked(const std::vector<float>& scores) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(
      order.begin(), order.end(), [&](auto a, auto b) { return scores[a] > scores[b]; });
  return order;
}

const learn::Trained& deciding(const learn::Outcome& outcome) {
  return outcome.champion ? *outcome.champion : outcome.best;
}

std::string roc_plot(const learn::Outcome& outcome) {
  svg::Chart chart = square("ROC", "false positives, share", "true positives, share");
  const auto line = [&](const char* name, const std::vector<float>& scores, unsigned colour) {
    svg::Line roc{name, {0}, {0}, svg::Colour{colour}, svg::Stroke::kSolid, 2};
    const auto positives = static_cast<double>(learn::positives(outcome.labels));
    const double negatives = static_cast<double>(outcome.labels.size()) - positives;
    double found = 0, wrong = 0;
    for (const std::size_t row : ranked(scores)) {
      (learn::is_positive(outcome.labels[row]) ? found : wrong) += 1;
      roc.x.push_back(wrong / negatives);
      roc.y.push_back(found / positives);
    }
    chart.lines.push_back(std::move(roc));
  };
  line("best", outcome.best.scores, 1);
  if (!outcome.best_is_champion && outcome.champion)
    line("for each message", outcome.champion->scores, 2);
  chart.lines.push_back({"chance", {0, 1}, {0, 1}, svg::kInk, svg::Stroke::kDotted, 1});
  return drawn(chart);
}

std::string precision_plot(const learn::Outcome& outcome) {
  svg::Chart chart = square("Precision and recall", "recall", "precision");
  svg::Line line{"best", {}, {}, svg::Colour{1}, svg::Stroke::kSolid, 2};
  const auto positives = static_cast<double>(learn::positives(outcome.labels));
  double found = 0, seen = 0;
  for (const std::size_t row : ranked(outcome.best.scores)) {
    found += learn::is_positive(outcome.labels[row]) ? 1 : 0;
    seen += 1;
    line.x.push_back(found / positives);
    line.y.push_back(found / seen);
  }
  chart.lines.push_back(std::move(line));
  return drawn(chart);
}

std::string calibration_plot(const learn::Outcome& outcome) {
  svg::Chart chart = square("Calibration", "probability as said", "share as it came");
  svg::Line line{"ten parts of the rows", {}, {}, svg::Colour{1}, svg::Stroke::kLineAndMarks, 2};
  for (const auto& bin : learn::calibration_bins(deciding(outcome).scores, outcome.labels, 10)) {
    line.x.push_back(bin.predicted);
    line.y.push_back(bin.observed);
  }
  chart.lines.push_back(std::move(line));
  chart.lines.push_back({"as it should be", {0, 1}, {0, 1}, svg::kInk, svg::Stroke::kDotted, 1});
  return drawn(chart);
}

std::string residual_plot(const learn::Outcome& outcome) {
  svg::Chart chart = square("Said and true", "as said", "as it came");
  chart.from_zero = false;
  svg::Line marks{"rows", {}, {}, svg::Colour{1}, svg::Stroke::kMarks, 1};
  const std::size_t step = std::max<std::size_t>(1, outcome.labels.size() / 2000);
  for (std::size_t i = 0; i < outcome.labels.size(); i += step) {
    marks.x.push_back(static_cast<double>(outcome.best.scores[i]));
    marks.y.push_back(static_cast<double>(outcome.labels[i]));
  }
  chart.lines.push_back(std::move(marks));
  return drawn(chart);
}

void add_model(std::string& out,
               const char* name,
               const learn::Trained& model,
               const learn::Loss& loss) {
  const learn::Figures& f = model.figures;
  out += fmt::format("<tr><td>{}</td>", name);
  if (loss.classes()) {
    for (const double figure :
         {f.roc_auc, f.pr_auc, f.brier, f.recall_at_alerts, f.calibration_error})
      out += fmt::format("<td class=n>{:.4f}</td>", figure);
  } else {
    for (const double figure : {f.mae, f.rmse, f.pinball, f.at_or_below})
      out += fmt::format("<td class=n>{:.6g}</td>", figure);
  }
  out += fmt::format("<td class=n>{:.2f}</td><td class=n>{:.2f}</td></tr>\n",
                     model.cost.us_row,
                     model.cost.memory_bytes / 1024 / 1024);
}

void add_models(std::string& out, const Report& report) {
  const learn::Outcome& outcome = *report.outcome;
  const learn::Loss& loss = report.facts.loss;
  out += "<h2>Models</h2><table><tr><th></th>";
  out += loss.classes() ? std::string(
                              "<th>ROC-AUC</th><th>PR-AUC</th><th>Brier</th><th>recall at 1 % "
                              "alerts</th><th>calibration error</th>")
                        : fmt::format(
                              "<th>mean absolute error</th><th>root mean square</th><th>pinball "
                              "loss at {:g}</th><th>share of truths at or below</th>",
                              loss.level);
  out += "<th>µs a row</th><th>MiB</th></tr>\n";
  add_model(out, "best, for batches", outcome.best, loss);
  if (outcome.champion) add_model(out, "for each message", *outcome.champion, loss);
  out += outcome.fresh
             ? "</table><p>On rows that nothing was fitted to or chosen by.</p>\n"
             : "</table><p>On rows that the models were not fitted to; but these rows "
               "decided when boosting ended and what was blended, so expect a little less "
               "on fresh ones.</p>\n";
  if (report.fitted_again)
    out +=
        "<p>What is written is fitted once more, as chosen, on all rows; the figures are of the "
        "model that had not seen those that judge.</p>\n";
  for (const auto& [coverage, half] : outcome.best.intervals)
    out += fmt::format("<p>± {:.6g} holds the truth in {:.0f} %.</p>\n", half, 100 * coverage);
}

void add_leaderboard(std::string& out, const learn::Outcome& outcome) {
  out +=
      "<h2>Leaderboard</h2><table><tr><th>score</th><th>recipe</th><th>fits</th><th>s</th><th>µs a "
      "row</th><th>weight in the blend</th></tr>\n";
  for (const learn::LeaderboardLine& line : outcome.leaderboard) {
    out += fmt::format(
        "<tr><td class=n>{:.5g}</td><td>{}</td><td class=n>{}</td><td class=n>{:.1f}</td>"
        "<td class=n>{:.2f}</td><td class=n>{:.2f}</td></tr>\n",
        line.score,
        svg::escaped(line.recipe),
        line.fits,
        line.cost_s,
        line.cost.us_row,
        line.weight);
  }
  out += "</table>\n";
}

void add_list(std::string& out, const char* title, const std::vector<std::string>& texts) {
  if (texts.empty()) return;
  out += fmt::format("<h2>{}</h2><ul>\n", title);
  for (const std::string& text : texts) out += fmt::format("<li>{}</li>\n", svg::escaped(text));
  out += "</ul>\n";
}

}  // namespace

std::string report_html(const Report& report) {
  const learn::Outcome& outcome = *report.outcome;
  const RunFacts& facts = report.facts;
  std::string out = page_head("Training of " + facts.name);
  out += fmt::format("<p>{} rows, {} features, target {}",
                     report.table->rows(),
                     report.table->features.size(),
                     svg::escaped(facts.target));
  if (facts.loss.classes()) {
    out += fmt::format(
        " ({} positive: {})", learn::positives(report.table->labels), svg::escaped(facts.positive));
  }
  out += fmt::format("; validated by {}, figures of {} rows; {:.0f} s, seed {}.</p>\n",
                     learn::name(facts.validation),
                     outcome.rows.size(),
                     facts.elapsed_s,
                     facts.seed);
  add_list(out, "What to do next", next_steps(report));
  add_models(out, report);
  if (facts.loss.classes()) {
    out += roc_plot(outcome) + precision_plot(outcome) + calibration_plot(outcome);
    if (outcome.positives_needed > 0) {
      out += fmt::format(
          "<p>To tell a difference of .005 in ROC-AUC takes about {:.0f} positives that no "
          "model has seen.</p>\n",
          outcome.positives_needed);
    }
  } else {
    out += residual_plot(outcome);
  }
  add_leaderboard(out, outcome);
  std::vector<std::string> lines;
  for (const Importance& one : report.importance)
    lines.push_back(fmt::format("{}: {:.4f}", one.feature, one.loss));
  add_list(out, "Importance (what is lost without a feature)", lines);
  lines.clear();
  for (const FeatureDrift& one : report.drift)
    lines.push_back(fmt::format("{}: {:.3f}", one.feature, one.stability));
  add_list(out, "Change since the last run (population stability index)", lines);
  add_list(out, "Data", report.notes);
  return out + "</html>\n";
}

}  // namespace liminal::training
