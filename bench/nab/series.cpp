#include "series.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

namespace nab {

double normalized(std::span<const Series> all,
                  std::span<const std::vector<double>> scores,
                  double threshold,
                  const Profile& profile) {
  double total = 0;
  std::size_t windows = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    total += score_series(scores[i], all[i].windows, threshold, profile);
    windows += all[i].windows.size();
  }
  return normalized(total, windows, profile);
}

double best(std::span<const Series> all,
            std::span<const std::vector<double>> scores,
            const Profile& profile) {
  std::vector<double> thresholds;
  for (const auto& series : scores) {
    for (const double score : series) {
      if (score > 0) thresholds.push_back(score);
    }
  }
  std::sort(thresholds.begin(), thresholds.end());
  thresholds.erase(std::unique(thresholds.begin(), thresholds.end()), thresholds.end());
  double found = normalized(all, scores, INFINITY, profile);
  for (const double threshold : thresholds)
    found = std::max(found, normalized(all, scores, threshold, profile));
  return found;
}

std::vector<Series> read(const std::filesystem::path& folder) {
  std::ifstream file(folder / "windows.json");
  const auto windows = nlohmann::json::parse(file);
  std::vector<Series> all;
  for (const auto& [name, spans] : windows.items()) {
    Series series;
    series.name = name;
    std::ifstream csv(folder / "data" / name);
    if (!csv) std::fprintf(stderr, "nab: %s is missing\n", name.c_str()), std::exit(1);
    std::string line;
    std::getline(csv, line);
    while (std::getline(csv, line)) {
      const auto comma = line.find(',');
      series.times.push_back(line.substr(0, comma));
      series.values.push_back(std::stod(line.substr(comma + 1)));
    }
    for (const auto& span : spans) {
      const auto row = [&](const std::string& time) {
        return static_cast<std::size_t>(
            std::find(series.times.begin(), series.times.end(), time.substr(0, 19)) -
            series.times.begin());
      };
      series.windows.push_back({row(span[0]), row(span[1])});
      if (series.windows.back().last >= series.values.size())
        std::fprintf(stderr, "nab: a window of %s is not in the file\n", name.c_str()),
            std::exit(1);
    }
    all.push_back(std::move(series));
  }
  return all;
}

std::vector<std::vector<double>> run(std::span<const Series> all,
                                     bool declare,
                                     const liminal::novelty::Constants& constants) {
  std::vector<std::vector<double>> scores;
  for (const Series& series : all) {
    liminal::novelty::MetricDetector detector(constants);
    if (declare) {
      const auto [low, high] = std::minmax_element(series.values.begin(), series.values.end());
      detector.declare({*low, *high});
    }
    auto& out = scores.emplace_back();
    for (const double value : series.values)
      out.push_back(static_cast<double>(detector.step(value).score));
  }
  return scores;
}

}  // namespace nab
