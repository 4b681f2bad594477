#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/codec.hpp"
#include "core/base/problem.hpp"
#include "core/base/time.hpp"
#include "core/learn/grouped_arms.hpp"
#include "core/stats/moments.hpp"

namespace liminal::learn {

struct Interval {
  double low = 0, high = 0;
};

/// An interval around an estimate that holds at every look at once: the chance that it ever leaves
/// out the true value, however often one looks, is at most `alpha` (asymptotically in the rows).
/// `variance` is that of the estimate; `planned` the variance at which the interval is narrowest in
/// proportion. The whole line when the variance is not positive.
///
/// Source: normal mixture, Robbins 1970; in information time after Howard, Ramdas, McAuliffe,
/// Sekhon 2021, equation 14, with the mixture tuned as in their section 3.5.
[[nodiscard]] Interval anytime_interval(double estimate,
                                        double variance,
                                        double alpha,
                                        double planned);

/// The variance that an estimate of a difference must fall to until a fixed test (two-sided
/// `alpha`) finds `effect` with a power of .8: (effect/(z + .842))².
[[nodiscard]] double fixed_test_variance(double effect, double alpha);

/// Whether users come to two arms in the ratio that was meant, safe to look at after every user:
/// a mismatch that is not there is reported with a chance of at most `kAlpha` ever.
///
/// Source: sequential multinomial test, Lindon and Malek 2022, with a beta prior of weight 100.
class SampleRatio {
 public:
  static constexpr double kAlpha = .001;

  explicit SampleRatio(double share = .5) : share_(share) {}
  void observe(bool challenger);

  [[nodiscard]] bool mismatch() const;
  [[nodiscard]] double observed_share() const;  ///< of the challenger; 0 when nobody came

  void save(Writer& out) const;
  void load(Reader& in);

 private:
  double share_;
  double seen_[2]{};
  double evidence_ = 0;  ///< the logarithm of the mixture's martingale
  double highest_ = 0;
};

/// A measure that must not get worse while an experiment runs.
struct GuardRail {
  std::string name;
  /// The mean may grow by this before it is harm (lower values are better; turn the sign of
  /// others).
  double tolerance = 0;
};

/// Champion against challenger on live traffic.
///
/// `kSplit`: each user belongs to one arm (`assign`), `observe` gets one value a user. `kShadow`:
/// both score the same event and only the champion acts; `observe_pair` gets both values, and what
/// is compared is the mean difference, which needs far fewer rows.
struct ExperimentOptions {
  enum class Mode : std::uint8_t { kShadow, kSplit };
  Mode mode = Mode::kShadow;
  double share = .5;    ///< of users in the challenger's arm, within .01–.99
  double alpha = .05;   ///< chance of a false win, over all looks
  double effect = .01;  ///< the smallest difference of means that matters, in the metric's unit
  /// Above 0: what matters is this part of the size of the champion's mean, as it is when first
  /// something could be said; `effect` means nothing then.
  double effect_ratio = 0;
  double rows_min = 100;  ///< an arm, before anything is said
  /// Above 0, of a shadow: rows of so long a time are alike, and count as one of their mean. What
  /// is said is of whole days of these, and of two at least. 0: each row is one of its own.
  Duration block{};
  std::uint64_t salt = 0;  ///< makes users' arms independent of other experiments'
  std::vector<GuardRail> guards;

  [[nodiscard]] Problems validate() const;
};

enum class ExperimentState : std::uint8_t {
  kRunning,
  kChallengerBetter,
  kChampionBetter,
  kNoDifference,  ///< the interval lies within ± effect
  kHarm,          ///< a guard rail broke: roll back
  kInvalid,       ///< users did not come in the ratio that was meant
};
[[nodiscard]] std::string_view name(ExperimentState state);

/// One line of the decision log.
struct ExperimentDecision {
  SteadyTime at{};
  ExperimentState state = ExperimentState::kRunning;
  double difference = 0;  ///< challenger − champion
  Interval interval;
  double rows = 0;          ///< both arms
  std::uint32_t guard = 0;  ///< which broke, of `kHarm`
};

/// The running state of an experiment. Metrics: larger is better. A state that ends it stays; the
/// log only grows (at most by one entry a change of state).
///
/// Where rows are alike in time, blocks of it are what an interval is of many or few of: as wide as
/// Student's t of so many blocks is wider than a normal variable at the same tail. Blocks of a day
/// differ by their hour, errors by orders: half a day is a sample of neither half. So they are
/// taken by days, counted from the first row, and what a day's hours differ by is in the interval.
/// A block of less than half the rows of the fullest (a restart, a gap) is left out.
///
/// Guarantee: if both arms are equal, `kChallengerBetter` is ever reached with a chance of at most
/// `alpha`/2, however often one looks (asymptotically in the rows, or blocks, that are alike no
/// longer). Rows that all say the same are taken as if one of them had been as large as all: so two
/// models that always agree are called alike after some 4·size/`effect` rows. Memory: some 300
/// bytes and 32 KiB a guard. Cost: some 30 ns an observation, 300 of a guard.
class Experiment {
 public:
  explicit Experiment(ExperimentOptions options);

