#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/novelty/source.hpp"
#include "server/api/anomaly_port.hpp"

namespace liminal::api {

/// Judges metrics in memory, at a fixed time.
class FakeAnomalies : public AnomalyPort {
 public:
  std::map<std::string, novelty::Source> sources;
  std::map<std::pair<std::string, std::string>, novelty::SeriesSettings> declared;
  std::map<std::pair<std::string, std::string>, stats::Limit> limits;
  std::optional<Error> failure;
  std::deque<std::optional<Error>> failures;  ///< of `score`, one a call; none: as usual
  std::vector<novelty::Batch> learnt;         ///< by `learn`
  std::vector<ForecastSeries> forecast_series = some_forecasts();
  bool busy = false;   ///< nothing is run
  bool waits = false;  ///< what is to be run is put into `waiting`
  std::vector<std::function<void()>> waiting;
  std::size_t runs = 0, computed = 0;

  EventTime now() const override { return EventTime{std::chrono::seconds{1'800'000'000}}; }
  bool run(std::function<void()> task) override { return ++runs, take(std::move(task)); }
  bool compute(std::function<void()> task) override { return ++computed, take(std::move(task)); }
  Result<void> admits(const novelty::Batch&) const override {
    if (failure) return tl::unexpected(*failure);
    return {};
  }
  Result<std::vector<novelty::RowScore>> score(const novelty::Batch& batch) override {
    if (failure) return tl::unexpected(*failure);
    if (!failures.empty()) {
      const auto next = std::exchange(failures.front(), std::nullopt);
      failures.pop_front();
      if (next) return tl::unexpected(*next);
    }
    novelty::Source& source = sources[batch.source];
    std::vector<novelty::RowScore> scores(batch.rows.size());
    for (std::size_t i = 0; i < batch.rows.size(); ++i) {
      std::vector<novelty::Source::Value> row = batch.rows[i].values;
      for (auto& value : row) value.metric = *source.find_or_add(batch.metrics[value.metric]);
      source.step(row, batch.rows[i].at, true, scores[i]);
      for (std::size_t k = 0; k < row.size(); ++k)
        scores[i].parts[k].metric = batch.rows[i].values[k].metric;
    }
    return scores;
  }
  novelty::Intake learn(const novelty::Batch& batch) override {
    learnt.push_back(batch);
    novelty::Intake count;
    for (const auto& row : batch.rows) count.learnt += row.values.size();
    return count;
  }
  void declare(std::string source,
               std::string metric,
               SeriesChange change,
               Done<bool> done) override {
    if (failure) return done(tl::unexpected(*failure));
    const std::pair key{source, metric};
    const bool told = declared.contains(key) || limits.contains(key);
    std::optional<novelty::SeriesSettings> settings;
    std::optional<stats::Limit> limit;
    if (const auto known = declared.extract(key)) settings = known.mapped();
    if (const auto known = limits.extract(key)) limit = known.mapped();
    change.apply(settings, limit, false);
    if (settings) declared.emplace(key, *settings);
    if (limit) limits.emplace(key, *limit);
    done(!told && (settings || limit));
  }
  void forget(std::string source, std::optional<std::string> metric, Done<void> done) override {
    if (failure) return done(tl::unexpected(*failure));
    const auto named = [&](const auto& told) {
      return told.first.first == source && (!metric || told.first.second == *metric);
    };
    std::size_t known = std::erase_if(declared, named) + std::erase_if(limits, named);
    const auto learns = sources.find(source);
    if (learns != sources.end() && !metric) known += sources.erase(source);
    if (learns != sources.end() && metric) {
      const auto place = learns->second.find(*metric);
      if (place) learns->second.remove(*place), ++known;
    }
    if (known == 0) return done(liminal::failure(ErrorCode::kMissing));
    done({});
  }
  Result<SeriesView> series(const std::string& source, const std::string& metric) const override {
    const std::pair key{source, metric};
    const auto known = declared.find(key);
    const auto limited = limits.find(key);
    if (known == declared.end() && limited == limits.end())
      return liminal::failure(ErrorCode::kMissing);
    SeriesView out;
    if (known != declared.end()) out.status.settings = known->second;
    out.status.points = 100;
    out.status.observed_weeks = 2;
    out.status.observed_alarms = 1.5;
    out.status.expected = novelty::Range{.2, .4};
    if (limited != limits.end()) out.limit = limited->second;
    if (out.limit) out.passage = stats::Trend::Passage{3600., .75};
    out.within_s = 604'800;
    return out;
  }
  std::vector<ForecastSeries> forecasts() const override { return forecast_series; }
  Result<ForecastSeries> forecast(const std::string& source,
                                  const std::string& metric) const override {
    for (const ForecastSeries& one : forecast_series) {
      if (one.source == source && one.metric == metric) return one;
    }
    return liminal::failure(ErrorCode::kMissing);
  }

  /// One that is ready, its values 10, 20, 40 and 20 again and again, and one that has just begun.
  static std::vector<ForecastSeries> some_forecasts() {
    using forecast::TimedForecaster;
    constexpr double kValues[] = {10, 20, 40, 20};
    const EventTime begin{TimedForecaster::Step{6'000'000}};
    TimedForecaster series;
    for (int step = 0; step <= 80; ++step)
      series.observe(kValues[(step + 3) % 4], begin + TimedForecaster::Step{step});
    forecast::Forecaster fitted = series.forecaster();
    (void)fitted.refit();
    auto outlook = forecast::outlook_of(fitted, series.begins());
    return {{"liminal",
             "bytes_per_second",
             {},
             80,
             std::make_shared<const forecast::Outlook>(std::move(*outlook))},
            {"shop", "load", std::chrono::seconds{90}, 7, nullptr}};
  }

 private:
  bool take(std::function<void()> task) {
    if (busy) return false;
    if (waits) return waiting.push_back(std::move(task)), true;
    task();
    return true;
  }
};

}  // namespace liminal::api
