// nab FOLDER [--halves [ROUNDS]]: the Numenta Anomaly Benchmark over the series in FOLDER (data/,
// windows.json), scored as its version 1.1 does: three profiles, at the best threshold and at the
// fixed line (score >= 1), without and with the series' range declared; or what constants that are
// searched on one half of the files are worth on the other. README.md beside it says the method.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "halves.hpp"
#include "series.hpp"

namespace {

constexpr int kNarrow = 10, kWide = 24;  ///< of the first column

void print_header(int width, const char* what) {
  std::printf("%-*s %-10s %9s %9s %9s\n", width, what, "threshold", "standard", "low FP", "low FN");
}

void print_figures(int width,
                   const char* name,
                   std::span<const nab::Series> all,
                   std::span<const std::vector<double>> scores) {
  for (const bool optimised : {true, false}) {
    std::printf("%-*s %-10s", width, name, optimised ? "best" : "1");
    for (const nab::Profile& profile : nab::kProfiles) {
      std::printf(
          " %9.1f",
          optimised ? nab::best(all, scores, profile) : nab::normalized(all, scores, 1, profile));
    }
    std::printf("\n");
  }
}

void print_halves(const std::vector<nab::Series>& all, unsigned rounds) {
  print_header(kWide, "constants");
  for (const nab::Half& half : nab::halves(all)) {
    const auto found = nab::search(half.tuned, rounds, half.seed);
    std::printf(
        "\nsearched on the %s half (%zu files), %u rounds\n", half.name, half.tuned.size(), rounds);
    print_figures(kWide, "found, that half", half.tuned, nab::run(half.tuned, false, found));
    print_figures(kWide, "found, the other half", half.other, nab::run(half.other, false, found));
    print_figures(kWide, "shipped, that half", half.tuned, nab::run(half.tuned, false));
    print_figures(kWide, "shipped, the other half", half.other, nab::run(half.other, false));
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const bool by_halves = argc > 2 && std::string_view(argv[2]) == "--halves";
  const int rounds = argc > 3 ? std::atoi(argv[3]) : 2000;
  if (argc < 2 || (argc > 2 && !by_halves) || argc > 4 || rounds < 1 ||
      !std::filesystem::exists(std::filesystem::path(argv[1]) / "windows.json")) {
    std::fprintf(
        stderr,
        "usage: nab FOLDER [--halves [ROUNDS]]   (a folder with windows.json and data/, as "
        "NAB has them)\n");
    return 2;
  }
  const std::vector<nab::Series> all = nab::read(argv[1]);
  std::size_t points = 0, windows = 0;
  for (const nab::Series& series : all) {
    points += series.values.size();
    windows += series.windows.size();
    std::printf("  %s\n", series.name.c_str());
  }
  std::printf("%zu series, %zu points, %zu windows\n\n", all.size(), points, windows);
  if (by_halves) {
    print_halves(all, static_cast<unsigned>(rounds));
    return 0;
  }
  print_header(kNarrow, "range");
  for (const bool declare : {false, true})
    print_figures(kNarrow, declare ? "declared" : "not told", all, nab::run(all, declare));
  return 0;
}