  [[nodiscard]] Arm assign(std::uint64_t user_hash) const;

  /// Split: a user came who had not come before.
  void observe_user(Arm arm, SteadyTime at);
  /// One value a user: values of one user are alike, and the intervals rest on rows that are not.
  void observe(Arm arm, double value, SteadyTime at);
  void observe_pair(double champion, double challenger, SteadyTime at);
  /// Of a row of this user; of a shadow the champion's value first. Rows of one user are alike, and
  /// are told apart from those of others (grouped_arms.hpp): of nobody's each has a hash of its
  /// own.
  void observe_guard(
      std::size_t guard, Arm arm, double value, std::uint64_t user_hash, SteadyTime at);
  /// Shadow: whether both said the same of a row.
  void observe_agreement(bool agreed);
  /// How long a row took.
  void observe_latency(Arm arm, double us);

  [[nodiscard]] ExperimentState state() const { return state_; }
  /// Challenger − champion; nothing before there is one, of blocks before a day is over.
  [[nodiscard]] std::optional<double> difference() const;
  [[nodiscard]] Interval interval() const;
  /// The smallest difference that matters; nothing while it is not known yet.
  [[nodiscard]] std::optional<double> effect() const;
  [[nodiscard]] double rows(Arm arm) const;
  [[nodiscard]] const SampleRatio& sample_ratio() const { return ratio_; }
  /// Of the shadowed events, the share on which both agreed; 1 without any.
  [[nodiscard]] double agreement() const;
  [[nodiscard]] const stats::Moments& latency_us(Arm arm) const { return latency_[index(arm)]; }
  [[nodiscard]] const std::vector<ExperimentDecision>& log() const { return log_; }
  [[nodiscard]] const ExperimentOptions& options() const { return options_; }

  /// The options are not part of it: they belong to whoever configured the experiment. What was
  /// kept in another mode or with other blocks is refused. Version 1, which had neither, nor a
  /// version, is read where there are no blocks now. Guards of versions 1 and 2, which did not know
  /// users apart, begin anew.
  void save(Writer& out) const;
  void load(Reader& in);

 private:
  /// An anytime interval whose level and place of narrowest width are worked out once.
  struct Plan {
    double evidence = 0;  ///< −2·ln alpha
    double precision = 0;
    double planned = 0;

    Plan(double alpha, double planned_variance);
    [[nodiscard]] Interval interval(double estimate, double variance) const;
  };
  /// The day that goes on, and its block.
  struct Day {
    std::int64_t begun = 0;   ///< when blocks are counted from, in nanoseconds
    std::int64_t block = -1;  ///< the number of the one that goes on; below 0: none yet
    std::uint64_t fullest = 0;
    stats::Moments rows;    ///< of the block that goes on
    stats::Moments blocks;  ///< of the day that are over

    void save(Writer& out) const;
    void load(Reader& in);
  };

  static std::size_t index(Arm arm) { return static_cast<std::size_t>(arm); }
  [[nodiscard]] double variance() const;
  [[nodiscard]] bool enough() const;
  [[nodiscard]] bool in_blocks() const { return options_.block > Duration{}; }
  [[nodiscard]] std::int64_t blocks_a_day() const;
  void enter_block(SteadyTime at);
  void know_effect(double effect);
  void judge(SteadyTime at);
  void enter(ExperimentState state, SteadyTime at, std::uint32_t guard = 0);

  ExperimentOptions options_;
  Plan plan_;
  ExperimentState state_ = ExperimentState::kRunning;
  stats::Moments arms_[2];
  stats::Moments pairs_;  ///< of rows, or of blocks of days that are over
  Day day_;
  double effect_ = 0;  ///< 0: not known yet
  struct Guard {
    GroupedArms arms;
    Plan plan;
    std::uint32_t unseen = 0;  ///< rows since it was looked at
  };
  [[nodiscard]] bool broke(const Guard& guard, double tolerance) const;
  std::vector<Guard> guards_;
  SampleRatio ratio_;
  stats::Moments agreement_;
  stats::Moments latency_[2];
  std::vector<ExperimentDecision> log_;
};

}  // namespace liminal::learn
