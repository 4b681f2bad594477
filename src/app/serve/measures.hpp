#pragma once

#include <atomic>
#include <cstdint>

#include "io/prometheus/histogram.hpp"

namespace liminal::app {

/// What the server measures of itself where nobody else keeps count. Written by one thread each,
/// read by any.
struct Measures {
  prometheus::LiveHistogram commit_seconds;  ///< of the store's writer
  /// When the gateway's certificate ends, seconds since the epoch; 0: there is none.
  std::atomic<std::int64_t> certificate_expiry_s{0};
  std::atomic<std::uint64_t> reloads_done{0}, reloads_failed{0};
};

}  // namespace liminal::app
