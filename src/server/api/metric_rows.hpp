#pragma once

#include <chrono>
#include <set>
#include <string>
#include <vector>

#include "core/base/problem.hpp"
#include "core/base/time.hpp"
#include "core/novelty/batch.hpp"
#include "io/json/value.hpp"
#include "io/json/writer.hpp"

namespace liminal::api {

inline constexpr std::size_t kMetricRowsMax = 10'000;
inline constexpr std::size_t kRowMetricsMax = 256;  ///< of one request
inline constexpr std::size_t kMetricNameBytesMax = 128;
/// Beyond it a number is a mistake, not a measurement.
inline constexpr double kMetricValueMax = 1e100;

/// How far a sender's clock may run ahead: a row from further on would hold its source's time
/// there, and what is sent until then would count as late.
inline constexpr Duration kMetricAheadMax = std::chrono::minutes{5};

/// What a `POST /anomaly` holds.
struct MetricRows {
  novelty::Batch batch;
  std::set<std::string> ignored;  ///< fields that never held a number
};

/// Reads the body of a `POST /anomaly` strictly; every mistake is a problem with its path, up to
/// some twenty. Rows without a timestamp get `now`. What is null in every row is a metric only when
/// no row holds a number: the readings of a scrape that failed.
[[nodiscard]] MetricRows read_metric_rows(const json::Value& body,
                                          EventTime now,
                                          Problems& problems);

/// Writes one element of `anomalies`.
void write(const novelty::RowScore& row, const novelty::Batch& batch, json::Writer& out);

}  // namespace liminal::api
