#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/base/problem.hpp"
#include "core/base/time.hpp"

namespace liminal::uplink {

struct Options {
  std::string url;    ///< of the cluster's API: http or https, without a path
  std::string token;  ///< its bearer token; empty: none
  /// How this gateway is called there: comes before its sources of metrics, "gateway/web".
  std::string name = "gateway";

  /// Feature rows, rows of metrics and alerts that wait; when one more comes, the oldest goes and
  /// is counted.
  std::size_t rows_max = 20'000;
  std::size_t metric_rows_max = 20'000;
  std::size_t alerts_max = 2'000;
  Duration send = std::chrono::seconds{1};  ///< so often what waits is sent
  /// So often champions and limits are looked for, and words are tried again that were not let in.
  Duration poll = std::chrono::seconds{30};
  /// Of one request. What waits meanwhile waits longer; nothing else does.
  Duration timeout = std::chrono::seconds{10};
  /// The first retry comes about so long after a failure, each next one twice as long, up to the
  /// second; a random part of up to a half is taken off, so that many gateways do not come at once.
  Duration retry_first = std::chrono::seconds{1};
  Duration retry_max = std::chrono::minutes{1};
};

[[nodiscard]] Problems validate(const Options& options, std::string_view at = "cluster");

}  // namespace liminal::uplink
