#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "core/base/random.hpp"
#include "io/files/memory_file_system.hpp"
#include "server/signals/anomaly.hpp"

namespace liminal::signals::testing {

inline EventTime second(std::int64_t s) {
  return EventTime{std::chrono::seconds{1'000'000'000 + s}};
}

/// Rows a second apart of two metrics, noise around .5 and .3; `value`: what "cpu" is instead.
inline novelty::Batch batch(const std::string& source,
                            std::int64_t from,
                            int rows,
                            double value = NAN) {
  novelty::Batch out{source, {"cpu", "memory"}, {}, {}};
  Random random(static_cast<std::uint64_t>(from) + 1);
  for (int i = 0; i < rows; ++i) {
    out.rows.push_back({second(from + i),
                        {{1, .3 + .01 * random.normal()},
                         {0, std::isnan(value) ? .5 + .01 * random.normal() : value}}});
  }
  return out;
}

class AnomalyTest : public ::testing::Test {
 protected:
  Anomaly make(std::size_t series_max = 1000) {
    Anomaly::Options options;
    options.series_max = series_max;
    options.bounds.metrics_max = 4;
    options.settings_max = 3;
    options.exported_max = 3;
    options.folder = "data";
    return Anomaly(options, files, [this](const novelty::Batch& of, const novelty::RowScore&) {
      const std::lock_guard lock(mutex);
      alarmed.push_back(of.source);
    });
  }
  files::MemoryFileSystem files;
  std::mutex mutex;
  std::vector<std::string> alarmed;  // under the mutex while several threads score

  void SetUp() override { ASSERT_TRUE(files.create_folder("data")); }
};

}  // namespace liminal::signals::testing
