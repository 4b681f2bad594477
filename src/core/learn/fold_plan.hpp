#pragma once

#include <vector>

#include "core/learn/cheaper.hpp"
#include "core/learn/ledger.hpp"
#include "core/learn/local_search.hpp"

namespace liminal::learn {

/// What a search on folds does, for tables of up to some 12,000 rows: linear models and
/// extra-trees, the portfolio on more and more folds while it is halved, something cheap should
/// nothing be, local search from the best, and at the end a fit on all rows of the best of any kind
/// that may be asked for every message. Models for batches are the mean of a candidate's fold
/// models.
class FoldPlan {
 public:
  /// The next fits, none when done. Called when all that was asked for before has been told.
  [[nodiscard]] std::vector<Request> next(Ledger& ledger, const Spent& now);
  /// The candidates that were tried on all folds, and their weights in the blend.
  [[nodiscard]] Pool pool(const Ledger& ledger) const;
  /// The candidate that was refitted for the path of messages; none when none is cheap enough.
  [[nodiscard]] std::optional<std::size_t> champion() const { return champion_; }

 private:
  enum class Stage : std::uint8_t {
    kLinear,
    kForest,
    kSecondForest,
    kFirstFold,
    kSecondFold,
    kOtherFolds,
    kSure,
    kCheap,
    kPair,
    kPairRest,
    kPairJudged,
    kLeftover,
    kRefit,
    kDone,
  };

  [[nodiscard]] std::vector<Request> batch(Ledger& ledger, const Spent& now);
  [[nodiscard]] static std::vector<Request> on_all_folds(const Ledger& ledger,
                                                         std::size_t candidate,
                                                         double end);
  [[nodiscard]] static std::size_t affordable(const Ledger& ledger,
                                              const Spent& now,
                                              std::size_t reserved);
  [[nodiscard]] std::vector<std::size_t> complete(const Ledger& ledger) const;
  [[nodiscard]] std::vector<Request> linear(Ledger& ledger, const Spent& now);
  [[nodiscard]] std::vector<Request> forest(Ledger& ledger, const Spent& now, bool second);
  [[nodiscard]] std::vector<Request> first_fold(Ledger& ledger, const Spent& now);
  [[nodiscard]] std::vector<Request> second_fold(const Ledger& ledger, const Spent& now);
  [[nodiscard]] std::vector<Request> other_folds(const Ledger& ledger, const Spent& now);
  [[nodiscard]] std::vector<Request> sure(const Ledger& ledger);
  [[nodiscard]] std::vector<Request> cheap(Ledger& ledger, const Spent& now);
  [[nodiscard]] std::vector<Request> pair(Ledger& ledger, const Spent& now);
  [[nodiscard]] std::vector<Request> pair_rest(const Ledger& ledger);
  void judge_pair(const Ledger& ledger);
  [[nodiscard]] std::vector<Request> leftover(const Ledger& ledger, const Spent& now);
  [[nodiscard]] std::vector<Request> refit(const Ledger& ledger);
  [[nodiscard]] double reserve_s(const Ledger& ledger) const;
  /// A share of what was left of the budget when the portfolio began.
  [[nodiscard]] double end(double share) const { return begin_ + (1 - begin_) * share; }
  void forget_the_worst(Ledger& ledger) const;

  Stage stage_ = Stage::kLinear;
  double begin_ = 0;
  double forest_begin_ = 0;
  LocalSearch search_;
  bool searching_ = false;
  std::vector<std::size_t> tried_;
  Patience patience_;
  Cheaper cheaper_;
  std::optional<std::size_t> champion_;
};

}  // namespace liminal::learn
