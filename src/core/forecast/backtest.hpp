#pragma once

#include <array>
#include <vector>

#include "core/forecast/members.hpp"
#include "core/forecast/spread.hpp"

namespace liminal::forecast {

/// By what members are compared.
enum class ErrorMeasure : std::uint8_t {
  kRelative,   ///< |y − f| in parts of their mean size: every hour counts alike
  kGeometric,  ///< the geometric mean of relative and absolute error, for load that events drive
};

/// How each member did, and how much it is believed for it, in the near and the far half of the
/// horizon.
struct Standing {
  std::array<PerMember<double>, 2> errors{};   ///< mean error by the measure
  std::array<PerMember<double>, 2> weights{};  ///< sum to 1; 0 for one that does not speak
  double lean = 0;            ///< relative error of the combination, of which part is made good
  std::uint32_t origins = 0;  ///< from how many places it was tested, of which something came
  std::uint32_t cuts = 0;     ///< and refitted how often

  /// Half the weighted mean, half the weighted median of the members' paths, moved by .15 of the
  /// lean.
  [[nodiscard]] Path combine(const PerMember<Path>& paths, std::uint32_t half) const;
  /// The member that is believed most in a half of the horizon; 0 is the near one.
  [[nodiscard]] Member heaviest(std::size_t half) const;

  void save(Writer& out) const;
  void load(Reader& in);
};

/// What a back-test found: the standing, and the errors of the combination.
struct Backtest {
  Standing standing;
  std::vector<Residual> residuals;
  MemberModels models;  ///< fitted to the whole history
};

/// Fits the members at up to six cuts before the end and at the end, forecasts from origins a
/// quarter of the horizon apart, wider before what counts as lately, with what was known at their
/// cut, and compares with what came. Weights are (error/least error)^−5, errors weighted by
/// .5^(age / one and a half of what counts as lately).
///
/// Cost: 6 ms for 800 points and 48 steps. Memory: 9 paths an origin while it runs, of at most 48
/// origins a block and six times what counts as lately.
[[nodiscard]] Backtest backtest(const History& history,
                                const Plan& plan,
                                ErrorMeasure measure,
                                MemberFitter& fitter);

}  // namespace liminal::forecast
