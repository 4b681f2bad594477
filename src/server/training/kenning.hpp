#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/models/scorer.hpp"
#include "server/training/builtin.hpp"

namespace liminal::training {

/// Makes an ONNX file that the core does not evaluate ready to answer rows of its features.
using OpenModel = std::function<learn::Asked<std::shared_ptr<const models::Scorer>>(
    std::string_view file, models::Metadata metadata)>;

struct KenningOptions {
  std::string program;  ///< a path, or a name in PATH; empty: it is not configured
  std::string folder;   ///< of the run; what is in it is deleted first
  OpenModel open;
  /// Whether `open` could do its work, asked before anything begins. Empty: it can.
  std::function<learn::Asked<void>()> ready{};
};

/// Why Kenning cannot be asked, before any row is read: kConflict when it is not there, naming what
/// to do; kOutOfRange with the fields of a request that it has no answer to; as `ready` says.
[[nodiscard]] std::optional<learn::Refusal> kenning_refusal(
    const learn::ModelDefinition& definition,
    const learn::TrainRequest& request,
    const KenningOptions& kenning);

/// Trains by Kenning on a part of the rows, takes the best of what came by F1 on that part, puts
/// its standardisation before its graph, and judges it on the rest as `train_builtin` does; the
/// guard against repeating rules asks the builtin search. Its answers are decisions, 0 or 1.
///
/// Blocks; ends within seconds after it is cancelled, with all processes that it began.
[[nodiscard]] learn::Asked<learn::TrainedModel> train_kenning(Rows rows,
                                                              const BuiltinOptions& options,
                                                              const KenningOptions& kenning,
                                                              const Telling& telling);

}  // namespace liminal::training
