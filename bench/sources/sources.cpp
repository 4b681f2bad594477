// sources [--report] [NAB]: alarms that sources of plain noise give, and what is found among it;
// README.md has the method.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "../nab/series.hpp"
#include "core/base/random.hpp"
#include "core/novelty/source.hpp"

namespace {

using namespace liminal;
using novelty::Source;

constexpr int kRows = 20'000, kSettled = 4'000, kEvery = 800;
constexpr int kCuts[] = {0, 2'000, 4'000, 10'000, kRows};
constexpr std::uint32_t kWidths[] = {1, 2, 10, 38, 100, 250};
constexpr double kTurn = 6.283185307179586;

enum class Kind { kWhite, kSeasonal, kHost, kSlow, kHeavy, kCounts, kMixed };
struct Named {
  Kind kind;
  const char* name;
};
constexpr Named kTuned[] = {
    {Kind::kWhite, "white"}, {Kind::kSeasonal, "seasonal"}, {Kind::kHost, "host"}};
constexpr Named kReported[] = {{Kind::kWhite, "white"},
                               {Kind::kSeasonal, "seasonal"},
                               {Kind::kHost, "host"},
                               {Kind::kSlow, "AR(1)"},
                               {Kind::kHeavy, "heavy"},
                               {Kind::kCounts, "counts"},
                               {Kind::kMixed, "mixed"}};

/// A source of made-up metrics, a row a minute.
class Noise {
 public:
  Noise(Kind kind, std::uint32_t metrics, std::uint64_t seed)
      : kind_(kind), random_(seed), slow_(metrics, 0) {
    for (std::uint32_t i = 0; i < metrics; ++i)
      row_.push_back({*source_.find_or_add("m" + std::to_string(i)), 0});
  }

  /// `jump` is added to one metric, `shift` to each fifth, in deviations of their noise; `number`
  /// says which, so that no incident is like one before.
  const novelty::RowScore& next(double jump, double shift, std::size_t number = 0) {
    const double sign = number % 2 == 0 ? 1 : -1;
    for (std::size_t i = 0; i < row_.size(); ++i) {
      const bool odd = i == number * 7 % row_.size(), fifth = i % 5 == number % 5;
      row_[i].value = value(i) + sign * ((odd ? jump : 0) + (fifth ? shift : 0));
    }
    source_.step(row_, EventTime{from_seconds(1e9 + 60. * now_++)}, false, score_);
    return score_;
  }

 private:
  double value(std::size_t i) {
    const auto kind = kind_ == Kind::kMixed ? static_cast<Kind>(i % 6) : kind_;
    const double day = std::sin(kTurn * (now_ / 1440. + .01 * static_cast<double>(i % 7)));
    switch (kind) {
      case Kind::kSeasonal:
        return 5 * day + random_.normal();
      case Kind::kHost:
        return 10 * std::sin(now_ / 200.) + random_.normal();
      case Kind::kSlow:
        return slow_[i] = .95 * slow_[i] + std::sqrt(1 - .95 * .95) * random_.normal();
      // Student's t of three degrees of freedom, scaled to deviation 1.
      case Kind::kHeavy: {
        double squares = 0;
        for (int k = 0; k < 3; ++k) {
          const double one = random_.normal();
          squares += one * one;
        }
        return random_.normal() / std::sqrt(squares / 3) / std::sqrt(3.);
      }
      // Arrivals of a Poisson process of mean 1.
      case Kind::kCounts: {
        int count = 0;
        for (double left = 1 - random_.exponential(); left > 0; left -= random_.exponential())
          ++count;
        return count;
      }
      default:
        return random_.normal();
    }
  }

  Kind kind_;
  Random random_;
  std::vector<double> slow_;
  std::vector<Source::Value> row_;
  Source source_;
  novelty::RowScore score_;
  int now_ = 0;
};

/// Incidents of three rows each 800 rows, of sizes in turn; which of them were told of within.
struct Incident {
  const char* name;
  double jump, shift;
};
constexpr Incident kIncidents[] = {{"one by 8", 8, 0},
                                   {"one by 15", 15, 0},
                                   {"one by 40", 40, 0},
                                   {"fifth by 4", 0, 4},
                                   {"fifth by 8", 0, 8}};
constexpr std::size_t kIncidentKinds = std::size(kIncidents);

void measure(std::span<const Named> kinds, std::uint64_t first_seed, std::uint64_t seeds) {
  std::printf("%-9s %7s  alarms per 1,000 rows", "", "metrics");
  for (std::size_t c = 0; c + 1 < std::size(kCuts); ++c) std::printf(" %6d-", kCuts[c]);
  std::printf("  found:");
  for (const Incident& one : kIncidents) std::printf(" %s,", one.name);
  std::printf("\n");
  for (const Named& kind : kinds) {
    for (const std::uint32_t width : kWidths) {
      double alarms[std::size(kCuts)] = {};
      double found[kIncidentKinds] = {}, tried[kIncidentKinds] = {};
      for (std::uint64_t seed = first_seed; seed < first_seed + seeds; ++seed) {
        Noise plain(kind.kind, width, seed * 1000 + width);
        for (int row = 0; row < kRows; ++row) {
          const bool told = plain.next(0, 0).is_anomaly();
          for (std::size_t c = 0; c + 1 < std::size(kCuts); ++c)
            alarms[c] += told && row >= kCuts[c] && row < kCuts[c + 1];
        }
        Noise odd(kind.kind, width, seed * 1000 + 500 + width);
        bool told = false;
        for (int row = 0; row < kRows; ++row) {
          const int since = row - kSettled;
          const auto which = static_cast<std::size_t>(since / kEvery) % kIncidentKinds;
          const bool on = since >= 0 && since % kEvery < 3;
          const Incident& one = kIncidents[which];
          const auto& score =
              on ? odd.next(one.jump, one.shift, static_cast<std::size_t>(since / kEvery))
                 : odd.next(0, 0);
          told = (told && on && since % kEvery > 0) || (on && score.is_anomaly());
          if (on && since % kEvery == 2) ++tried[which], found[which] += told;
        }
      }
      std::printf("%-9s %7u                       ", kind.name, width);
      for (std::size_t c = 0; c + 1 < std::size(kCuts); ++c)
        std::printf(" %7.2f",
                    1000 * alarms[c] / static_cast<double>(seeds) / (kCuts[c + 1] - kCuts[c]));
      std::printf("        ");
      for (std::size_t k = 0; k < kIncidentKinds; ++k) std::printf(" %9.2f", found[k] / tried[k]);
      std::printf("\n");
      std::fflush(stdout);
    }
  }
}

/// NAB's series of one folder side by side, as if one host sent them: windows that were told of,
/// and alarms outside of all.
void measure_nab(const char* folder) {
  std::map<std::string, std::vector<nab::Series>> groups;
  for (nab::Series& series : nab::read(folder))
    groups[series.name.substr(0, series.name.find('/'))].push_back(std::move(series));
  for (const auto& [name, members] : groups) {
    std::size_t rows = 0, windows = 0, found = 0, outside = 0;
    for (const nab::Series& series : members) rows = std::max(rows, series.values.size());
    Source source;
    std::vector<Source::Value> row;
    novelty::RowScore score;
    std::vector<bool> told(rows), in(rows);
    for (std::size_t i = 0; i < members.size(); ++i) (void)source.find_or_add(members[i].name);
    for (std::size_t at = 0; at < rows; ++at) {
      row.clear();
      for (std::size_t i = 0; i < members.size(); ++i)
        if (at < members[i].values.size())
          row.push_back({static_cast<std::uint32_t>(i), members[i].values[at]});
      source.step(row, EventTime{from_seconds(1e9 + 300. * static_cast<double>(at))}, false, score);
      told[at] = score.is_anomaly();
    }
    for (const nab::Series& series : members) {
      for (const nab::Window& window : series.windows) {
        ++windows;
        bool any = false;
        for (std::size_t at = window.first; at <= window.last; ++at)
          any = any || told[at], in[at] = true;
        found += any;
      }
    }
    for (std::size_t at = 0; at < rows; ++at) outside += told[at] && !in[at];
    std::printf("%-24s %2zu series %6zu rows: %2zu of %2zu windows, %3zu alarms outside\n",
                name.c_str(),
                members.size(),
                rows,
                found,
                windows,
                outside);
  }
}

}  // namespace

int main(int argc, char** argv) {
  bool report = false, tune = true;
  const char* nab_folder = nullptr;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--report") == 0) {
      report = true;
    } else if (std::strcmp(argv[i], "--nab") == 0) {
      tune = false;
    } else {
      nab_folder = argv[i];
    }
  }
  if (report) {
    measure(kReported, 101, 2);
  } else if (tune) {
    measure(kTuned, 1, 2);
  }
  if (nab_folder != nullptr) measure_nab(nab_folder);
  return 0;
}
