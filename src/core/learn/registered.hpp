#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "core/base/problem.hpp"
#include "core/base/result.hpp"
#include "core/base/time.hpp"
#include "core/learn/experiment.hpp"
#include "core/learn/retrain.hpp"
#include "core/learn/watch.hpp"
#include "core/models/model.hpp"

/// What is known of models that are served: values that the registry keeps, the API shows and
/// training makes.
namespace liminal::learn {

/// Why something that was asked of models is not done, for a person.
struct Refusal {
  ErrorCode code = ErrorCode::kUnavailable;
  std::string text;
  Problems problems{};             ///< of `kOutOfRange`: the fields that are wrong
  std::uint64_t rows_missing = 0;  ///< of `kConflict` in training: how many more are needed
};
template <class T>
using Asked = tl::expected<T, Refusal>;

[[nodiscard]] inline tl::unexpected<Refusal> refusal(ErrorCode code, std::string text) {
  return tl::unexpected<Refusal>(Refusal{code, std::move(text)});
}

/// A model that may be trained and served: what it is asked for, not how it answers.
struct ModelDefinition {
  std::string name;  ///< 1 to 64 letters, digits, "_" and "-"
  models::Task task = models::Task::kRegression;
  std::vector<std::string> features;
  std::string target;  ///< the column of the truth in a file; empty: clustering needs none
  friend bool operator==(const ModelDefinition&, const ModelDefinition&) = default;
};
[[nodiscard]] Problems validate(const ModelDefinition& definition);

inline constexpr std::string_view kAnomalyDetection = "anomaly_detection";
inline constexpr std::string_view kLoadPrediction = "load_prediction";
inline constexpr std::string_view kUserBehavior = "user_behavior";

/// The three that are there from the start.
[[nodiscard]] std::vector<ModelDefinition> first_models();
/// Stands for these three where one training is asked for; no model is called so.
inline constexpr std::string_view kAllModels = "all";

/// "NAME TASK TARGET FEATURE,FEATURE,…" as a definition is configured; "-" for no target. Nothing
/// when it is not of this form.
[[nodiscard]] std::optional<ModelDefinition> parse_definition(std::string_view text);

[[nodiscard]] std::optional<models::Task> task_by_name(std::string_view name);

using NamedFigures = std::vector<std::pair<std::string, double>>;

/// What is kept beside a version for batches (`BatchModel`), as a file.
struct BatchFile {
  std::string sha256;  ///< hexadecimal
  std::uint64_t bytes = 0;
  double us_row = 0;
};

/// One trained model as it was published. Nothing of it ever changes.
struct ModelVersion {
  std::string model;
  std::uint32_t number = 0;  ///< counts up from 1 within the model
  SteadyTime created;
  std::string trainer;
  std::uint64_t job = 0;                ///< that trained it; 0: it was brought
  std::optional<std::uint32_t> parent;  ///< the champion that it was measured against
  std::string sha256;                   ///< of the file, hexadecimal
  std::uint64_t bytes = 0;
  std::string fingerprint;   ///< of the rows that it was trained on; empty: not known
  std::uint64_t schema = 0;  ///< `traffic::schema_hash()` at training; 0: none
  NamedFigures metrics;      ///< on held-out rows
  std::vector<std::string> features;
  std::string report;  ///< JSON: data, split, leaderboard, promotion
  std::optional<BatchFile> batches{};
};

enum class Alias : std::uint8_t { kChampion, kChallenger };
[[nodiscard]] std::string_view name(Alias alias);
[[nodiscard]] std::optional<Alias> alias_by_name(std::string_view name);

/// A line of the history of which version was what, and why.
struct AliasChange {
  std::uint64_t id = 0;
  std::string model;
  Alias alias = Alias::kChampion;
  std::optional<std::uint32_t> version, previous;
  SteadyTime time;
  std::string actor;  ///< "api", "command line", "job 12", "experiment 3"
  std::string reason;
};

struct ModelState {
  ModelDefinition definition;
  std::optional<std::uint32_t> champion, challenger;
  std::vector<ModelVersion> versions;  ///< newest first
  /// Why the champion and the challenger could not be read; empty where they were, or there are
  /// none.
  std::string champion_trouble{}, challenger_trouble{};
};

enum class DataSource : std::uint8_t { kRecentFeatures, kStore, kFile };
[[nodiscard]] std::string_view name(DataSource source);
[[nodiscard]] std::optional<DataSource> data_source_by_name(std::string_view name);

struct TrainRequest {
  std::string model;
  DataSource source = DataSource::kStore;
  std::string file;  ///< of `kFile`: its name inside the configured folder
  std::string trainer = "builtin";
  double budget_s = 60;
  std::uint32_t fits_max = 0;  ///< above 0: the budget is counted in fits, and the result repeats
  std::uint64_t seed = 1;
  bool auto_deploy = true;  ///< the gate may make it champion
  /// Classification: what is usual is learnt, without labels, and what is not alarms.
  bool unsupervised = false;
  /// Rows of times that confirmed alerts spoilt are no examples (training/incidents.hpp).
  bool leave_out_incidents = false;
  /// Classification: abuse that nobody committed is learnt from, too (training/injected.hpp).
  bool injected_abuse = false;
  /// Of the trainer ray: grown over the cluster from files that no search holds
  /// (training/spread.hpp).
  bool distributed = false;
  std::uint32_t workers = 0;  ///< of such a training; 0: as many as there is room for
};

enum class JobState : std::uint8_t { kQueued, kRunning, kSucceeded, kFailed, kCancelled };
[[nodiscard]] std::string_view name(JobState state);
[[nodiscard]] std::optional<JobState> job_state_by_name(std::string_view name);
[[nodiscard]] constexpr bool ended(JobState state) { return state >= JobState::kSucceeded; }

/// A line of a leaderboard as it is shown and kept.
struct JobLine {
  std::string recipe;
  double score = 0;  ///< larger is better
  std::uint32_t fits = 0;
  double cost_s = 0;
  double us_row = 0, memory_bytes = 0;  ///< of one of its models; 0: not known
};

struct TrainingJob {
  std::uint64_t id = 0;
  TrainRequest request;
  JobState state = JobState::kQueued;
  SteadyTime created;
  std::optional<SteadyTime> started, finished;
  double progress = 0;  ///< 0–1
  std::vector<JobLine> leaderboard;
  std::optional<std::uint32_t> version;  ///< that came out
  std::optional<Alias> alias;            ///< that it was given
  std::vector<std::string> reasons;      ///< for the alias
  std::string problem;                   ///< of `kFailed`
};

/// An experiment that is asked for.
struct ExperimentRequest {
  std::string model;
  std::optional<std::uint32_t> challenger;  ///< none: the model's challenger
  ExperimentOptions options;
  bool usual_guards =
      false;  ///< nobody named the guards: those that mean nothing here are left out
  /// Nobody said which difference matters: of values a twentieth of the champion's mean squared
  /// error, for their unit is anybody's.
  bool usual_effect = false;
};

struct ExperimentView {
  std::uint64_t id = 0;
  std::string model;
  std::uint32_t champion = 0, challenger = 0;
  ExperimentOptions options;
  std::string state;  ///< `learn::name(ExperimentState)`, or "stopped"
  SteadyTime created;
  std::optional<SteadyTime> ended;
  double judged[2]{};                ///< by arm: rows whose truth came to be known
  std::optional<double> difference;  ///< none: an arm has no row yet
  std::optional<Interval> interval;  ///< none: nothing can be said yet
  std::optional<double> effect;      ///< none: not known yet, for it is a part of an error
  double scored = 0;                 ///< rows that both (shadow) or the challenger (split) scored
  double agreement = 1;              ///< shadow: share of them on which both said the same
  std::optional<double> latency_us[2];
  double share_observed = 0;  ///< split: of the users that came, the challenger's part
  bool ratio_mismatch = false;
  struct Decision {
    SteadyTime time;
    std::string state;
    double difference = 0;
    std::optional<double> low, high;
    double rows = 0;
    std::string text;
  };
  std::vector<Decision> decisions;  ///< oldest first; append-only
};

/// What happened in the whole server in one minute of the engine's time.
struct MinuteTotal {
  std::int64_t minute = 0;  ///< since the Unix epoch
  std::uint64_t messages = 0;
  std::optional<double> connection_duration;  ///< mean of the users seen in it, seconds
  std::optional<double> channels_count;       ///< mean of the users seen in it
};

/// What the champion of `load_prediction` says of one minute to come.
struct LoadForecast {
  double messages_per_second = 0;
  std::optional<double> low, high;  ///< hold the truth in 90 % of cases; none: not known
  std::uint32_t version = 0;
  SteadyTime time;  ///< when that minute begins
};

/// What the champion of `user_behavior` says of a user: the group that it is like.
struct UserGroup {
  std::uint32_t cluster = 0;
  std::string description;  ///< by what sets its users apart; empty: nobody said
  double distance = 0;      ///< from the group's middle, in scaled features
  std::uint32_t version = 0;
};

/// What a person says of a file that says nothing of itself.
struct Bringing {
  std::string output;                 ///< that answers; empty: the usual one of the task
  std::optional<std::size_t> column;  ///< of it
  std::optional<float> line;          ///< from which on it is an alarm
  std::vector<float> usual;           ///< a row of ordinary values, for explanations
  std::string file;                   ///< its name, for the history
};

/// A model that is too dear to answer where its model is asked, but better: for batches.
struct BatchModel {
  models::Model model;
  double us_row = 0;     ///< as it was measured
  std::string report{};  ///< the version's report where this is kept; empty: as without it
  std::string words{};   ///< the same for a person
};

/// What a trainer gives back.
struct TrainedModel {
  models::Model model;
  /// An ONNX file that the core does not evaluate: of `model` only the metadata count then. Empty:
  /// `model` is the model.
  std::string foreign;
  /// The model that was judged, when what answers was fitted to more rows after that: the next
  /// training compares with it, for it has not seen the rows that judge.
  std::optional<models::Model> judged;
  std::optional<BatchModel> batches;  ///< kept beside
  std::string fingerprint;
  NamedFigures metrics;
  std::string report;                ///< JSON
  bool better = false;               ///< the gate would make it champion
  std::vector<std::string> reasons;  ///< of the gate, decisive ones first
  std::vector<JobLine> leaderboard;
  std::optional<WatchReference> reference;  ///< none: what passes by is compared with nothing
};

/// How continuous learning stands with one model.
struct LearningView {
  std::string model;
  bool from_traffic = false;  ///< else it is trained by people alone
  bool under_way = false;
  std::optional<SteadyTime> next;  ///< by the clock
  std::optional<SteadyTime> not_before;
  std::optional<SteadyTime> began, last;  ///< of the last training: its beginning, its end
  std::uint64_t job = 0;                  ///< the last; 0: none
  std::optional<Retraining::Due> why;     ///< of what began, or was to begin, by itself
  std::string refusal;                    ///< why it did not
  std::uint32_t failures = 0;             ///< in a row
  std::uint64_t feedback = 0;             ///< since the last training began
  std::uint32_t version = 0;              ///< the champion; 0: none
  std::optional<Watch> watch;             ///< of the champion; none: nothing to compare with
};

}  // namespace liminal::learn
