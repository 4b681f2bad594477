#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <variant>

#include "core/learn/anomalies.hpp"
#include "core/learn/clusters.hpp"
#include "core/models/model.hpp"
#include "server/training/csv_table.hpp"
#include "server/training/model_facts.hpp"
#include "server/training/report.hpp"
#include "server/training/runner.hpp"
#include "server/training/unsupervised.hpp"

namespace liminal::training {

/// What a table that somebody brings is to be trained for.
struct TableWish {
  std::string name;                ///< of the model
  std::string target;              ///< the column's name
  std::string task = "auto";       ///< auto, classification, regression, anomaly or clustering
  std::string objective = "auto";  ///< roc-auc, pr-auc or log-loss; of values squared or absolute
  double quantile = 0;             ///< of values: which one to foretell, below 1; 0: the mean
  double alert_ratio = .01;        ///< of the rows that are anomalies
  double time_budget_s = 60;
  std::uint32_t fits_max = 0;  ///< above 0: fits instead of seconds, and the result repeats
  std::uint64_t seed = 1;
  std::uint32_t workers = 2;  ///< fits at a time
  double latency_us = 5;      ///< what a model may cost that is asked for every message
  double size_mib = 8;        ///< and what memory it may take

  /// Whether it is learnt without a target.
  [[nodiscard]] bool unsupervised() const { return task == "anomaly" || task == "clustering"; }
};

/// Why a table is not trained on.
struct TableRefusal {
  bool by_wish = false;  ///< the wish is wrong, whatever the table; else the table
  std::string text;
};

/// The search of core/learn over a table, from what was wished to models, figures and report.
/// Threads: those of its runner. One owner.
class TableRun {
 public:
  using Clock = std::chrono::steady_clock;

  /// Begins at once. `begun`: when the time budget began. `fitting`: where fits are carried out.
  [[nodiscard]] static tl::expected<std::unique_ptr<TableRun>, TableRefusal> begin(
      CsvTable read,
      const TableWish& wish,
      Clock::time_point begun = Clock::now(),
      Fitting fitting = fitting_here());

  [[nodiscard]] Runner& runner() { return *runner_; }
  /// Waits for the end. False when no model could be fitted in the budget.
  [[nodiscard]] bool finish();

  // What follows is there when `finish` was true.
  [[nodiscard]] const learn::Outcome& outcome() const { return *outcome_; }
  [[nodiscard]] const RunFacts& facts() const { return facts_; }
  [[nodiscard]] const learn::Table& table() const { return runner_->material().table; }
  /// One of the outcome's models, or why it is not sound. Where rows were left out for the figures
  /// it is fitted once more, as chosen, on all rows (one fit a member).
  [[nodiscard]] tl::expected<models::Model, std::string> model(const learn::Trained& trained) const;
  /// With the importance of features, without drift. Points into this.
  [[nodiscard]] Report report() const;

 private:
  TableRun() = default;

  RunFacts facts_;
  std::vector<std::string> notes_;
  Fitting fitting_;
  std::unique_ptr<Runner> runner_;
  std::optional<learn::Outcome> outcome_;
  learn::SearchOptions options_;
  std::vector<float> weights_;  ///< of the rows, before the search weighed them by age
};

/// What comes of a table without a target.
struct Unsupervised {
  models::Model model;
  std::variant<learn::AnomalyModel, learn::Clustering> found;
  std::optional<JudgedAnomalies> judged;  ///< of anomalies, on held-out rows
};
/// Anomalies or clusters, as `wish.task` says. Fails in words. Blocks for seconds at most.
[[nodiscard]] tl::expected<Unsupervised, std::string> train_unsupervised(const learn::Table& table,
                                                                         const TableWish& wish);

}  // namespace liminal::training
