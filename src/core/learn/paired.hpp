#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "core/learn/fit.hpp"
#include "core/learn/metrics.hpp"
#include "core/learn/owners.hpp"

namespace liminal::learn {

// Tests of two models on the same rows. Rows of one user count as one observation of their sum:
// `users` is one a row, or empty where users are not known, and each row is then one of its own.

/// Two scores of the same rows.
struct PairedAuc {
  double champion = 0;    ///< ROC-AUC
  double challenger = 0;  ///< ROC-AUC
  double difference = 0;  ///< challenger − champion
  double variance = 0;    ///< of the difference; infinite where one user has a whole class
  double z = 0;           ///< difference in its standard errors
  std::size_t positives = 0, negatives = 0;
  /// Users among whom the rows of a class would be as uneven if each had the same number, of the
  /// class that has fewer; rows where users are not known.
  double users = 0;
  double degrees = std::numeric_limits<double>::infinity();  ///< of Student's t: `users` − 1

  /// The z that one no better than the other exceeds with `probability`: the normal quantile where
  /// each row is one of its own, else Student's of `degrees`; infinite of fewer than four users.
  [[nodiscard]] double line(double probability) const;
};

/// DeLong's test of two correlated areas, for rows that come from users. NaN throughout with fewer
/// than two rows of a class. A variance of zero (both order all pairs alike, or both perfectly)
/// becomes what it would be if one pair of users were tied by one of them: the sample cannot show
/// less. Cost: n log n.
///
/// Source: DeLong, DeLong, Clarke-Pearson 1988, equations 3–7, by the mid-ranks of Sun and Xu 2014;
/// structural components summed by user after Obuchowski 1997, section 2, which is DeLong's where
/// each user has one row. Deviation: Student's quantile by the effective number of users, where
/// Obuchowski has the normal one, which promotes too often by a dozen users.
[[nodiscard]] PairedAuc delong(std::span<const float> champion,
                               std::span<const float> challenger,
                               std::span<const float> labels,
                               std::span<const std::uint64_t> users = {});

/// The same against chance: scores that are all alike.
[[nodiscard]] PairedAuc against_chance(std::span<const float> scores,
                                       std::span<const float> labels,
                                       std::span<const std::uint64_t> users = {});

/// How many positives a held-out set with the same share of negatives (and as many rows a user)
/// needs to tell a difference of `least` at the line of 5 % with a power of .8:
/// (line + .842)²·variance·positives / least². The line is Student's of so many users where these
/// are known, else 1.645. 0 where the variance is not known. As right as the variance is: by a
/// dozen positive users it is .4 to 1.7 of the truth in four cases of five (bench/promotion).
[[nodiscard]] double positives_needed(const PairedAuc& seen, double least);

/// A mean over rows whose users are what it is of many or few of.
struct MeanByUser {
  double mean = 0;
  double error = 0;  ///< standard error; infinite of one user
  double users = 0;  ///< alike
};
/// `values` is one a row; there must be one at least.
///
/// Source: the ratio estimator of a cluster sample, Cochran 1977, section 11.
[[nodiscard]] MeanByUser mean_by_user(std::span<const double> values, const Owners& owners);

struct PairedBootstrap {
  double difference = 0;  ///< mean gain of all rows
  double low = 0;         ///< 5 % quantile of the resampled differences
  double high = 0;        ///< 95 % quantile
  /// Resamples in which the challenger was not better, and one more, as a share of their number and
  /// one more: never zero, so that few resamples do not show what takes many.
  double worse = 0;
};

/// How sure it is that the challenger is better by the mean of something that rows have, as the
/// absolute error. `gains`: by how much the challenger's is better, one a row. Draws users with
/// replacement `rounds` times and takes the mean over the rows of each draw. Where users are known,
/// draws lie further from the difference by as much as Student's 5 % quantile of so many users
/// alike exceeds the normal one; of fewer than four users nothing is shown: `worse` is 1, and the
/// quantiles are infinite. So they are when it was stopped, which is asked before each draw (empty:
/// never). `wider`: how much further yet draws are to lie from the difference. NaN where a gain is
/// not finite or there is none. Deterministic for a seed. Cost: some 5 ns a user and round; memory:
/// two numbers a user.
[[nodiscard]] PairedBootstrap paired_bootstrap(std::span<const double> gains,
                                               std::span<const std::uint64_t> users,
                                               std::size_t rounds,
                                               std::uint64_t seed,
                                               double wider = 1,
                                               const Stop& stop = {});

}  // namespace liminal::learn
