#pragma once

#include <cstdint>
#include <optional>

#include "core/base/time.hpp"
#include "server/actor/options.hpp"

namespace liminal::actor {

/// How an attempt to tell a target went.
struct Outcome {
  enum class Kind : std::uint8_t {
    kDone,
    kRetry,     ///< no answer, 408, 425, 429, 5xx: may go better later
    kRejected,  ///< any other answer: somebody has to look at it
  };
  Kind kind = Kind::kDone;
  Duration retry_after{};  ///< what the target asked for; zero: nothing
};
/// What an answer's status means.
[[nodiscard]] Outcome outcome_of(unsigned status, std::string_view retry_after);

/// When one target is told what: the pure part, told the time.
///
/// A number is told when it is another one than was taken last, not before `interval` has passed
/// since then; again after `repeat`, because whoever scales may have forgotten. After the nth
/// failure in a row the pause is min(retry_max, retry_first · 2^(n-1)), and no shorter than the
/// target asked for (up to retry_max); after a refusal it is retry_max.
class Pacer {
 public:
  Pacer(const Options& options, bool repeats) : options_(&options), repeats_(repeats) {}

  [[nodiscard]] bool is_due(std::uint32_t wanted, SteadyTime now) const;
  void settle(std::uint32_t told, const Outcome& outcome, SteadyTime now);
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
