// nab FOLDER: the Numenta Anomaly Benchmark over the series in FOLDER (data/, windows.json), scored
// as its version 1.1 does: three profiles, at the best threshold and at the fixed line (score >=
// 1), without and with the series' range declared. README.md beside it says the method.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "core/novelty/metric_detector.hpp"
#include "nab_score.hpp"

namespace {

using liminal::novelty::MetricDetector;

using nab::kProfiles;
using nab::Profile;

struct Series {
  std::string name;
  std::vector<std::string> times;
  std::vector<double> values;
  std::vector<nab::Window> windows;
};

double normalized(const std::vector<Series>& all,
                  const std::vector<std::vector<double>>& scores,
                  double threshold,
                  const Profile& profile) {
  double total = 0;
  std::size_t windows = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    total += nab::score_series(scores[i], all[i].windows, threshold, profile);
    windows += all[i].windows.size();
  }
  return nab::normalized(total, windows, profile);
}

double best(const std::vector<Series>& all,
            const std::vector<std::vector<double>>& scores,
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

std::vector<std::vector<double>> run(const std::vector<Series>& all, bool declare) {
  std::vector<std::vector<double>> scores;
  for (const Series& series : all) {
    MetricDetector detector;
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

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 || !std::filesystem::exists(std::filesystem::path(argv[1]) / "windows.json")) {
    std::fprintf(stderr,
                 "usage: nab FOLDER   (a folder with windows.json and data/, as NAB has them)\n");
    return 2;
  }
  const std::vector<Series> all = read(argv[1]);
  std::size_t points = 0, windows = 0;
  for (const Series& series : all) {
    points += series.values.size();
    windows += series.windows.size();
    std::printf("  %s\n", series.name.c_str());
  }
  std::printf("%zu series, %zu points, %zu windows\n\n", all.size(), points, windows);
  std::printf("%-10s %-10s %9s %9s %9s\n", "range", "threshold", "standard", "low FP", "low FN");
  for (const bool declare : {false, true}) {
    const auto scores = run(all, declare);
    for (const bool optimised : {true, false}) {
      std::printf("%-10s %-10s", declare ? "declared" : "not told", optimised ? "best" : "1");
      for (const Profile& profile : kProfiles)
        std::printf(" %9.1f",
                    optimised ? best(all, scores, profile) : normalized(all, scores, 1, profile));
      std::printf("\n");
    }
  }
  return 0;
}
