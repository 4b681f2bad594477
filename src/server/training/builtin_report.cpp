#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

#include "core/learn/metrics.hpp"
#include "io/json/writer.hpp"
#include "server/training/builtin.hpp"
#include "server/training/injected.hpp"

namespace liminal::training {
namespace {

constexpr std::size_t kLinesMax = 20;

void write(const learn::Figures& figures, const learn::NamedFigures& more, json::Writer& out) {
  out.begin_object();
  for (const auto& [name, value] : {std::pair{"roc_auc", figures.roc_auc},
                                    std::pair{"pr_auc", figures.pr_auc},
                                    std::pair{"brier", figures.brier},
                                    std::pair{"log_loss", figures.log_loss},
                                    std::pair{"recall_at_1_percent", figures.recall_at_alerts},
                                    std::pair{"calibration_error", figures.calibration_error},
                                    std::pair{"mean_absolute_error", figures.mae},
                                    std::pair{"root_mean_square_error", figures.rmse}})
    if (std::isfinite(value)) out.field(name, value);
  for (const auto& [name, value] : more) out.field(name, value);
  out.end_object();
}

void write_strings(const std::vector<std::string>& texts, json::Writer& out) {
  out.begin_array();
  for (const std::string& text : texts) out.value(text);
  out.end_array();
}

void write_data(const learn::TrainRequest& request, const Rows& rows, json::Writer& out) {
  out.begin_object();
  out.field("source", learn::name(request.source));
  if (!request.file.empty()) out.field("file", request.file);
  out.field("rows", rows.table.rows());
  out.field("fingerprint", fingerprint_of(rows.table));
  if (!rows.judged.empty()) {
    out.field("positives", learn::positives(rows.table.labels));
    out.field("judged_rows", std::count(rows.judged.begin(), rows.judged.end(), 1));
    out.field("weak_weight", static_cast<double>(kWeakWeight));
  }
  if (rows.injected.rows() > 0) {
    out.field("injected_rows", rows.injected.rows());
    out.field("injected_weight", static_cast<double>(kInjectedWeight));
  }
  out.key("notes");
  write_strings(rows.notes, out);
  out.end_object();
}

void write_judged(const RunReport& report, json::Writer& out) {
  out.begin_object();
  out.field("rows", report.judged_rows);
  out.field("positives", report.judged_positives);
  out.key("figures");
  if (report.on_judged) {
    write(*report.on_judged, {}, out);
  } else {
    out.null();
  }
  out.end_object();
}

void write_curve(const Curve& curve, json::Writer& out) {
  out.begin_array();
  for (const auto& [x, y] : curve) {
    out.begin_array();
    out.value(x);
    out.value(y);
    out.end_array();
  }
  out.end_array();
}

/// What a curve counts after each group of equal scores: found and wrong ones so far.
Curve counted(std::span<const float> scores, std::span<const float> labels) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(
      order.begin(), order.end(), [&](auto a, auto b) { return scores[a] > scores[b]; });
  Curve counts;
  double found = 0, wrong = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    (learn::is_positive(labels[order[i]]) ? found : wrong) += 1;
    const bool last = i + 1 == order.size() || scores[order[i + 1]] < scores[order[i]];
    if (last) counts.emplace_back(found, wrong);
  }
  return counts;
}

/// So many points evenly, the last one among them.
Curve thinned(const Curve& curve) {
  constexpr std::size_t kPoints = 200;
  if (curve.size() <= kPoints) return curve;
  Curve kept;
  for (std::size_t i = 1; i <= kPoints; ++i) kept.push_back(curve[i * curve.size() / kPoints - 1]);
  return kept;
}

void write_board(const std::vector<learn::JobLine>& lines, json::Writer& out) {
  out.begin_array();
  for (std::size_t i = 0; i < std::min(lines.size(), kLinesMax); ++i) {
    out.begin_object();
    out.field("recipe", lines[i].recipe);
    out.field("score", lines[i].score);
    out.field("fits", lines[i].fits);
    out.field("cost_s", lines[i].cost_s);
    out.field("us_a_row", lines[i].us_row);
    out.field("memory_bytes", lines[i].memory_bytes);
    out.end_object();
  }
  out.end_array();
}

void write_blend(const RunReport::Blend& blend, json::Writer& out) {
  out.begin_object();
  out.key("held_out");
  write(blend.figures, {}, out);
  out.field("us_a_row", blend.cost.us_row);
  out.field("memory_bytes", blend.cost.memory_bytes);
  out.field("fitted_again_on_all_rows", blend.fitted_again);
  out.end_object();
}

