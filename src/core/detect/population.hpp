#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "core/base/codec.hpp"
#include "core/base/time.hpp"
#include "core/detect/common_contents.hpp"
#include "core/detect/contribution.hpp"
#include "core/detect/gaps.hpp"
#include "core/detect/habits.hpp"
#include "core/detect/options.hpp"

namespace liminal::detect {

/// What users normally do, learnt slowly from all of them, and what strikes all of them at present.
/// Has one owner, which learns from the shards' contributions once a second and hands out copies;
/// a shard reads its copy until the next one comes.
///
/// Learning is slow (a weight of 400 values, and no faster than in five minutes) because a fast
/// learner lets attackers shift a small population. When half of at least eight active users exceed
/// one rate statistic, that is the population and not a user: that one statistic is suppressed
/// while the population is learnt anew, fast. The same when a quarter of them repeat contents
/// beyond the alarm line.
///
/// Memory: below 2 KiB. Cost: about a microsecond a second and shard.
class Population {
 public:
  static constexpr std::size_t kActiveMin = 8;  ///< fewer users cannot shift

  explicit Population(Profile profile = Profile::kChat);

  /// Learns what the shards contributed since the last call, in their order, and closes the second.
  /// Time that stands still or goes back decays nothing. Returns whether the population has just
  /// begun to shift, or has gone on for ten minutes since it was last said.
  bool learn(std::span<const Contribution> shards, SteadyTime now, Duration warm_up);

  /// Nothing is known of these users yet: statistics relative to the population hold back.
  [[nodiscard]] bool warming_up() const { return warming_up_; }

  /// Suppressed at present, because about everybody exceeds it.
  [[nodiscard]] bool shifted(std::size_t rate_statistic) const { return shifted_[rate_statistic]; }
  [[nodiscard]] bool shifted() const { return any_shifted_; }

  /// So many repeat contents at present that it accuses nobody.
  [[nodiscard]] bool repeats_shifted() const { return repeats_shifted_for_s_ > 0; }

  /// Asks users for their counts every few seconds instead of every half window.
  [[nodiscard]] bool learns_fast(std::size_t window) const { return fast_[window]; }

  // Rates: of the decayed count of a window less the message that is looked at.
  [[nodiscard]] double mean(std::size_t window) const { return rates_[window].mean; }
  [[nodiscard]] double deviation(std::size_t window) const { return rates_[window].deviation; }
  /// Dispersion of a newcomer's count, as a negative binomial's `r`.
  [[nodiscard]] double dispersion(std::size_t window) const { return rates_[window].dispersion; }
  /// Relative variance of a newcomer's count, and of a count about the user's own mean.
  [[nodiscard]] double spread(std::size_t window) const { return rates_[window].spread; }
  [[nodiscard]] double own_spread(std::size_t window) const { return rates_[window].own_spread; }

  /// Messages per minute of an ordinary active user. While too little is learnt it is at least
  /// twice the present mean of the others, who are all but one that has `own` messages in the last
  /// minute.
  [[nodiscard]] double ordinary_rate(double own) const;

  /// How much later statistics speak that look at each message, where users send many: nat.
  [[nodiscard]] double caution() const { return caution_; }

  [[nodiscard]] double error_rate() const { return error_rate_; }
  /// Of the last minute (10 s where users send many): a server's own failure accuses nobody.
  /// Without one user's own share of it, who must not raise its own expectation.
  [[nodiscard]] double present_error_rate(float own_messages, float own_errors) const;
  /// Share of messages whose content is among the user's last 16; of brief ones apart.
  [[nodiscard]] double repeat_rate() const { return repeat_rate_; }
  [[nodiscard]] double brief_repeat_rate() const { return brief_repeat_rate_; }
  /// What clients say by themselves.
  [[nodiscard]] const CommonContents& common_contents() const { return common_contents_; }
  [[nodiscard]] double log_bytes_mean() const { return log_bytes_mean_; }
  [[nodiscard]] double log_bytes_variance() const { return log_bytes_variance_; }
  [[nodiscard]] double log_bytes_variance_within() const { return log_bytes_variance_within_; }
  /// How surprising a message of at least this size is among the population's: nat.
  [[nodiscard]] double size_surprise(double log_bytes) const;
  [[nodiscard]] double gap_spread_mean() const { return gap_spread_mean_; }
  [[nodiscard]] double gap_spread_deviation() const { return gap_spread_deviation_; }
  /// Share of the gaps that are within `Gaps::kSteady` of the user's median, of a rather regular
  /// but ordinary user.
  [[nodiscard]] double steady_rate() const { return steady_rate_; }
  /// Users that came back to their connection in the last minute.
  [[nodiscard]] double rejoins() const { return rejoins_; }
  /// Share of the active users that exceed the most exceeded rate statistic.
  [[nodiscard]] double over_ratio() const;

  /// Addresses whose ring was found of late: their users do not count for a shift.
  static constexpr std::size_t kRingingMax = 16;
  void set_ringing(std::span<const std::uint64_t> addresses);
  [[nodiscard]] bool ringing(std::uint64_t address) const;

  void save(Writer& out) const;
  void load(Reader& in);

 private:
  struct Rate {
    double mean, variance, own_spread;
    double deviation = 0, spread = 0, dispersion = 0;  // of the variance
  };

  template <class Self, class Visit>
  static void numbers(Self& self, Visit&& visit);
  void decay(double elapsed_s);
  void count_present(std::span<const Contribution> shards);
  void learn_ordinary(const Contribution& all, double elapsed_s);
  void learn_sizes(const Contribution& all);
  void find_shifts();
  void derive();

  std::array<Rate, kWindows> rates_;
  double error_rate_ = .012, repeat_rate_ = .02, brief_repeat_rate_ = .1;
  double log_bytes_mean_ = 3.6, log_bytes_variance_ = 1.13, log_bytes_variance_within_ = .78;
  double gap_spread_mean_ = .2, gap_spread_variance_ = .06;
  std::array<double, kSizeSteps> sizes_{};

  std::array<float, 60> messages_{};  // by second, a ring
  std::uint8_t second_ = 0;
  double light_messages_ = 0, light_errors_ = 0, rejoins_ = 0, active_ = 0;
  std::array<double, kRateStatistics> over_{};
  std::array<double, kRateStatistics> shifted_for_s_{};  // how long each is still suppressed
  double repeating_ = 0, repeats_shifted_for_s_ = 0;
  double silent_for_s_ = 0;  // until a shift may be said again
  double unlearnt_s_ = 0;    // since ordinary behaviour was learnt
  std::optional<SteadyTime> started_, last_;

  std::array<std::uint64_t, kRingingMax> ringing_{};
  CommonContents common_contents_;

  // Derived from the above.
  std::array<float, kSizeSteps> size_surprise_{};
  double caution_ = 0, steady_rate_ = 0, gap_spread_deviation_ = 0;
  std::array<bool, kRateStatistics> shifted_{};
  std::array<bool, kWindows> fast_{};
  bool any_shifted_ = false, warming_up_ = true;
};

}  // namespace liminal::detect
