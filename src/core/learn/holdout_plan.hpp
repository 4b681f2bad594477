#pragma once

#include <vector>

#include "core/learn/cheaper.hpp"
#include "core/learn/ledger.hpp"
#include "core/learn/local_search.hpp"

namespace liminal::learn {

/// What a search on one held-out part does, for large tables and for splits by time: the portfolio
/// on a part of the rows, the better ones on more (successive halving), with learning rates raised
/// where a fit would take too long, extra-trees, a linear model, something cheap, local search on
/// all training rows, and at the end fits on all rows of what is blended and of the champion.
class HoldoutPlan {
 public:
  /// The next fits, none when done. Called when all that was asked for before has been told.
  [[nodiscard]] std::vector<Request> next(Ledger& ledger, const Spent& now);
  /// The candidates that were tried on all training rows, and their weights in the blend.
  [[nodiscard]] Pool pool(const Ledger& ledger) const;
  /// The best candidate that is cheap enough for the path of messages; none when none is.
  [[nodiscard]] std::optional<std::size_t> champion() const { return champion_; }

 private:
  enum class Stage : std::uint8_t {
    kFirst,
    kMiddle,
    kTop,
    kSure,
    kTopRest,
    kCheap,
    kPair,
    kPairJudged,
    kRefit,
    kDone,
  };

  [[nodiscard]] std::vector<Request> batch(Ledger& ledger, const Spent& now);
  [[nodiscard]] std::vector<Request> first(Ledger& ledger);
  [[nodiscard]] std::vector<Request> middle(Ledger& ledger);
  [[nodiscard]] std::vector<Request> top(Ledger& ledger);
  [[nodiscard]] std::vector<Request> sure(const Ledger& ledger);
  [[nodiscard]] std::vector<Request> top_rest(Ledger& ledger, const Spent& now);
  [[nodiscard]] std::vector<Request> cheap(Ledger& ledger);
  [[nodiscard]] std::vector<Request> pair(Ledger& ledger, const Spent& now);
  [[nodiscard]] std::vector<Request> refit(const Ledger& ledger);
  [[nodiscard]] static std::uint32_t last(const Ledger& ledger) {
    return static_cast<std::uint32_t>(ledger.splits.size()) - 1;
  }
  void hasten(Ledger& ledger, std::size_t candidate, std::uint32_t split) const;
  /// Until when fits may run so that what they find can still be fitted on all rows.
  [[nodiscard]] double end(const Ledger& ledger) const;

  Stage stage_ = Stage::kFirst;
  LocalSearch search_;
  bool searching_ = false;
  std::vector<std::size_t> finalists_;
  std::vector<std::size_t> tried_;
  Patience patience_;
  Cheaper cheaper_;
  std::optional<std::size_t> champion_;
};

}  // namespace liminal::learn