/// What to do next, in words.
std::vector<std::string> next_steps(const RunReport& report) {
  constexpr double kTooGood = .999, kCalibrationMax = .05, kDriftMin = .2;
  constexpr std::size_t kNamed = 3;
  std::vector<std::string> steps;
  if (report.figures.roc_auc > kTooGood)
    steps.push_back(
        "An AUC this high is too good to be true: look whether a feature says the label" +
        (report.importance.empty() ? std::string()
                                   : ", " + report.importance.front().first + " first"));
  const double needed = report.gate.positives_needed;
  const auto positives = static_cast<double>(report.gate.test.positives);
  if (needed > positives) {
    const auto of_users = [&](double users) {
      return report.gate.users_needed > 0 ? fmt::format(" of {:.0f} users alike", users)
                                          : std::string();
    };
    steps.push_back(fmt::format(
        "Judge alerts: {:.0f} positives{} judge here, and about {:.0f}{} are needed to tell a "
        "difference of {:.3f} of AUC",
        positives,
        of_users(report.gate.test.users),
        needed,
        of_users(report.gate.users_needed),
        report.gate.to_tell));
  }
  const double by_chance =
      std::isfinite(report.gate.calibration_noise) ? report.gate.calibration_noise : 0;
  if (report.figures.calibration_error > std::max(kCalibrationMax, by_chance))
    steps.emplace_back(
        "Do not read the scores as probabilities yet: they are off by more than .05");
  for (std::size_t i = 0; i < report.drift.size() && i < kNamed; ++i) {
    if (report.drift[i].second < kDriftMin) break;
    steps.push_back(
        fmt::format("Find out why {} changed since the champion was trained (stability "
                    "index {:.2f})",
                    report.drift[i].first,
                    report.drift[i].second));
  }
  steps.emplace_back(report.gate.promote
                         ? "Watch its alerts and its drift; the version before is a load away"
                         : "Let it run in shadow beside the champion before it is loaded");
  return steps;
}

}  // namespace

Curve roc_curve(std::span<const float> scores, std::span<const float> labels) {
  Curve curve = thinned(counted(scores, labels));
  if (curve.empty()) return curve;
  const auto [positives, negatives] = curve.back();
  for (auto& [x, y] : curve)
    std::tie(x, y) = std::pair(y / std::max(negatives, 1.), x / std::max(positives, 1.));
  curve.emplace(curve.begin(), 0, 0);
  return curve;
}

Curve precision_curve(std::span<const float> scores, std::span<const float> labels) {
  Curve curve = thinned(counted(scores, labels));
  if (curve.empty()) return curve;
  const double positives = curve.back().first;
  for (auto& [x, y] : curve) std::tie(x, y) = std::pair(x / std::max(positives, 1.), x / (x + y));
  return curve;
}

std::vector<learn::JobLine> lines_of(const std::vector<learn::LeaderboardLine>& from) {
  std::vector<learn::JobLine> lines;
  for (const learn::LeaderboardLine& line : from)
    if (std::isfinite(line.score))
      lines.push_back({line.recipe,
                       line.score,
                       line.fits,
                       line.cost_s,
                       line.cost.us_row,
                       line.cost.memory_bytes});
  std::stable_sort(
      lines.begin(), lines.end(), [](const auto& a, const auto& b) { return a.score > b.score; });
  if (lines.size() > kLinesMax) lines.resize(kLinesMax);
  return lines;
}

double seconds_of_blend(const std::vector<learn::LeaderboardLine>& leaderboard) {
  double sum = 0;
  for (const learn::LeaderboardLine& line : leaderboard)
    if (line.weight > 0 && line.fits > 0) sum += line.cost_s / line.fits;
  return sum;
}

std::string words_of_blend(const learn::Figures& answers,
                           const learn::Figures& blend,
                           const learn::Cost& cost) {
  const bool classes = std::isfinite(blend.roc_auc);
  return fmt::format(
      "for batches the best blend is kept beside: {} {:.4g} to {:.4g}, at {:.3g} µs a row",
      classes ? "AUC" : "MAE",
      classes ? blend.roc_auc : blend.mae,
      classes ? answers.roc_auc : answers.mae,
      cost.us_row);
}

