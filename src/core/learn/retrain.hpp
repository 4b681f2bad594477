#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/codec.hpp"
#include "core/base/problem.hpp"
#include "core/base/time.hpp"

namespace liminal::learn {

/// Why a model is trained anew, the most urgent first.
enum class Trigger : std::uint8_t { kDecay, kDrift, kFeedback, kSchedule };
inline constexpr std::size_t kTriggers = 4;
[[nodiscard]] std::string_view name(Trigger trigger);

/// When models are trained anew.
struct RetrainOptions {
  Duration every = std::chrono::hours{24};  ///< after the last training; 0: never by the clock
  /// Instead: once a day, so long after midnight UTC, below a day.
  std::optional<Duration> daily_at;
  bool drift = true, decay = true;
  std::uint32_t feedback = 50;                ///< new words of people; 0: they are no reason
  Duration rest = std::chrono::hours{1};      ///< between a training and one for another reason
  Duration retry = std::chrono::minutes{10};  ///< after a failure; doubles with each
  Duration retry_max = std::chrono::hours{24};

  [[nodiscard]] Problems validate() const;
};

/// What is known of a model when it is asked whether to train it.
struct RetrainFacts {
  bool under_way = false;  ///< a training of it waits or runs
  bool champion = false;   ///< without one there is nothing to drift or decay
  std::vector<std::string> drifted;
  bool decayed = false;
  std::uint64_t feedback = 0;  ///< since the last training began
};

/// When one model was trained and is to be trained again.
///
/// Guarantees: `due` says nothing while a training is under way, before the end of a back-off, and,
/// but for the schedule, before the rest is over. A schedule that was missed several times is due
/// once. After n failures in a row it waits `retry`·2^(n−1), at most `retry_max`, and then tries
/// again whatever the reason was. After n trainings in a row for another reason than the schedule
/// that brought no new champion the rest is 2^n times as long, at most `retry_max`. Time that goes
/// back counts as standing still; when it has jumped ahead, what was missed is due once.
class Retraining {
 public:
  /// `now` is when the model came to be known: the schedule counts from it.
  explicit Retraining(SteadyTime now = {}) : since_(now) {}

  struct Due {
    Trigger trigger{};
    std::string reason;  ///< in words
  };
  [[nodiscard]] std::optional<Due> due(const RetrainOptions& options,
                                       const RetrainFacts& facts,
                                       SteadyTime now) const;
  /// When it is due by the clock alone; none: never.
  [[nodiscard]] std::optional<SteadyTime> next(const RetrainOptions& options, SteadyTime now) const;

  /// A training began, by itself (with its reason) or by a person.
  void began(std::uint64_t job, std::optional<Due> why, SteadyTime now);
  /// It ended; `promoted`: a new champion came of it. Of other jobs than the last one nothing is
  /// taken.
  void ended(std::uint64_t job, bool succeeded, bool promoted, SteadyTime now);
  /// A training that was due was refused: counts as a failure.
  void refused(const Due& why, std::string text, SteadyTime now);
  /// Time went back since it was saved: what would lie ahead counts as now.
  void clamp(SteadyTime now);
  /// The mode is to look only: what was due counts as done.
  void looked(const Due& why, SteadyTime now);

  [[nodiscard]] std::uint64_t job() const { return job_; }                ///< the last; 0: none yet
  [[nodiscard]] bool ended() const { return ended_; }                     ///< the last job has
  [[nodiscard]] std::optional<SteadyTime> last() const { return last_; }  ///< end, else beginning
  [[nodiscard]] std::optional<SteadyTime> began_at() const { return began_; }
  [[nodiscard]] const std::optional<Due>& why() const { return why_; }  ///< of what began by itself
  [[nodiscard]] std::uint32_t failures() const { return failures_; }    ///< in a row
  [[nodiscard]] const std::string& refusal() const {
    return refusal_;
  }  ///< of the last; may be empty
  [[nodiscard]] std::optional<SteadyTime> not_before(const RetrainOptions& options) const;

  void save(Writer& out) const;
  void load(Reader& in);

 private:
  [[nodiscard]] Duration rest(const RetrainOptions& options) const;

  SteadyTime since_;
  std::optional<SteadyTime> began_, last_;
  std::uint64_t job_ = 0;
  bool ended_ = true;
  std::optional<Due> why_;
  std::string refusal_;
  std::uint32_t failures_ = 0;
  std::uint32_t fruitless_ = 0;
};

}  // namespace liminal::learn
