#include "app/serve/metric_streams.hpp"

#include <fmt/core.h>
#include <malloc.h>

#include <algorithm>
#include <cmath>

#include "app/serve/words.hpp"
#include "server/api/own_names.hpp"

namespace liminal::app {
namespace {

using prometheus::Family;

constexpr std::uint64_t kSaveSecondsMin = 5;
/// A large snapshot takes no more than this much of the disk's time.
constexpr std::uint64_t kSaveBytesPerSecond = 8U << 20;
constexpr std::uint64_t kTrimBytes = 1U << 20;
/// Of limits: their blocks are ten minutes long.
constexpr std::uint64_t kLimitsSeconds = 60;
/// Between two rows of the own totals, by the engine's time; at least a second of life.
constexpr double kOwnSeconds = 5;
/// A number of a forecast's steps or levels, and the label that it has as a metric.
struct Labelled {
  std::size_t number;
  const char* label;
};
/// Of those of five minutes, counted from 1: the forecast for an hour and for four.
constexpr Labelled kForecastSteps[]{{12, "3600"}, {48, "14400"}};
/// Places in `TimedForecaster::kLevels`.
constexpr Labelled kForecastLevels[]{{1, "0.1"}, {3, "0.5"}, {5, "0.9"}};
/// Of so many series, the program's own first, of those that are told of still.
constexpr std::size_t kForecastsShown = 100;
constexpr Duration kForecastStale = std::chrono::hours{1};
constexpr std::uint64_t kEvictionSeconds = 60;
constexpr const char* kDataFree = "data_free_bytes";
constexpr const char* kCertificateLeft = "certificate_seconds";
constexpr std::size_t kLimitsShown = 100;
constexpr std::size_t kComputationsMax = 16;
/// Metrics that are named in a line of the log.
constexpr std::size_t kNamedMax = 3;
/// What is forecast of others' services.
constexpr const char* kLoad = "load";

api::ForecastSeries series_of(signals::Forecasts::Line line) {
  return {std::move(line.source),
          std::move(line.metric),
          line.lacks,
          line.points,
          std::move(line.outlook)};
}

}  // namespace

MetricStreams::MetricStreams(const signals::Anomaly::Options& options,
                             files::FileSystem& system,
                             shards::EngineClock& clock,
                             Log& log)
    : clock_(clock),
      log_(log),
      anomaly_(options,
               system,
               [this](const novelty::Batch& batch, const novelty::RowScore& row) {
                 report(batch, row);
               }),
      limits_({.folder = options.folder}, system),
      forecasts_({.is_own = options.is_own, .folder = options.folder},
                 system,
                 [this](std::function<void()> task) { return computing_.run(std::move(task)); }),
      own_seconds_(
          static_cast<std::uint64_t>(std::clamp(kOwnSeconds / clock.scale(), 1., kOwnSeconds))),
      computing_(kComputationsMax, signals::kNiceOfLongWork) {
  // Before those that were declared are read, so that these find room and those hold.
  declare_own();
  load();
}

void MetricStreams::declare_own() {
  constexpr stats::Limit kNothingLeft{0, stats::Trend::Side::kBelow};
  for (const char* metric : {kDataFree, kCertificateLeft})
    limits_.declare_own(std::string(api::kOwnName), metric, kNothingLeft);
}

void MetricStreams::load() {
  static LogSite site;
  if (const auto loaded = limits_.load(); !loaded && loaded.error().code != ErrorCode::kMissing)
    log_.write(LogLevel::kError, site, "limits.unreadable", {{"error", words(loaded.error())}});
  if (const auto loaded = forecasts_.load(); !loaded && loaded.error().code != ErrorCode::kMissing)
    log_.write(LogLevel::kError, site, "forecasts.unreadable", {{"error", words(loaded.error())}});
  const Result<void> loaded = anomaly_.load([this](std::string_view file, const Error& error) {
    log_.write(LogLevel::kError,
               site,
               "metrics.unreadable",
               {{"file", std::string(file)}, {"error", words(error)}});
  });
  if (loaded) {
    log_.write(LogLevel::kInfo,
               site,
               "metrics.loaded",
               {{"series", std::to_string(anomaly_.counters().series)}});
  }
}

MetricStreams::~MetricStreams() {
  save();
  save_limits();
  save_forecasts();
}

EventTime MetricStreams::now() const { return EventTime{clock_.now().time_since_epoch()}; }

bool MetricStreams::run(std::function<void()> task) {
  return judging_ && judging_->run(std::move(task));
}

Result<void> MetricStreams::admits(const novelty::Batch& batch) const {
  return anomaly_.admits(batch);
}

Result<std::vector<novelty::RowScore>> MetricStreams::score(const novelty::Batch& batch) {
  if (heard_) heard_(batch);
  auto scores = anomaly_.score(batch, true);
  if (scores) limits_.observe(batch);
  return scores;
}

novelty::Intake MetricStreams::learn(const novelty::Batch& batch) {
  if (heard_) heard_(batch);
  limits_.observe(batch);
  return anomaly_.learn(batch, EventTime{clock_.date()});
}

void MetricStreams::declare(std::string source,
                            std::string metric,
                            api::SeriesChange change,
                            Done<bool> done) {
  const auto shared = std::make_shared<Done<bool>>(std::move(done));
  const bool taken = disk_ && disk_->run([=, this] {
    (*shared)(signals::declare(anomaly_, limits_, source, metric, [&](signals::Told& told) {
      change.apply(told.settings, told.limit, told.sent_as_counter);
    }));
  });
  if (!taken) (*shared)(failure(ErrorCode::kUnavailable));
}

void MetricStreams::forget(std::string source, std::optional<std::string> metric, Done<void> done) {
  const auto shared = std::make_shared<Done<void>>(std::move(done));
  const bool taken = disk_ && disk_->run([=, this] {
    const Result<void> gone = signals::forget(anomaly_, limits_, source, metric);
    declare_own();
    if (!gone) return (*shared)(gone);
    if (forgotten_) forgotten_(source, metric);
    (*shared)({});
  });
  if (!taken) (*shared)(failure(ErrorCode::kUnavailable));
}

Result<api::SeriesView> MetricStreams::series(const std::string& source,
                                              const std::string& metric) const {
  const auto known = anomaly_.describe(source, metric);
  const auto limited = limits_.line(source, metric);
  if (!known && !limited) return failure(ErrorCode::kMissing);
  api::SeriesView out;
  if (known) out.status = known->status;
  if (!limited) return out;
  out.limit = limited->limit;
  out.passage = limited->passage;
  out.within_s = signals::Limits::kWithinS;
  return out;
}

std::vector<api::ForecastSeries> MetricStreams::forecasts() const {
  std::vector<api::ForecastSeries> out;
  for (signals::Forecasts::Line& one : forecasts_.lines()) out.push_back(series_of(std::move(one)));
  return out;
}

Result<api::ForecastSeries> MetricStreams::forecast(const std::string& source,
                                                    const std::string& metric) const {
  auto line = forecasts_.line(source, metric);
  if (!line) return failure(ErrorCode::kMissing);
  return series_of(std::move(*line));
}

void MetricStreams::hear_load(const std::string& service,
                              std::span<const signals::Scaling::LoadMinute> minutes,
                              bool anew) {
  // What the program tells of itself as a service is among its own totals.
  if (api::is_own_name(service)) return;
  if (minutes.empty()) return forecasts_.forget(service, kLoad);
  std::vector<signals::Forecasts::Point> points;
  points.reserve(minutes.size());
  for (const auto& minute : minutes) points.push_back({minute.ends, minute.load});
  forecasts_.observe(service, kLoad, points, anew, now());
}

/// What had to go for want of room, at most a line a minute.
void MetricStreams::report_evictions() {
  const signals::Anomaly::Counters counters = anomaly_.counters();
  const auto sources = counters.sources_evicted - reported_.sources_evicted;
  const auto series = counters.series_evicted - reported_.series_evicted;
  reported_ = counters;
  if (sources + series == 0) return;
  static LogSite site;
  log_.write(LogLevel::kWarning,
             site,
             "metrics.evicted",
             {{"sources", std::to_string(sources)}, {"series", std::to_string(series)}});
}

bool MetricStreams::second() {
  if (seconds_ % kEvictionSeconds == 0) report_evictions();
  if (seconds_until_forecasts_ > 0) {
    --seconds_until_forecasts_;
  } else if (disk_ && disk_->run([this] { save_forecasts(); })) {
    seconds_until_forecasts_ = kForecastsSeconds;
  }
  if (seconds_until_limits_ > 0) {
    --seconds_until_limits_;
  } else if (disk_ && disk_->run([this] { save_limits(); })) {
    seconds_until_limits_ = kLimitsSeconds;
  }
  if (seconds_until_save_ > 0) {
    --seconds_until_save_;
  } else if (!saving_.exchange(true)) {
    seconds_until_save_ = std::max(kSaveSecondsMin, saved_bytes_ / kSaveBytesPerSecond);
    const bool taken = disk_ && disk_->run([this] {
      save();
      saving_ = false;
    });
    if (!taken) saving_ = false;
  }
  return ++seconds_ % own_seconds_ == 0;
}

void MetricStreams::finish() {
  computing_.finish();
  judging_.reset();
  disk_.reset();
}

void MetricStreams::save_limits() {
  const Result<void> saved = limits_.save();
  static LogSite site;
  if (!saved)
    log_.write(LogLevel::kError, site, "limits.not_saved", {{"error", words(saved.error())}});
}

void MetricStreams::save_forecasts() {
  const Result<std::uint64_t> saved = forecasts_.save(now());
  if (saved && *saved > kTrimBytes) malloc_trim(0);
  static LogSite site;
  if (!saved)
    log_.write(LogLevel::kError, site, "forecasts.not_saved", {{"error", words(saved.error())}});
}

void MetricStreams::save() {
  const Result<std::uint64_t> saved = anomaly_.save(now());
  if (saved) {
    if (*saved > 0) saved_bytes_ = *saved;
    // Else what a large snapshot took, and the requests before it, would stay with the process.
    if (*saved > kTrimBytes) malloc_trim(0);
    return;
  }
  static LogSite site;
  log_.write(LogLevel::kError, site, "metrics.not_saved", {{"error", words(saved.error())}});
}

void MetricStreams::told(prometheus::Snapshot totals) {
  const auto shared = std::make_shared<prometheus::Snapshot>(std::move(totals));
  (void)run([this, shared] {
    prometheus::add_process(*shared);
    for (const novelty::Batch& batch :
         own_rows_.rows(*shared, std::chrono::steady_clock::now(), now())) {
      if (heard_) heard_(batch);
      (void)anomaly_.score(batch, false);
      forecasts_.observe(batch, now());
    }
    // No metrics for the detector: what only falls is new at each point.
    const auto limit = [&](const char* metric, double left) {
      limits_.observe(std::string(api::kOwnName), metric, left, now());
    };
    const auto present = [&](Family family) { return !shared->samples(family).empty(); };
    if (present(Family::kDataFree)) limit(kDataFree, shared->value(Family::kDataFree));
    if (present(Family::kCertificateExpiry)) {
      const double ends = shared->value(Family::kCertificateExpiry);
      limit(kCertificateLeft, std::max(0., ends - seconds(clock_.date())));
    }
  });
}

void MetricStreams::report(const novelty::Batch& batch, const novelty::RowScore& row) {
  std::vector<std::pair<float, std::string_view>> named;
  for (const auto& part : row.parts)
    named.emplace_back(-part.contribution, batch.metrics[part.metric]);
  std::sort(named.begin(), named.end());
  std::string metrics;
  for (std::size_t i = 0; i < std::min(kNamedMax, named.size()) && named[i].first < 0; ++i)
    metrics += (metrics.empty() ? "" : ",") + std::string(named[i].second);
  static LogSite own, others;
  const bool ours = api::is_own_name(batch.source);
  log_.write(LogLevel::kWarning,
             ours ? own : others,
             "metrics.anomaly",
             {{"source", batch.source},
              {"score", fmt::format("{:.2f}", row.score)},
              {"confidence", fmt::format("{:.2f}", row.confidence)},
              {"metrics", metrics}});
}

void MetricStreams::add_forecasts(prometheus::Snapshot& out) const {
  const signals::Forecasts::Counters counters = forecasts_.counters();
  out.add(Family::kForecastSeries, counters.series);
  out.add(Family::kForecastMemory, counters.bytes);
  out.add(Family::kForecastRefits, counters.refits);
  out.add(Family::kForecastRefitsFailed, counters.refits_failed);
  out.add(Family::kForecastRefitSeconds, counters.refit_seconds);
  out.add(Family::kForecastRefused, counters.refused);
  std::size_t shown = 0;
  const EventTime fresh_since = now() - kForecastStale;
  for (const signals::Forecasts::Line& one : forecasts_.lines()) {
    if (!one.outlook || one.heard < fresh_since) continue;
    if (++shown > kForecastsShown) return;
    for (const auto& [step, ahead] : kForecastSteps) {
      for (const auto& [level, quantile] : kForecastLevels) {
        out.add(Family::kMetricForecast,
                one.outlook->ahead.quantiles[level][step - 1],
                {one.source, one.metric, ahead, quantile});
      }
    }
  }
}

void MetricStreams::add_metrics(prometheus::Snapshot& out) const {
  add_forecasts(out);
  const signals::Anomaly::Counters counters = anomaly_.counters();
  out.add(Family::kMetricRows, counters.rows);
  out.add(Family::kMetricRowsLate, counters.rows_late);
  out.add(Family::kMetricAnomalies, counters.anomalies);
  out.add(Family::kMetricSeries, counters.series);
  out.add(Family::kMetricMemory, counters.bytes);
  out.add(Family::kMetricSourcesEvicted, counters.sources_evicted);
  out.add(Family::kMetricSeriesEvicted, counters.series_evicted);
  for (const signals::Limits::Line& one : limits_.lines(kLimitsShown, std::string(api::kOwnName))) {
    if (!one.passage) continue;
    out.add(Family::kLimitProbability, one.passage->probability, {one.source, one.metric});
    if (one.passage->expected_s)
      out.add(Family::kLimitSeconds, *one.passage->expected_s, {one.source, one.metric});
  }
  for (const signals::Anomaly::Exported& one : anomaly_.exported()) {
    // What is not known is not shown: a 0 would be taken for a value.
    if (!std::isnan(one.score)) out.add(Family::kMetricScore, one.score, {one.source, one.metric});
    if (!std::isnan(one.value)) out.add(Family::kMetricValue, one.value, {one.source, one.metric});
    if (!one.expected) continue;
    out.add(Family::kMetricExpectedLow, one.expected->low, {one.source, one.metric});
    out.add(Family::kMetricExpectedHigh, one.expected->high, {one.source, one.metric});
  }
}

}  // namespace liminal::app
