#include "server/training/verdict.hpp"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "core/learn/metrics.hpp"
#include "core/learn/promote.hpp"
#include "server/training/comparison.hpp"

namespace liminal::training {
namespace {

template <class Values>
auto at(const Values& values, const std::vector<std::uint32_t>& places) {
  std::vector<typename Values::value_type> found;
  if (values.empty()) return found;
  for (const std::uint32_t place : places) found.push_back(values[place]);
  return found;
}

void tell_of_people(std::span<const float> said,
                    const learn::Loss& loss,
                    const Rows& rows,
                    const HeldOut& held_out,
                    const learn::Table& test,
                    RunReport& report) {
  if (rows.judged.empty()) return;
  std::vector<std::uint32_t> places;
  for (std::uint32_t i = 0; i < held_out.test.size(); ++i)
    if (rows.judged[held_out.test[i]] != 0) places.push_back(i);
  const auto labels = at(test.labels, places);
  report.judged_rows = labels.size();
  report.judged_positives = learn::positives(labels);
  if (report.judged_positives > 0 && report.judged_positives < report.judged_rows)
    report.on_judged = learn::figures_of(at(said, places), labels, loss);
}

}  // namespace

RunReport verdict_on(std::span<const float> said,
                     const learn::Cost& cost,
                     const BuiltinOptions& options,
                     const learn::Loss& loss,
                     const Rows& rows,
                     const HeldOut& held_out,
                     const learn::Table& test,
                     const learn::Stop& stop) {
  RunReport report;
  report.rows = &rows;
  report.held_out = &held_out;
  report.latency_us = cost.us_row;
  report.memory_bytes = cost.memory_bytes;
  report.figures = learn::figures_of(said, test.labels, loss);
  report.drift = drift_since(options.champion_reference, rows.table);
  const Comparison with = compare(options, rows, held_out, test);
  if (!with.champion.empty()) report.champion = learn::figures_of(with.champion, test.labels, loss);
  const auto challenger = at(said, with.places), labels = at(test.labels, with.places),
             champion = at(with.champion, with.places);
  const auto users = at(test.groups, with.places);
  const auto times_s = at(test.times_s, with.places);
  const auto slices = slices_of(rows, held_out, test, with.places);
  learn::GateInput input;
  input.champion = champion;
  input.challenger = challenger;
  input.labels = labels;
  input.users = users;
  input.times_s = times_s;
  if (options.definition.name == learn::kLoadPrediction)
    input.stretch_rows_min = kLoadStretchMinutesMin;
  input.slices = slices;
  input.latency_us = cost.us_row;
  input.memory_bytes = cost.memory_bytes;
  input.looks = with.with_champion ? options.looks : 1;
  input.seed = options.request.seed;
  report.gate = loss.classes() ? learn::judge_classifier(input, options.gate)
                               : learn::judge_regressor(input, options.gate, stop);
  std::vector<std::string>& reasons = report.gate.reasons;
  if (!with.note.empty()) reasons.push_back(with.note);
  if (input.looks > 1)
    reasons.push_back(fmt::format(
        "the line is that of the {} that were compared with this champion", input.looks));
  if (!loss.classes()) return report;
  const learn::Table judging = test.chosen(with.places);
  for (std::string& lacking :
       rows_to_judge(options.gate.positives_min, rows.table.labels, judging.labels))
    reasons.push_back(std::move(lacking));
  const bool by_mean = !with.with_champion && options.gate.probabilities;
  if (auto lacking = users_to_judge(by_mean ? kUsersMinFirst : kUsersMin, rows.table, judging))
    reasons.push_back(std::move(*lacking));
  report.calibration = learn::calibration_bins(said, test.labels, 10);
  report.roc = roc_curve(said, test.labels);
  report.precision = precision_curve(said, test.labels);
  tell_of_people(said, loss, rows, held_out, test, report);
  return report;
}

}  // namespace liminal::training
