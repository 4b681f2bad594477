#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/learn/outcome.hpp"
#include "core/learn/search.hpp"
#include "server/training/model_facts.hpp"

namespace liminal::training {

/// How much worse the model becomes when a feature's values are dealt out at random among rows: in
/// ROC-AUC, or in parts of the mean absolute error.
struct Importance {
  std::string feature;
  double loss = 0;
};

/// How far a feature moved from the rows of the last run to these (population stability index).
struct FeatureDrift {
  std::string feature;
  double stability = 0;
};

/// One training run, for whoever must decide about its models.
struct Report {
  RunFacts facts;
  const learn::Table* table = nullptr;
  const learn::Outcome* outcome = nullptr;
  std::vector<std::string> notes;  ///< of the data: what was left out
  /// What is written is not what was judged, but fitted once more on all rows.
  bool fitted_again = false;
  std::vector<Importance> importance;
  std::vector<FeatureDrift> drift;  ///< empty: there was no last run
};

/// Of the champion (else the best) on up to 1,000 of the validation rows, the largest first.
/// Deterministic for a seed. Cost: features + 1 answers a row.
[[nodiscard]] std::vector<Importance> importance_of(const learn::Table& table,
                                                    const learn::Outcome& outcome,
                                                    const RunFacts& facts);

/// Numeric features of both tables, those that moved most first.
[[nodiscard]] std::vector<FeatureDrift> drift_between(const learn::Table& last,
                                                      const learn::Table& now);

/// What an operator should do next, in words, the most urgent first.
[[nodiscard]] std::vector<std::string> next_steps(const Report& report);

/// The report as one JSON object.
[[nodiscard]] std::string report_json(const Report& report);

/// The report as a page that needs nothing else: text, tables and plots.
[[nodiscard]] std::string report_html(const Report& report);

}  // namespace liminal::training
