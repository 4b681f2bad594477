#pragma once

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
};

}  // namespace liminal::novelty
