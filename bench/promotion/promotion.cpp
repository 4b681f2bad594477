// How often the gate's tests are wrong and right where rows come from users (README.md).
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <utility>
#include <vector>

#include "core/base/math.hpp"
#include "core/learn/calibration_noise.hpp"
#include "core/learn/metrics.hpp"
#include "core/learn/paired.hpp"
#include "core/learn/test_users.hpp"

namespace {

using namespace liminal;
using namespace liminal::learn;

constexpr std::array<std::uint64_t, 3> kUsers{60, 120, 300};
constexpr std::uint64_t kSeed = 1'000'000;  ///< away from the tests'

double percent(int count, int trials) { return 100. * count / trials; }

/// Challengers that are found better, of two equal models and of a better one.
void areas(int trials) {
  fmt::print(
      "ROC-AUC, found better in %: of users, positive ones a fifth; by rows, by users with the "
      "normal line, by users\n");
  for (const auto& [old, noise] : {std::pair{.5, .5}, std::pair{1., .5}, std::pair{2., .3}}) {
    for (const std::uint64_t users : kUsers) {
      int by_rows = 0, normal = 0, by_users = 0;
      for (int trial = 0; trial < trials; ++trial) {
        const UserRows rows =
            scored_users(kSeed * users + static_cast<std::uint64_t>(trial), users, old, noise);
        by_rows += delong(rows.champion, rows.challenger, rows.labels).z > 1.645;
        const PairedAuc test = delong(rows.champion, rows.challenger, rows.labels, rows.users);
        normal += test.z > 1.645;
        by_users += test.z > test.line(.05);
      }
      fmt::print("  noise {:.1f} and {:.1f}, {:3} users: {:5.1f} {:5.1f} {:5.1f}\n",
                 old,
                 noise,
                 users,
                 percent(by_rows, trials),
                 percent(normal, trials),
                 percent(by_users, trials));
    }
  }
}

/// What is said to be needed to tell a difference, and how often so many tell it.
void needed(int trials) {
  fmt::print(
      "positive users said to be needed for the difference that there is: 10, 50 and 90 % of "
      "trials; in truth; found better by the middle one, in %\n");
  const UserRows large = scored_users(1, 50'000, 1, .5);
  const PairedAuc truth = delong(large.champion, large.challenger, large.labels, large.users);
  const double rows_of_each = static_cast<double>(truth.positives) / 10'000;
  const double right = positives_needed(truth, truth.difference) / rows_of_each;
  for (const std::uint64_t users : kUsers) {
    std::vector<double> said;
    for (int trial = 0; trial < trials; ++trial) {
      const UserRows rows =
          scored_users(kSeed * users + static_cast<std::uint64_t>(trial), users, 1, .5);
      const PairedAuc test = delong(rows.champion, rows.challenger, rows.labels, rows.users);
      const double each = static_cast<double>(test.positives) / static_cast<double>(users / 5);
      said.push_back(positives_needed(test, truth.difference) / each);
    }
    std::sort(said.begin(), said.end());
    const auto at = [&](double part) {
      return said[static_cast<std::size_t>(part * static_cast<double>(said.size() - 1))];
    };
    const auto drawn = static_cast<std::uint64_t>(5 * at(.5));
    int found = 0;
    for (int trial = 0; trial < trials; ++trial) {
      const UserRows rows =
          scored_users(2 * kSeed * users + static_cast<std::uint64_t>(trial), drawn, 1, .5);
      const PairedAuc test = delong(rows.champion, rows.challenger, rows.labels, rows.users);
      found += test.z > test.line(.05);
    }
    fmt::print("  by {:3} users: {:.0f} {:.0f} {:.0f}; {:.0f}; {:.1f}\n",
               users,
               at(.1),
               at(.5),
               at(.9),
               right,
               percent(found, trials));
  }
}

/// Of equal models, those refused for a slice of so many users.
void slices(int trials) {
  fmt::print("equal models refused for a slice, in %: by rows, by users\n");
  for (const std::uint64_t users : kUsers) {
    int by_rows = 0, by_users = 0;
    for (int trial = 0; trial < trials; ++trial) {
      const UserRows rows =
          scored_users(kSeed * users + static_cast<std::uint64_t>(trial), users, .5, .5);
      const auto worse = [&](const PairedAuc& test) {
        return test.difference + test.line(.02275) * sqrt(test.variance) < -.02;
      };
      by_rows += worse(delong(rows.champion, rows.challenger, rows.labels));
      by_users += worse(delong(rows.champion, rows.challenger, rows.labels, rows.users));
    }
    fmt::print("  {:3} users: {:5.1f} {:5.1f}\n",
               users,
               percent(by_rows, trials),
               percent(by_users, trials));
  }
}

void values(int trials) {
  fmt::print("absolute error by bootstrap, found better in %: by rows, by users\n");
  for (const double noise : {.5, .4}) {
    for (const std::uint64_t users : {std::uint64_t{12}, std::uint64_t{24}, std::uint64_t{120}}) {
      int by_rows = 0, by_users = 0;
      for (int trial = 0; trial < trials; ++trial) {
        const auto seed = kSeed * users + static_cast<std::uint64_t>(trial);
        const UserRows rows = valued_users(seed, users, .5, noise);
        const auto worse = [&](std::span<const std::uint64_t> whose) {
          return paired_bootstrap(gains_of(rows), whose, 400, seed).worse;
        };
        by_rows += worse({}) < .05;
        by_users += worse(rows.users) < .05;
      }
      fmt::print("  noise .5 and {:.1f}, {:3} users: {:5.1f} {:5.1f}\n",
                 noise,
                 users,
                 percent(by_rows, trials),
                 percent(by_users, trials));
    }
  }
}

/// First models that are refused for the average error by bins.
void calibration(int trials) {
  constexpr double kLine = .05;
  fmt::print(
      "refused for the error by bins, in %: by the line alone, and beyond what chance explains\n");
  constexpr std::array<std::pair<Wrong, const char*>, 5> kKinds{{{Wrong::kNot, "right"},
                                                                 {Wrong::kTwice, "twice"},
                                                                 {Wrong::kHalf, "half"},
                                                                 {Wrong::kBold, "too bold"},
                                                                 {Wrong::kTimid, "too timid"}}};
  for (const bool alike : {true, false}) {
    for (const auto& [wrong, name] : kKinds) {
      for (const std::uint64_t users : kUsers) {
        int by_line = 0, beyond = 0;
        for (int trial = 0; trial < trials; ++trial) {
          const auto seed = kSeed * users + static_cast<std::uint64_t>(trial);
          const UserRows rows = probable_users(seed, users, alike, wrong);
          const double off = calibration_error(rows.challenger, rows.labels);
          if (off <= kLine) continue;
          ++by_line;
          beyond += off > calibration_noise(rows.challenger, rows.labels, rows.users, seed);
        }
        fmt::print("  {}, {}, {:3} users: {:5.1f} {:5.1f}\n",
                   alike ? "rows of a user alike" : "rows by themselves",
                   name,
                   users,
                   percent(by_line, trials),
                   percent(beyond, trials));
      }
    }
  }
}

}  // namespace

int main(int count, char** arguments) {
  const int trials = count > 1 ? std::atoi(arguments[1]) : 2000;
  if (trials < 10) {
    fmt::print(stderr, "usage: bench_promotion [TRIALS]\n");
    return 2;
  }
  areas(trials);
  needed(trials / 4);
  slices(trials);
  values(trials / 2);
  calibration(trials / 4);
}
