#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/training/builtin.hpp"

namespace liminal::training {

/// What is asked of a cluster for a training on files that no search would hold.
struct SpreadWish {
  std::vector<std::string> files;  ///< of one form (`kSpreadForms`), as all its machines see them
  learn::ModelDefinition definition;
  std::uint32_t workers = 0;      ///< 0: as many as there is room for
  std::uint64_t sample_rows = 0;  ///< at most
  std::uint32_t rounds_max = 0;   ///< of boosting
  double budget_s = 0;            ///< no round begins later
  std::uint64_t seed = 1;
};

/// Rows that were drawn by chance, all if they are few enough.
struct SpreadSample {
  learn::Table table;                ///< labelled; users and times where all rows have them
  std::uint64_t rows = 0;            ///< of the files, with a label
  std::uint64_t left_out = 0;        ///< without
  std::uint64_t positives = 0;       ///< of classes, among `rows`
  std::vector<std::string> notes{};  ///< for the report
};

/// Boosted trees as they came.
struct SpreadFit {
  std::string booster;  ///< a model of XGBoost in UBJSON
  std::uint64_t rows = 0;
  std::uint32_t rounds = 0, workers = 0;
  double score = 0;  ///< of the rows by which boosting ended, larger is better
  double took_s = 0;
  std::string recipe{};              ///< in words
  std::vector<std::string> notes{};  ///< for the report
};

/// One such training, where the rows lie. Its destructor ends all that it began. Errors:
/// kMalformed for what is wrong with the files; kConflict where something is not installed, or the
/// cluster has no room; kUnavailable when it was cancelled or went wrong, in words.
class Spread {
 public:
  virtual ~Spread() = default;
  /// Reads the files, once.
  [[nodiscard]] virtual learn::Asked<SpreadSample> sample(const Telling& telling) = 0;
  /// Grows trees of all rows that `parting` learns from, after `sample`.
  [[nodiscard]] virtual learn::Asked<SpreadFit> grow(const Parting& parting,
                                                     const Telling& telling) = 0;
};
using BeginSpread = std::function<std::unique_ptr<Spread>(const SpreadWish&)>;

/// Trains one boosted model on all rows of the files that learn, over a cluster. What judges is
/// parted from a sample of at most 400,000 rows as `train_builtin` does it, and the same parting
/// holds of all rows; figures and gate are of the sample's rows that judge. What answers is what
/// was judged. `bytes_max` bounds the sample's values.
///
/// Blocks; ends within a second after it is cancelled.
[[nodiscard]] learn::Asked<learn::TrainedModel> train_spread(std::vector<std::string> files,
                                                             std::uint64_t bytes_max,
                                                             const BuiltinOptions& options,
                                                             const BeginSpread& begin,
                                                             const Telling& telling);

}  // namespace liminal::training
