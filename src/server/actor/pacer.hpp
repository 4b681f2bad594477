#pragma once

#include <cstdint>
#include <optional>

#include "core/base/time.hpp"
#include "io/http/retry.hpp"
#include "server/actor/options.hpp"

namespace liminal::actor {

/// When one target is told what: the pure part, told the time.
///
/// A number is told when it is another one than was taken last, not before `interval` has passed
/// since then; again after `repeat`, because whoever scales may have forgotten. After a failure
/// the pause is that of `http::Backoff`, and no shorter than the target asked for (up to
/// retry_max); after a refusal it is retry_max.
class Pacer {
 public:
  Pacer(const Options& options, bool repeats) : options_(&options), repeats_(repeats) {}

  [[nodiscard]] bool is_due(std::uint32_t wanted, SteadyTime now) const;
  void settle(std::uint32_t told, const http::Outcome& outcome, SteadyTime now);
  /// What was taken last.
  [[nodiscard]] std::optional<std::uint32_t> told() const { return told_; }

 private:
  const Options* options_;
  bool repeats_;
  std::optional<std::uint32_t> told_;
  SteadyTime told_at_{};
  SteadyTime not_before_{};
  std::uint32_t failures_ = 0;
};

}  // namespace liminal::actor
