#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.hpp"
#include "core/base/time.hpp"
#include "core/forecast/timed_forecaster.hpp"
#include "core/novelty/batch.hpp"
#include "core/novelty/series_status.hpp"
#include "core/stats/trend.hpp"
#include "server/api/series_change.hpp"

namespace liminal::api {

/// A series as it is.
struct SeriesView {
  novelty::SeriesStatus status{};
  std::optional<stats::Limit> limit{};
  std::optional<stats::Trend::Passage> passage{};  ///< through the limit; none before two hours
  double within_s = 0;                             ///< of the passage's probability
};

/// A series that is forecast as it goes.
struct ForecastSeries {
  std::string source, metric;
  Duration lacks{};  ///< what must be told of until there is enough for a forecast
  std::uint64_t points = 0;
  std::shared_ptr<const forecast::Outlook> outlook{};  ///< null: there is none yet
};

/// What the calls on metric streams need from the rest of the program.
///
/// Any thread may call, and `done` is called once, from any thread. Errors: kTooLarge, the source
/// would have too many metrics; kConflict, row after row lies before what the source already sent;
/// kUnavailable, try again soon; kIo, it could not be made durable.
class AnomalyPort {
 public:
  template <class T>
  using Done = std::function<void(Result<T>)>;

  virtual ~AnomalyPort() = default;

  /// What rows without a time get.
  [[nodiscard]] virtual EventTime now() const = 0;

  /// Runs what would hold a thread of the API up, one after the other in the order of the calls.
  /// False when too much waits.
  [[nodiscard]] virtual bool run(std::function<void()> task) = 0;

  /// The same for what only computes, apart from `run`, so that nothing that is judged waits for
  /// it.
  [[nodiscard]] virtual bool compute(std::function<void()> task) = 0;

  /// Whether `score` would take the rows as things are: kTooLarge, kConflict. Short.
  [[nodiscard]] virtual Result<void> admits(const novelty::Batch& batch) const = 0;

  /// Judges and learns every row, in order. Blocks for as long as the rows take: large batches from
  /// within `run`.
  [[nodiscard]] virtual Result<std::vector<novelty::RowScore>> score(
      const novelty::Batch& batch) = 0;

  /// Learns rows whose sender repeats itself (novelty::Intake says what of them). Blocks as `score`
  /// does.
  [[nodiscard]] virtual novelty::Intake learn(const novelty::Batch& batch) = 0;

  /// Changes what is told of a series, whether or not it has sent anything; no other change comes
  /// in between. Gives true when something is told of it now and nothing was before. Acknowledged
  /// when durable. kTooLarge: too many series were told of.
  virtual void declare(std::string source,
                       std::string metric,
                       SeriesChange change,
                       Done<bool> done) = 0;

  /// Forgets a series, or all of a source, with what was told of it and its limits. kMissing:
  /// nothing was known.
  virtual void forget(std::string source, std::optional<std::string> metric, Done<void> done) = 0;

  /// kMissing when it neither sent something nor was declared. Does not block.
  [[nodiscard]] virtual Result<SeriesView> series(const std::string& source,
                                                  const std::string& metric) const = 0;

  /// Those that are forecast without being asked, the program's own first, then by source and
  /// metric: none where nothing is.
  [[nodiscard]] virtual std::vector<ForecastSeries> forecasts() const { return {}; }
  /// kMissing when it is none of them.
  [[nodiscard]] virtual Result<ForecastSeries> forecast(const std::string& /*source*/,
                                                        const std::string& /*metric*/) const {
    return failure(ErrorCode::kMissing);
  }
};

}  // namespace liminal::api
