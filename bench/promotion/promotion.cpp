// How often the gate's tests are wrong and right where rows come from users (README.md).
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "core/base/math.hpp"
#include "core/learn/calibration_noise.hpp"
#include "core/learn/metrics.hpp"
#include "core/learn/paired.hpp"
#include "core/learn/promote.hpp"
#include "core/learn/test_minutes.hpp"
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

constexpr std::size_t kLoadStretch = 30;  ///< minutes at least, as the server has it

/// Whether the gate lets a challenger pass, by minutes as if each were of its own, and by stretches
/// of time.
std::pair<bool, bool> promoted(const MinuteRows& rows) {
  GateInput input;
  input.champion = rows.champion;
  input.challenger = rows.challenger;
  input.labels = rows.labels;
  const bool by_minutes = judge_regressor(input).promote;
  input.times_s = rows.times_s;
  input.stretch_rows_min = kLoadStretch;
  return {by_minutes, judge_regressor(input).promote};
}

/// `make(trial, better)` gives rows of equal models, or of a better challenger.
template <class Make>
void tell_of_minutes(int trials, const std::string& what, Make make) {
  int by_minutes = 0, by_time = 0, found = 0;
  for (int trial = 0; trial < trials; ++trial) {
    const auto [minutes, time] = promoted(make(static_cast<std::uint64_t>(trial), false));
    by_minutes += minutes;
    by_time += time;
    found += promoted(make(static_cast<std::uint64_t>(trial), true)).second;
  }
  fmt::print("  {}: {:5.1f} {:5.1f}; {:5.1f}\n",
             what,
             percent(by_minutes, trials),
             percent(by_time, trials),
             percent(found, trials));
}

/// Challengers whose errors differ from the champion's by an AR(1) process; better ones by 2.5
/// standard errors of its mean, of which a test that knew these would find 80 %.
void minutes(int trials) {
  fmt::print("minutes, AR(1), promoted in %: equal, by minutes and by time; better, by time\n");
  for (const std::size_t count :
       {std::size_t{150}, std::size_t{240}, std::size_t{360}, std::size_t{1440}}) {
    for (const double rho : {0., .5, .8, .9}) {
      const double error = std::sqrt((1 + rho) / (1 - rho) / static_cast<double>(count));
      tell_of_minutes(trials,
                      fmt::format("{:4} minutes, rho {:.1f}", count, rho),
                      [&](std::uint64_t trial, bool better) {
                        return minutes_of(
                            kSeed * count + trial, count, rho, better ? 2.5 * error : 0);
                      });
    }
  }
}

/// Requests a minute: the last column of a CSV file with a header.
std::vector<double> load_of(const char* path) {
  std::vector<double> load;
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  while (std::getline(in, line)) load.push_back(std::atof(line.c_str() + line.rfind(',') + 1));
  return load;
}

/// Real loads, foretold five minutes ahead by what is now, give or take what is AR(1): both models
/// are off by as much, so that they are equal by their making, and as alike in time as real errors
/// are. A better challenger is off by a quarter of that, in a window of a day or so.
void real_loads(int trials, const char* path) {
  constexpr std::size_t kHorizon = 5;
  const std::vector<double> load = load_of(path);
  if (load.size() < 2000) {
    fmt::print(stderr, "{}: has no two thousand minutes\n", path);
    return;
  }
  fmt::print("{}, foretold five minutes ahead, promoted in %: as above\n", path);
  for (const std::size_t count : {std::size_t{150}, std::size_t{360}, std::size_t{1440}}) {
    for (const double rho : {0., .5, .9, .99}) {
      const auto make = [&](std::uint64_t trial, bool better) {
        Random random(kSeed + trial);
        const std::size_t begin = random.below(load.size() - count - kHorizon);
        MinuteRows rows;
        std::vector<double> errors;
        for (std::size_t i = begin; i < begin + count; ++i)
          errors.push_back(std::abs(load[i + kHorizon] - load[i]));
        const auto middle = errors.begin() + static_cast<std::ptrdiff_t>(count / 2);
        std::nth_element(errors.begin(), middle, errors.end());
        const double size = *middle;
        LikeTheLast one(kSeed + 2 * trial, rho), other(kSeed + 2 * trial + 1, rho);
        for (std::size_t i = begin; i < begin + count; ++i) {
          const double off = size * one.next(), apart = size * other.next();
          rows.labels.push_back(static_cast<float>(load[i + kHorizon]));
          rows.champion.push_back(static_cast<float>(load[i] + off));
          rows.challenger.push_back(static_cast<float>(load[i] + (better ? .25 : 1) * apart));
          rows.times_s.push_back(60 * static_cast<double>(i));
        }
        return rows;
      };
      tell_of_minutes(trials, fmt::format("{:4} minutes, rho {:.2f}", count, rho), make);
    }
  }
}

}  // namespace

int main(int count, char** arguments) {
  const int trials = count > 1 ? std::atoi(arguments[1]) : 2000;
  if (trials < 10) {
    fmt::print(stderr, "usage: bench_promotion [TRIALS [LOADS.csv]...]\n");
    return 2;
  }
  areas(trials);
  needed(trials / 4);
  slices(trials);
  values(trials / 2);
  calibration(trials / 4);
  minutes(trials / 2);
  for (int i = 2; i < count; ++i) real_loads(trials / 2, arguments[i]);
}
