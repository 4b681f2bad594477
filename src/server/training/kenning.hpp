#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/learn/promote.hpp"
#include "core/learn/registered.hpp"
#include "core/models/evaluator.hpp"
#include "core/models/model.hpp"
#include "server/training/builtin.hpp"
#include "server/training/rows.hpp"

namespace liminal::training {

/// Fills in the scores of `out.size()` rows, which follow each other in `rows`. False when it
/// failed.
using AnswerRows =
    std::function<bool(std::span<const float> rows, std::span<models::Prediction> out)>;
/// Makes an ONNX file that the core does not evaluate ready to answer rows of its features.
using OpenModel = std::function<learn::Asked<AnswerRows>(std::string_view file)>;

struct KenningOptions {
  learn::ModelDefinition definition;
  learn::TrainRequest request;
  learn::GateOptions gate{};
  std::string program;  ///< a path, or a name in PATH; empty: it is not configured
  std::string folder;   ///< of the run; what is in it is deleted first
  OpenModel open;
};

/// What came of a training by Kenning. Its answers are decisions, 0 or 1, and no probabilities.
struct KenningModel {
  std::string file;  ///< ONNX; takes rows as they are
  models::Metadata metadata;
  std::string fingerprint;      ///< of all rows
  learn::NamedFigures metrics;  ///< on held-out rows
  std::vector<learn::JobLine> leaderboard;
  learn::GateDecision gate;        ///< against chance
  std::vector<std::string> notes;  ///< of the rows, the split and the run
};

/// Of rows that are flagged from a score of .5 on; NaN where nothing was flagged, or positive.
struct Decisions {
  double precision, recall, f1;
};
[[nodiscard]] Decisions decisions_of(std::span<const float> scores, std::span<const float> labels);

/// Why Kenning cannot be asked, before any row is read: kConflict when it is not there, naming what
/// to do; kOutOfRange with the fields of a request that it has no answer to.
[[nodiscard]] std::optional<learn::Refusal> kenning_refusal(
    const learn::ModelDefinition& definition,
    const learn::TrainRequest& request,
    const std::string& program);

/// Trains by Kenning on a part of the rows (`hold_out_classes`), takes the best of what came by F1
/// on that part, puts its standardisation before its graph, and judges it on the rest.
///
/// Blocks; ends within seconds after it is cancelled, with all processes that it began.
[[nodiscard]] learn::Asked<KenningModel> train_kenning(const Rows& rows,
                                                       const KenningOptions& options,
                                                       const Telling& telling);

}  // namespace liminal::training
