#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/time.hpp"
#include "core/novelty/source.hpp"

namespace liminal::novelty {

/// Rows of one source on their way to be judged, in the order in which they are learnt.
struct Batch {
  struct Row {
    EventTime at;
    std::vector<Source::Value> values;  ///< `metric` is a place in `metrics`; each at most once
  };

  std::string source;
  std::vector<std::string> metrics;
  std::vector<Row> rows;
  /// Of each metric, whether it is taken for a counter while its owner told nothing. Empty: none
  /// is.
  std::vector<bool> counters{};
};

/// What became of the values of a batch whose sender repeats itself.
struct Intake {
  std::uint64_t learnt = 0;
  std::uint64_t missing = 0;    ///< not a number
  std::uint64_t duplicate = 0;  ///< at the time of their series' last one
  std::uint64_t late = 0;       ///< before it
  std::uint64_t beyond = 0;     ///< of a metric for which there is no room

  Intake& operator+=(const Intake& other) {
    learnt += other.learnt;
    missing += other.missing;
    duplicate += other.duplicate;
    late += other.late;
    beyond += other.beyond;
    return *this;
  }
};

}  // namespace liminal::novelty
