#pragma once

#include <cstdint>
#include <vector>

#include "core/novelty/batch.hpp"
#include "io/remote_write/request.hpp"

namespace liminal::api {

/// A source's name, and a series' with its labels, in bytes; longer ones are left out.
inline constexpr std::size_t kRemoteSourceBytesMax = 128;
inline constexpr std::size_t kRemoteSeriesBytesMax = 1024;

/// What a remote write has for the detector.
struct RemoteRows {
  std::vector<novelty::Batch> batches;  ///< one a source, rows in the order of time
  std::uint64_t duplicate = 0;          ///< samples at the time of another of their series
  std::uint64_t out_of_range = 0;       ///< before 1970, five minutes ahead of now, beyond ±1e100
  std::uint64_t reserved = 0;           ///< of the program's own totals, and what it says of series
  std::uint64_t beyond = 0;             ///< of names that are too long
};

/// Makes rows of samples. The source is the label `instance`, else `job`, else "prometheus"; the
/// metric is the series' name with its other labels, as Prometheus writes them:
/// `http_requests_total{code="200",job="web"}`. The samples of a source at one time are one row.
/// Taken for a counter: a name that ends in `_total`, `_count`, `_sum` or `_bucket`.
///
/// Left out: `liminal_metric_*` of series, because judging judgements of judgements has no end, and
/// the source "liminal".
[[nodiscard]] RemoteRows rows_of(const remote_write::Request& request, EventTime now);

}  // namespace liminal::api