learn::NamedFigures metrics_of(const RunReport& report) {
  learn::NamedFigures metrics;
  const auto add = [&](const char* name, double value) {
    if (std::isfinite(value)) metrics.emplace_back(name, value);
  };
  add("roc_auc", report.figures.roc_auc);
  add("pr_auc", report.figures.pr_auc);
  add("brier", report.figures.brier);
  add("recall_at_1_percent", report.figures.recall_at_alerts);
  add("calibration_error", report.figures.calibration_error);
  add("mean_absolute_error", report.figures.mae);
  add("root_mean_square_error", report.figures.rmse);
  metrics.insert(metrics.end(), report.more.begin(), report.more.end());
  if (report.champion) {
    add("champion_roc_auc", report.champion->roc_auc);
    add("champion_mean_absolute_error", report.champion->mae);
  }
  if (report.on_judged) add("judged_roc_auc", report.on_judged->roc_auc);
  if (report.without_rule_features)
    add("roc_auc_without_rule_features", *report.without_rule_features);
  add("us_a_row", report.latency_us);
  add("memory_bytes", report.memory_bytes);
  add("held_out_rows", static_cast<double>(report.held_out->test.size()));
  return metrics;
}

std::string report_json(const learn::TrainRequest& request,
                        const RunReport& report,
                        const std::vector<learn::JobLine>& leaderboard) {
  json::Writer out;
  out.begin_object();
  out.key("data");
  write_data(request, *report.rows, out);
  out.key("split");
  out.begin_object();
  out.field("how", report.held_out->how);
  out.field("trained_rows", report.held_out->train.size());
  out.field("held_out_rows", report.held_out->test.size());
  if (!report.chosen_by.empty()) out.field("chosen_by", report.chosen_by);
  if (!report.served.empty()) out.field("served", report.served);
  out.end_object();
  out.key("held_out");
  write(report.figures, report.more, out);
  out.key("champion");
  if (report.champion) {
    write(*report.champion, {}, out);
  } else {
    out.null();
  }
  if (!report.rows->judged.empty()) {
    out.key("judged_by_people");
    write_judged(report, out);
    out.key("without_rule_features");
    out.begin_object();
    out.key("features");
    write_strings(report.rows->rule_features, out);
    out.field("roc_auc", report.without_rule_features);
    out.end_object();
  }
  out.key("importance");
  out.begin_object();
  for (const auto& [feature, cost] : report.importance) out.field(feature, cost);
  out.end_object();
  out.key("calibration");
  out.begin_array();
  for (const learn::CalibrationBin& bin : report.calibration) {
    if (bin.rows == 0) continue;
    out.begin_object();
    out.field("rows", bin.rows);
    out.field("predicted", bin.predicted);
    out.field("observed", bin.observed);
    out.end_object();
  }
  out.end_array();
  if (!report.roc.empty()) {
    out.key("curves");
    out.begin_object();
    out.key("roc");
    write_curve(report.roc, out);
    out.key("precision_recall");
    write_curve(report.precision, out);
    out.end_object();
  }
  out.key("gate");
  out.begin_object();
  out.field("better", report.gate.promote);
  out.field("positives_needed", report.gate.positives_needed);
  if (report.gate.users_needed > 0) out.field("users_needed", report.gate.users_needed);
  if (report.gate.to_tell > 0) out.field("difference_to_tell", report.gate.to_tell);
  if (const learn::CalibrationBias& bias = report.gate.bias; bias.known()) {
    out.key("mean_probability_off");
    out.begin_object();
    out.field("ratio", bias.ratio);
    out.field("low", bias.low);
    out.field("high", bias.high);
    out.field("users", bias.users);
    out.end_object();
  }
  if (const double noise = report.gate.calibration_noise; noise > 0 && std::isfinite(noise))
    out.field("calibration_error_by_chance", noise);
  out.key("reasons");
  write_strings(report.gate.reasons, out);
  out.end_object();
  out.key("cost");
  out.begin_object();
  out.field("us_a_row", report.latency_us);
  out.field("memory_bytes", report.memory_bytes);
  out.end_object();
  if (!report.drift.empty()) {
    out.key("drift_since_champion");
    out.begin_object();
    for (const auto& [feature, index] : report.drift) out.field(feature, index);
    out.end_object();
  }
  out.key("next_steps");
  write_strings(next_steps(report), out);
  out.key("leaderboard");
  write_board(leaderboard, out);
  if (report.best_for_batches) {
    out.key("best_for_batches");
    write_blend(*report.best_for_batches, out);
  }
  out.end_object();
  return out.take();
}

}  // namespace liminal::training
