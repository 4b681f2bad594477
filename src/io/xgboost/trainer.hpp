#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/learn/fit.hpp"

namespace liminal::xgboost {

/// Grows boosted trees by XGBoost's histogram method, in the calling thread alone: 256 bins, the
/// loss on the validation rows after every round.
///
/// Rows are given to XGBoost once per set and kept for the fits that follow (about 8 bytes a value,
/// and 1 to 4 for its bins): two threads must not train on the same copy, so each has a trainer of
/// its own. Errors: `kUnavailable` when stopped before the first round, `kUnsupported` when XGBoost
/// refuses (`complaint` has its words). Thread rule: one owner; use it in one thread.
class Trainer final : public learn::Booster {
 public:
  Trainer();
  ~Trainer() override;

  [[nodiscard]] Result<learn::Fit> train(const learn::Material& material,
                                         const learn::FitJob& job,
                                         const learn::BoosterRecipe& recipe,
                                         const learn::Stop& stop) override;

  /// What XGBoost said when it last refused.
  [[nodiscard]] const std::string& complaint() const { return complaint_; }

 private:
  class Rows;
  [[nodiscard]] Result<Rows*> rows_of(const learn::Material& material, std::uint32_t set);

  learn::Identity::Token material_;  ///< whose rows are kept
  std::map<std::uint32_t, std::unique_ptr<Rows>> rows_;
  std::vector<std::uint8_t> indicators_;  ///< of each column, whether it holds only 0 and 1
  std::string complaint_;
};

/// The trees of a model as XGBoost saves it (UBJSON of versions 1.6 to 3.2, one output, objectives
/// with a logistic or an identity link), the first `rounds` rounds of it (0: all). `kMalformed` for
/// what is no such model. What XGBoost pruned away is left out.
///
/// Columns marked in `indicators` were given to XGBoost as 1 or missing; in the trees they are 1 or
/// 0.
[[nodiscard]] Result<models::Trees> read_trees(std::string_view ubjson,
                                               std::uint32_t rounds,
                                               std::span<const std::uint8_t> indicators = {});

}  // namespace liminal::xgboost
