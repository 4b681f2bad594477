#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "core/novelty/metric_detector.hpp"
#include "nab_score.hpp"

namespace nab {

struct Series {
  std::string name;
  std::vector<std::string> times;
  std::vector<double> values;
  std::vector<Window> windows;
};

/// The series that `windows.json` names, in its order. Ends the program when one is missing.
[[nodiscard]] std::vector<Series> read(const std::filesystem::path& folder);

/// A detector's score for each point of each series. `declare`: it is told the range first.
[[nodiscard]] std::vector<std::vector<double>> run(
    std::span<const Series> all,
    bool declare,
    const liminal::novelty::Constants& constants = liminal::novelty::MetricDetector::kDefaults);

/// All series at one threshold, 0 to 100.
[[nodiscard]] double normalized(std::span<const Series> all,
                                std::span<const std::vector<double>> scores,
                                double threshold,
                                const Profile& profile);
/// The same at the threshold that is best over all.
[[nodiscard]] double best(std::span<const Series> all,
                          std::span<const std::vector<double>> scores,
                          const Profile& profile);

}  // namespace nab
