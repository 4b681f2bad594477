#include "server/training/begin.hpp"

#include <fmt/format.h>

#include <utility>

#include "core/traffic/schema.hpp"
#include "server/training/incidents.hpp"
#include "server/training/injected.hpp"
#include "server/training/ranking.hpp"

namespace liminal::training {
namespace {

using learn::Asked;
using models::Task;

/// The definition as rows are read for it: without labels when what is usual is learnt.
learn::ModelDefinition read_as(learn::ModelDefinition definition, bool unsupervised) {
  if (!unsupervised) return definition;
  definition.task = Task::kAnomaly;
  definition.target.clear();
  return definition;
}

std::optional<learn::Refusal> lacking(const learn::ModelDefinition& definition,
                                      const learn::TrainRequest& request,
                                      const Rows& rows) {
  auto few = too_few(read_as(definition, request.unsupervised), rows);
  if (few && definition.task == Task::kClassification && !too_few(read_as(definition, true), rows))
    few->text += "; \"unsupervised\": true learns what is usual without labels";
  return few;
}

/// Gives the rows to the job that learns from them.
using GiveRows = std::function<Asked<Rows>(const std::function<bool()>& cancelled)>;

/// A file may be long: the job reads it, and says what is missing.
Asked<GiveRows> rows_of_file(const learn::ModelDefinition& definition,
                             const learn::TrainRequest& request,
                             const Source& source) {
  const auto path = path_inside(source.folder, request.file);
  if (!path) return wrong("file", "is no file inside the folder of files to train from");
  return GiveRows([definition, request, path = *path, bytes_max = source.file_bytes_max](
                      const std::function<bool()>& cancelled) -> Asked<Rows> {
    auto rows = read_rows(read_as(definition, request.unsupervised), path, bytes_max, cancelled);
    if (!rows) return learn::refusal(ErrorCode::kMalformed, rows.error());
    if (auto few = lacking(definition, request, *rows)) return tl::unexpected(std::move(*few));
    return std::move(*rows);
  });
}

/// What is kept is read to say at once what is missing, and again by the job: of several that wait
/// only the one that learns holds a table.
Asked<GiveRows> rows_of_source(const learn::ModelDefinition& definition,
                               const learn::TrainRequest& request,
                               const Source& source) {
  if (request.source == learn::DataSource::kFile) return rows_of_file(definition, request, source);
  GiveRows give = [definition, request, read = source.rows](const auto&) -> Asked<Rows> {
    auto rows = read(definition, request);
    if (!rows) return rows;
    if (auto few = lacking(definition, request, *rows)) return tl::unexpected(std::move(*few));
    return rows;
  };
  if (auto rows = give({}); !rows) return tl::unexpected(std::move(rows.error()));
  return give;
}

std::optional<learn::Refusal> trainer_refusal(const learn::ModelDefinition& definition,
                                              const learn::TrainRequest& request,
                                              const Source& source) {
  if (request.trainer == "builtin") return std::nullopt;
  if (request.trainer == "kenning" && source.kenning)
    return kenning_refusal(definition, request, *source.kenning);
  if (request.trainer != "ray")
    return wrong("trainer", request.trainer + " is not configured here; builtin is always there")
        .value();
  if (!source.ray && !source.there) return wrong("trainer", std::string(kRayIsElsewhere)).value();
  if (request.unsupervised || !cluster_trains(definition))
    return wrong("trainer", "ray is for searched models of classes and values").value();
  return std::nullopt;
}

std::optional<learn::Refusal> spread_refusal(const learn::TrainRequest& request,
                                             const Source& source) {
  Problems problems;
  if (!request.distributed) return std::nullopt;
  if (request.trainer != "ray") problems.push_back({"distributed", "is for the trainer ray"});
  if (request.source != learn::DataSource::kFile)
    problems.push_back({"data_source", "must be file: what is kept fits into the search"});
  if (request.fits_max > 0)
    problems.push_back({"fits_max", "counts the fits of a search: distributed is one fit"});
  if (problems.empty() && source.ray && !source.there && !source.ray->spread)
    problems.push_back({"distributed", "is not for this cluster"});
  if (problems.empty()) return std::nullopt;
  return learn::Refusal{ErrorCode::kOutOfRange, "", std::move(problems)};
}

Asked<learn::TrainedModel> train_on(const Cluster& cluster,
                                    Rows rows,
                                    BuiltinOptions options,
                                    const Telling& telling) {
  options.workers = cluster.at_once();
  options.fitting = cluster.fitting;
  auto made = train_builtin(std::move(rows), options, telling);
  if (made || telling.cancelled()) return made;
  if (const std::string last = cluster.complaint(); !last.empty())
    made.error().text += "; the cluster said last: " + last;
  return made;
}

void compare_with(const Incumbent& incumbent, BuiltinOptions& options) {
  options.champion = incumbent.scorer;
  options.champion_trained_s = incumbent.made_s;
  options.champion_judged = incumbent.judged;
  options.looks = incumbent.compared + 1;
  options.champion_reference = incumbent.reference;
}

Asked<Work> spread_work(BuiltinOptions options, const Source& source) {
  FilesInside files = files_inside(source.folder, options.request.file);
  if (!files.wrong.empty()) return wrong("file", std::move(files.wrong));
  return Work(
      [options = std::move(options),
       paths = std::move(files.paths),
       bytes_max = source.file_bytes_max,
       begin = source.ray->spread](const Incumbent& incumbent, const Telling& telling) mutable {
        compare_with(incumbent, options);
        return train_spread(paths, bytes_max, options, begin, telling);
      });
}

void teach_abuse(const learn::ModelDefinition& definition, std::uint64_t seed, Rows& rows) {
  rows.injected = injected_rows(definition, seed);
  rows.notes.push_back(fmt::format(
      "{} rows of abuse that nobody committed teach with weight {}; no held-out row is of them",
      rows.injected.rows(),
      kInjectedWeight));
}

/// Injected abuse is users' abuse, weighed beside labels.
bool may_inject(const learn::ModelDefinition& definition, const learn::TrainRequest& request) {
  return definition.task == Task::kClassification && of_users(definition) &&
         definition.name != kSalienceRanking && request.source != learn::DataSource::kFile &&
         request.trainer != "kenning" && !request.unsupervised;
}

}  // namespace

tl::unexpected<learn::Refusal> wrong(std::string field, std::string text) {
  return tl::unexpected(
      learn::Refusal{ErrorCode::kOutOfRange, "", {{std::move(field), std::move(text)}}});
}

std::optional<learn::Refusal> not_of_users(const learn::ModelDefinition& definition) {
  for (const std::string& feature : definition.features)
    if (!traffic::feature_by_name(feature))
      return wrong("data_source", "must be file: " + feature + " is no feature of users").value();
  if (definition.task == Task::kRegression)
    return wrong("data_source", "must be file: the truth is not among users' features").value();
  return std::nullopt;
}

Rows users_rows(const learn::ModelDefinition& definition,
                const learn::TrainRequest& request,
                std::vector<traffic::FeatureRow> rows,
                std::span<const traffic::Alert> alerts) {
  const std::size_t spoilt =
      request.leave_out_incidents ? leave_out_incidents(definition, rows, alerts) : 0;
  Rows made = definition.task == Task::kClustering ? user_rows(definition, rows)
                                                   : labelled_rows(definition, rows, alerts);
  if (spoilt > 0)
    made.notes.push_back(fmt::format("{} rows of confirmed alerts are left out", spoilt));
  return made;
}

Asked<Work> prepare_training(const learn::ModelDefinition* definition,
                             const learn::TrainRequest& request,
                             const Source& source) {
  if (definition == nullptr) return wrong("model_name", "is no model that is known");
  const bool ranks = definition->name == kSalienceRanking;
  if (request.unsupervised && (definition->task != Task::kClassification || ranks))
    return wrong("unsupervised", "is for models of classes; others know or need no labels");
  if (request.injected_abuse && !may_inject(*definition, request))
    return wrong("injected_abuse",
                 "is for models of classes of users' features, learnt from what is stored and its "
                 "labels by builtin or ray");
  if (auto refused = trainer_refusal(*definition, request, source))
    return tl::unexpected(std::move(*refused));
  if (auto refused = spread_refusal(request, source)) return tl::unexpected(std::move(*refused));
  if (request.trainer == "ray" && source.there)
    return Work([there = source.there, definition = *definition, request](const Incumbent&,
                                                                          const Telling& telling) {
      return there(definition, request, telling);
    });
  BuiltinOptions options;
  options.definition = *definition;
  options.request = request;
  options.workers = source.workers;
  // Only these are asked for messages (salience: for every alert).
  const bool messages = definition->name == learn::kAnomalyDetection || ranks;
  const learn::Cost& budget = messages ? source.budgets.message : source.budgets.call;
  options.gate.latency_us_max = budget.us_row;
  options.gate.memory_bytes_max = budget.memory_bytes;
  if (request.distributed) return spread_work(std::move(options), source);
  auto give = rows_of_source(*definition, request, source);
  if (!give) return tl::unexpected(std::move(give.error()));
  return Work([options,
               give = std::move(*give),
               ranks,
               kenning = request.trainer == "kenning" ? source.kenning : nullptr,
               ray = request.trainer == "ray" ? source.ray : nullptr](
                  const Incumbent& incumbent,
                  const Telling& telling) mutable -> Asked<learn::TrainedModel> {
    auto rows = give(telling.cancelled);
    if (!rows) return tl::unexpected(std::move(rows.error()));
    if (options.request.injected_abuse)
      teach_abuse(options.definition, options.request.seed, *rows);
    compare_with(incumbent, options);
    if (kenning) {
      KenningOptions how = *kenning;
      how.folder += "/" + options.definition.name;
      return train_kenning(std::move(*rows), options, how, telling);
    }
    if (ray) return train_on(*ray, std::move(*rows), options, telling);
    if (ranks) return train_ranking(*rows, options);
    return train_builtin(std::move(*rows), options, telling);
  });
}

}  // namespace liminal::training
