#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/forecast/autoregression.hpp"
#include "core/forecast/history.hpp"
#include "core/forecast/plan.hpp"
#include "core/forecast/profile.hpp"

namespace liminal::forecast {

/// The forecasters whose weighted mean is the forecast. None is best on every series; each is
/// cheap.
enum class Member : std::uint8_t {
  kLagsLog,         ///< autoregression on the logarithm, lags around day and week
  kLagsLevel,       ///< the same on the values
  kDayProfileLog,   ///< profile of the day + autoregression of the rest, on the logarithm
  kWeekProfileLog,  ///< the same with the profile of the week
  kWeeks,         ///< the mean of the last five weeks, the nearest most, and half of today's shift
  kNaive,         ///< yesterday again
  kDayProfile,    ///< profile of the day + autoregression of the rest, on the values
  kDayLagsLog,    ///< autoregression on the logarithm, lags around the day only
  kDayLagsLevel,  ///< the same on the values
};
inline constexpr std::size_t kMembers = 9;

[[nodiscard]] std::string_view name(Member member);

template <class T>
using PerMember = std::array<T, kMembers>;

/// One value a step of the horizon.
using Path = std::vector<double>;

/// Lowest and highest level before an origin: a forecast stays within .3 of that range below and .5
/// above, and at or above 0 for a series that never was below.
struct Bounds {
  double low = 0, high = 0;
};

/// What the members learnt of a history up to some point.
struct MemberModels {
  Autoregression lags_log, lags_level, day_lags_log, day_lags_level, day_log, week_log, day_level;
  Profile day_log_profile, week_log_profile, day_level_profile;

  void save(Writer& out) const;
  void load(Reader& in);
};

/// Whether a plan has what a member needs: a day for the profiles, a week for the week's, and for
/// the lags of the day to differ from the others.
[[nodiscard]] bool speaks(Member member, const Plan& plan);

/// Fits the members. Holds scratch memory; one serves many series.
class MemberFitter {
 public:
  /// Fits to the first `cut` points. With `warm` the models are an earlier cut's, from which the
  /// robust fits go on: three iterations instead of four.
  void fit(
      const History& history, std::size_t cut, const Plan& plan, bool warm, MemberModels& models);

 private:
  void fit_residual(std::span<const double> series,
                    const Profile& profile,
                    std::uint64_t first,
                    int iterations,
                    Autoregression& model);

  AutoregressionFitter fitter_;
  std::vector<double> weights_, rest_;
};

/// What each member says from an origin: the points before it are known. Levels, within the bounds.
/// A member that does not speak leaves its path empty. Cost: about 20 µs for 48 steps.
[[nodiscard]] PerMember<Path> speak(const MemberModels& models,
                                    const History& history,
                                    std::size_t origin,
                                    const Plan& plan,
                                    Bounds bounds);

}  // namespace liminal::forecast
