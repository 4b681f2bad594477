#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/learn/registered.hpp"
#include "core/models/scorer.hpp"
#include "server/training/builtin.hpp"
#include "server/training/kenning.hpp"
#include "server/training/rows.hpp"
#include "server/training/spread.hpp"

namespace liminal::training {

/// The champion that a training is measured against.
struct Incumbent {
  std::shared_ptr<const models::Scorer> scorer;  ///< null: there is none
  std::optional<double> made_s;                  ///< when it was made, since the Unix epoch
  /// It as it was judged, before it learnt all rows; null: not kept.
  std::shared_ptr<const models::Scorer> judged{};
  std::uint32_t compared = 0;  ///< how many trainings were compared with it before
  std::optional<learn::WatchReference> reference{};  ///< what its rows were like; none: not known
};

/// What one row may cost where a model is asked.
struct RowBudgets {
  learn::Cost message{5, 8. * 1024 * 1024};   ///< of what is asked beside the messages
  learn::Cost call{1000, 64. * 1024 * 1024};  ///< of what is asked by calls, or once a minute
};

/// A cluster that carries fits out.
struct Cluster {
  std::function<std::uint32_t()> at_once;  ///< how many
  Fitting fitting;
  std::function<std::string()> complaint;  ///< what went wrong last; empty: nothing
  BeginSpread spread{};                    ///< of distributed trainings; empty: there are none
};

using TrainThere = std::function<learn::Asked<learn::TrainedModel>(
    const learn::ModelDefinition&, const learn::TrainRequest&, const Telling&)>;

/// What trainings learn from, and with what.
struct Source {
  /// Rows of what is kept; not called for `DataSource::kFile`. Called when a training is asked for
  /// and by its job, in that one's thread.
  std::function<learn::Asked<Rows>(const learn::ModelDefinition&, const learn::TrainRequest&)> rows;
  std::string folder;         ///< of the files of `DataSource::kFile`
  std::uint32_t workers = 2;  ///< fits at a time
  /// Its folder holds one for each model. Null: there is no such trainer here.
  std::shared_ptr<const KenningOptions> kenning{};
  std::shared_ptr<const Cluster> ray{};  ///< null: the same
  RowBudgets budgets{};
  std::uint64_t file_bytes_max = kRowsBytesMax;  ///< of the table that a file makes
  /// Has a cluster elsewhere train, on the rows that it has. Null: there is none. What it gives is
  /// what its gate thinks of it.
  TrainThere there{};
};

/// A training that may begin: blocks, and ends soon after it is cancelled. Once.
using Work = std::function<learn::Asked<learn::TrainedModel>(const Incumbent&, const Telling&)>;

/// Checks a request and its rows; the work reads them again, those of a file for the first time,
/// and is then refused like this. Rows elsewhere are not known here. `definition` is null when
/// there is no such model. Refused: kOutOfRange with the fields that are wrong; kConflict when
/// there are too few rows, with how many are missing; kMalformed when a file cannot be read; and as
/// `source.rows` says.
[[nodiscard]] learn::Asked<Work> prepare_training(const learn::ModelDefinition* definition,
                                                  const learn::TrainRequest& request,
                                                  const Source& source);

/// Queues a training of a model of `registry` among `jobs`: those of server/registry, or what is
/// like them. Refused as `prepare_training` and `jobs.submit` say. `registry` outlives the jobs.
template <class Registry, class Jobs>
[[nodiscard]] learn::Asked<learn::TrainingJob> begin_training(const Registry& registry,
                                                              Jobs& jobs,
                                                              const learn::TrainRequest& request,
                                                              const Source& source) {
  if (jobs.busy(request.model))
    return learn::refusal(ErrorCode::kConflict, "a training of " + request.model + " is under way");
  auto work = prepare_training(registry.definition(request.model), request, source);
  if (!work) return tl::unexpected(std::move(work.error()));
  return jobs.submit(request,
                     [&registry, model = request.model, work = std::move(*work)](auto& watch) {
                       // The champion of when it runs: it may have changed while the job waited.
                       Incumbent incumbent;
                       if (const auto champion = registry.champion(model))
                         incumbent = {champion->scorer,
                                      registry.made_s(model, champion->version),
                                      registry.judged(model, champion->version),
                                      registry.compared_with(model, champion->version),
                                      registry.reference(model, champion->version)};
                       return work(incumbent,
                                   {[&watch] { return watch.cancelled(); },
                                    [&watch](double progress, std::vector<learn::JobLine> lines) {
                                      watch.tell(progress, std::move(lines));
                                    }});
                     });
}

/// The refusal of one field of a request.
[[nodiscard]] tl::unexpected<learn::Refusal> wrong(std::string field, std::string text);

/// Why a model cannot be trained from users' features; nothing when it can.
[[nodiscard]] std::optional<learn::Refusal> not_of_users(const learn::ModelDefinition& definition);

/// Rows of users' features, with labels from alerts, or a row a user for a clustering. Rows of
/// confirmed alerts are left out when that is asked for.
[[nodiscard]] Rows users_rows(const learn::ModelDefinition& definition,
                              const learn::TrainRequest& request,
                              std::vector<traffic::FeatureRow> rows,
                              std::span<const traffic::Alert> alerts);

}  // namespace liminal::training
