#pragma once

#include <optional>

#include "core/learn/fit.hpp"
#include "server/training/builtin.hpp"

namespace liminal::training {

/// Groups rows by k-means. It becomes champion when there is none and its groups are found again in
/// other rows.
[[nodiscard]] learn::Asked<learn::TrainedModel> train_clusters(const Rows& rows,
                                                               const BuiltinOptions& options,
                                                               const Telling& telling);

/// What a forest of some rows says of others: the later ones, where times are known.
struct JudgedAnomalies {
  HeldOut held_out;
  /// "alarm_ratio": the share of the held-out rows above the line that was drawn in the others;
  /// "rank_agreement": Spearman's correlation of what forests of two halves of the others say of
  /// them. Where labels are known, of which no forest is told: "roc_auc", "pr_auc",
  /// "recall_at_alerts".
  learn::NamedFigures figures;
  Curve roc, precision;  ///< where labels are known
};
/// Nothing when it was stopped. `table` is valid and has at least 8 rows.
[[nodiscard]] std::optional<JudgedAnomalies> judge_anomalies(const learn::Table& table,
                                                             double alert_ratio,
                                                             std::uint64_t seed,
                                                             const learn::Stop& stop);

/// Learns what is usual by an isolation forest, without labels, and alarms at the strangest
/// `learn::kAlertRatio` of the rows. What answers is a forest of all rows, its figures are those of
/// `judge_anomalies`. It never becomes champion by itself: without labels nothing says that it is
/// better.
[[nodiscard]] learn::Asked<learn::TrainedModel> train_anomalies(const Rows& rows,
                                                                const BuiltinOptions& options,
                                                                const Telling& telling);

}  // namespace liminal::training
