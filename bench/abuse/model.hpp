#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/engine/champion.hpp"
#include "core/learn/table.hpp"
#include "inject.hpp"
#include "judge.hpp"
#include "trace.hpp"

namespace liminal::bench {

/// What the engine would ask a model about a trace, with the injected abuse as labels.
class Lessons {
 public:
  Lessons();
  /// Gives a trace to the engine. What it asks about an abuser within the abuse is positive; later
  /// questions about an abuser are left out, everything else is negative. Rows of one `group` come
  /// to lie on one side of a split.
  void add(const Trace& trace,
           std::span<const Injection> injections,
           const detect::Options& options,
           std::uint64_t group);

  [[nodiscard]] const learn::Table& table() const { return table_; }
  [[nodiscard]] double user_hours() const { return user_hours_; }

 private:
  learn::Table table_;
  double user_hours_ = 0;
};

/// What a training came to.
struct Lesson {
  std::shared_ptr<const engine::Champion> champion;
  std::string words;  ///< rows, positives, figures on rows held out, the line
};

/// Trains by `fits` fits (core/learn over XGBoost) within the budget for the path of messages, and
/// sets the line where no more than `false_per_1000_hours` held-out negative rows are above it.
[[nodiscard]] Lesson train(const Lessons& lessons, std::uint32_t fits, double false_per_1000_hours);

/// The alerts of the model alone: a trace given to the whole engine.
[[nodiscard]] std::vector<AlertLine> judge_by_model(const Trace& trace,
                                                    const detect::Options& options,
                                                    std::shared_ptr<const engine::Champion> model);

}  // namespace liminal::bench
