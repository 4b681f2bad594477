#pragma once

#include <functional>
#include <memory>
#include <span>
#include <tl/expected.hpp>
#include <vector>

#include "core/base/problem.hpp"
#include "core/base/result.hpp"
#include "core/models/evaluator.hpp"
#include "core/models/explain.hpp"
#include "core/models/model.hpp"

namespace liminal::models {

/// A model that can be asked, whoever computes it: the core's evaluator, or somebody else.
///
/// Thread rule: immutable; any number of threads may ask at once, if `AnswerRows` allows it.
class Scorer {
 public:
  /// Fills in scores (and clusters) of `out.size()` rows, which follow each other in `rows`. False
  /// when it failed.
  using AnswerRows = std::function<bool(std::span<const float> rows, std::span<Prediction> out)>;
  using Made = tl::expected<std::shared_ptr<const Scorer>, Problems>;

  /// A model that the core evaluates. Fails with all that `validate` finds.
  [[nodiscard]] static Made own(Model model);

  /// A model that somebody else computes; `metadata` says what it is asked for. `usual` is a row of
  /// ordinary values, against which it is explained; empty: zeros.
  [[nodiscard]] static Made foreign(Metadata metadata,
                                    AnswerRows answer,
                                    std::vector<float> usual = {});

  Scorer(const Scorer&) = delete;
  Scorer& operator=(const Scorer&) = delete;

  [[nodiscard]] const Metadata& metadata() const { return metadata_; }
  [[nodiscard]] std::size_t features() const { return metadata_.features.size(); }
  /// What the core evaluates; null when it is foreign.
  [[nodiscard]] const Model* model() const { return own_ ? &own_->model : nullptr; }
  [[nodiscard]] const Evaluator* evaluator() const { return own_ ? &own_->evaluator : nullptr; }
  /// Of foreign ones, never empty.
  [[nodiscard]] const std::vector<float>& usual() const { return usual_; }

  /// `rows` holds `out.size()` rows one after the other. Own models always answer. A foreign one
  /// fails with `kUnavailable` when it could not compute, and with `kOutOfRange` when a score is no
  /// number, or no probability where classes are foretold. Its margins are its scores.
  [[nodiscard]] Result<void> predict(std::span<const float> rows, std::span<Prediction> out) const;

  /// Why a row has its margin. Own models as `explain` says; foreign ones by sampling the score
  /// against the usual row.
  [[nodiscard]] Result<Explanation> explain(std::span<const float> row) const;

  /// 0 when it is not known.
  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  struct Own {
    Model model;
    Evaluator evaluator;
  };
  Scorer() = default;
  [[nodiscard]] Result<Explanation> sample(std::span<const float> row) const;

  Metadata metadata_;
  std::unique_ptr<const Own> own_;
  AnswerRows answer_;
  std::vector<float> usual_;
};

/// A probability may be so far outside 0–1: rounding of single precision.
inline constexpr double kProbabilitySlack = 1e-5;

}  // namespace liminal::models
