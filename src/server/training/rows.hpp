#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/learn/registered.hpp"
#include "core/learn/table.hpp"
#include "core/traffic/alert.hpp"
#include "core/traffic/record.hpp"

namespace liminal::training {

/// Rows to train a model on, with what is known of their labels.
struct Rows {
  learn::Table table;
  /// Classification: 1 where a person gave the label. Empty: nobody did, or all labels are facts.
  std::vector<std::uint8_t> judged;
  /// Features that the rules look at whose alerts are labels: skill must not rest on them alone.
  std::vector<std::string> rule_features;
  /// Regression: what would be foretold without a model, one a row. Empty: the median.
  std::vector<float> baseline;
  /// Of the same features, for the search and never held out (training/injected.hpp); may be empty.
  learn::Table injected{};
  std::vector<std::string> notes;  ///< where the rows come from and what was left out
};

/// What a label weighs that a rule gave, and a row of which nobody said anything: a person's is 1.
inline constexpr float kWeakWeight = .3F;

/// A row may be taken some seconds after the finding that it shows.
inline constexpr Duration kSpanSlack = std::chrono::seconds{10};

/// Gives an empty table a definition's features of users, and says which they are, in its order;
/// names that are no features of users are left out.
std::vector<traffic::FeatureId> feature_columns(const learn::ModelDefinition& definition,
                                                learn::Table& table);

/// Rows of users' features with labels from alerts. A row within an alert's span of its user is
/// positive, unless a person called the alert false or expected; all other rows are negative. Rows
/// of mild alerts on which nobody judged are left out. Where several alerts meet, people beat
/// rules, and "true" beats "false".
[[nodiscard]] Rows labelled_rows(const learn::ModelDefinition& definition,
                                 std::span<const traffic::FeatureRow> rows,
                                 std::span<const traffic::Alert> alerts);

/// One row a user: the mean of its rows.
[[nodiscard]] Rows user_rows(const learn::ModelDefinition& definition,
                             std::span<const traffic::FeatureRow> rows);

/// One row a minute that is followed by one five minutes later; the label is that one's messages a
/// second, the baseline the own minute's. Minutes in order of time.
[[nodiscard]] Rows load_rows(const learn::ModelDefinition& definition,
                             std::span<const learn::MinuteTotal> minutes);
inline constexpr std::int64_t kLoadHorizonMinutes = 5;
/// What is foretold of minutes that are closer than the horizon errs by the same surprise: the
/// least stretch of time that counts as one where it is judged, six horizons.
inline constexpr std::size_t kLoadStretchMinutesMin = 6 * kLoadHorizonMinutes;
/// What `load_prediction` is asked at the end of a minute: one value a feature.
[[nodiscard]] std::vector<float> minute_row(const learn::ModelDefinition& definition,
                                            const learn::MinuteTotal& total);

/// Whether a cluster can train models of it: such as are searched for, of classes or values.
[[nodiscard]] bool cluster_trains(const learn::ModelDefinition& definition);

/// Whether all that a definition asks of a row are features of users; those of `load_prediction`
/// are of minutes, whatever they are called.
[[nodiscard]] bool of_users(const learn::ModelDefinition& definition);
/// What such a model is asked of a user: one value a feature.
[[nodiscard]] std::vector<float> user_row(const learn::ModelDefinition& definition,
                                          const traffic::Features& features);

/// Bytes of a table's values that are read where nobody says otherwise.
inline constexpr std::uint64_t kRowsBytesMax = std::uint64_t{256} << 20;

/// Rows of a CSV (with a header) or NDJSON file: the definition's features and target by name, and,
/// where they are there, `timestamp` (seconds or RFC 3339) and `user_id`. Fails in words that name
/// line and column, when the values would take more than `bytes_max` (rows × features × 4), or soon
/// after it is `cancelled`, which is asked every thousand rows.
[[nodiscard]] tl::expected<Rows, std::string> read_rows(
    const learn::ModelDefinition& definition,
    const std::string& path,
    std::uint64_t bytes_max = kRowsBytesMax,
    const std::function<bool()>& cancelled = [] { return false; });

/// The path of a file inside a folder; nothing when the name leads out of it, by ".." or a link, or
/// there is no such file.
[[nodiscard]] std::optional<std::string> path_inside(const std::string& folder,
                                                     const std::string& name);

/// The forms of files that a distributed training reads.
inline constexpr std::string_view kSpreadForms[]{".csv", ".ndjson", ".jsonl", ".parquet"};
/// The same, or of a folder inside a folder the files in it, by name; those whose names begin with
/// "." or "_" are nobody's rows. `wrong` says what keeps them from being read together.
struct FilesInside {
  std::vector<std::string> paths;
  std::string wrong;
};
[[nodiscard]] FilesInside files_inside(const std::string& folder, const std::string& name);

/// An empty table of a definition's features.
[[nodiscard]] learn::Table columns_of(const learn::ModelDefinition& definition);

/// Why these rows are too few; nothing when they are enough. Classification: 40 of each class;
/// regression: 60; clustering: 40; anomaly: 200.
[[nodiscard]] std::optional<learn::Refusal> too_few(const learn::ModelDefinition& definition,
                                                    const Rows& rows);

/// A hash of the rows, in hexadecimal.
[[nodiscard]] std::string fingerprint_of(const learn::Table& table);

}  // namespace liminal::training
