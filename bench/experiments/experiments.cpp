// Always-valid experiments: false wins and sample; README.md has the method.
#include <fmt/core.h>

#include <cmath>
#include <cstdlib>

#include "core/base/hash.hpp"
#include "core/base/random.hpp"
#include "core/learn/experiment.hpp"
#include "core/learn/test_minutes.hpp"
#include "core/stats/moments.hpp"

namespace {

using namespace liminal;
using learn::Arm;
using learn::ExperimentState;

learn::ExperimentOptions options_of(double effect) {
  learn::ExperimentOptions options;
  options.mode = learn::ExperimentOptions::Mode::kSplit;
  options.effect = effect;
  return options;
}

bool named_one(ExperimentState state) {
  return state == ExperimentState::kChallengerBetter || state == ExperimentState::kChampionBetter;
}

/// A z-test of two means, looked at again and again.
class FixedTest {
 public:
  void observe(Arm arm, double value) { arms_[static_cast<std::size_t>(arm)].add(value); }
  [[nodiscard]] bool says_different() const {
    if (arms_[0].count() < 100 || arms_[1].count() < 100) return false;
    const double variance = arms_[0].variance() / static_cast<double>(arms_[0].count()) +
                            arms_[1].variance() / static_cast<double>(arms_[1].count());
    return std::abs(arms_[1].mean() - arms_[0].mean()) > 1.96 * std::sqrt(variance);
  }

 private:
  stats::Moments arms_[2];
};

void equal_arms(int runs) {
  constexpr int kUsers = 5000;
  Random random(1);
  int wins = 0, fixed_wins = 0;
  for (int run = 0; run < runs; ++run) {
    learn::Experiment experiment(options_of(.05));
    FixedTest fixed;
    bool fooled = false;
    for (int user = 0; user < kUsers; ++user) {
      const Arm arm = experiment.assign(random.bits());
      const double value = random.chance(1. / 3) ? 1 : 0;
      experiment.observe(arm, value, SteadyTime{std::chrono::seconds(user)});
      fixed.observe(arm, value);
      fooled = fooled || fixed.says_different();
    }
    wins += named_one(experiment.state());
    fixed_wins += fooled;
  }
  fmt::print(
      "{} runs of equal arms, {} looks each: {:.2f} % name a better arm; a fixed z-test {:.1f} %\n",
      runs,
      kUsers,
      100. * wins / runs,
      100. * fixed_wins / runs);
}

void a_difference(int runs) {
  constexpr double kEffect = .1;
  Random random(2);
  int found = 0;
  double users = 0;
  for (int run = 0; run < runs; ++run) {
    learn::Experiment experiment(options_of(kEffect));
    int user = 0;
    for (; user < 50'000 && experiment.state() == ExperimentState::kRunning; ++user) {
      const Arm arm = experiment.assign(random.bits());
      const double value = random.normal() + (arm == Arm::kChallenger ? kEffect : 0);
      experiment.observe(arm, value, SteadyTime{std::chrono::seconds(user)});
    }
    users += user;
    found += experiment.state() == ExperimentState::kChallengerBetter;
  }
  // Of n users in two arms of variance 1 the difference has the variance 4/n.
  const double fixed = 4 / learn::fixed_test_variance(kEffect, .05);
  fmt::print(
      "{} runs of a difference that matters: found in {:.1f} %, after {:.0f} users on average,"
      " {:.2f} × a fixed test's {:.0f} (which finds 80 %)\n",
      runs,
      100. * found / runs,
      users / runs,
      users / runs / fixed,
      fixed);
}

/// Shadows of minutes whose differences are like the last (AR(1)), for a week; `better` in
/// deviations of a minute's difference. By hours as the server does it, and by minutes as if each
/// were of its own.
void minutes(int runs) {
  constexpr int kMinutes = 7 * 24 * 60;
  learn::ExperimentOptions hours;
  hours.effect_ratio = .05;
  hours.block = std::chrono::hours{1};
  learn::ExperimentOptions each = hours;
  each.block = {};
  // Errors of 6 on average: what matters is .3.
  struct Ended {
    ExperimentState state{};
    int minutes = 0;
  };
  const auto end_of =
      [](const learn::ExperimentOptions& options, std::uint64_t seed, double rho, double better) {
        learn::LikeTheLast apart(seed, rho);
        learn::Experiment experiment(options);
        int minute = 0;
        for (; minute < kMinutes && experiment.state() == ExperimentState::kRunning; ++minute)
          experiment.observe_pair(
              -6, -6 + better + apart.next(), SteadyTime{std::chrono::minutes{minute}});
        return Ended{experiment.state(), minute};
      };
  fmt::print(
      "{} shadows of a week of minutes each, AR(1): equal ones of which one is named better,\n"
      "by minutes and by hours; better by .3 and by .6, found, and after how many hours\n",
      runs);
  for (const double rho : {0., .5, .8, .9}) {
    int by_minutes = 0, by_hours = 0, found[2]{};
    double took[2]{};
    for (int run = 0; run < runs; ++run) {
      const auto seed = static_cast<std::uint64_t>(run);
      by_minutes += named_one(end_of(each, seed, rho, 0).state);
      by_hours += named_one(end_of(hours, seed, rho, 0).state);
      for (const int i : {0, 1}) {
        const Ended ended = end_of(hours, seed, rho, i == 0 ? .3 : .6);
        found[i] += ended.state == ExperimentState::kChallengerBetter;
        took[i] += ended.minutes / 60.;
      }
    }
    fmt::print(
        "  rho {:.1f}: {:5.1f} {:4.1f} %; {:5.1f} % after {:4.1f} h, {:5.1f} % after {:4.1f} h\n",
        rho,
        100. * by_minutes / runs,
        100. * by_hours / runs,
        100. * found[0] / runs,
        took[0] / runs,
        100. * found[1] / runs,
        took[1] / runs);
  }
}

/// Shadows of two weeks whose squared errors are 10⁴ times as large by day as by night, looked at
/// from dusk and from dawn on. By day the challenger's are smaller by the part `better`, by night
/// as the champion's; both but for noise, AR(1), of a fifth of them.
void days(int runs) {
  constexpr int kMinutes = 14 * 24 * 60, kHalf = 12 * 60;
  learn::ExperimentOptions options;
  options.effect_ratio = .05;
  options.block = std::chrono::hours{1};
  fmt::print(
      "{} shadows of two weeks each whose errors differ by 10^4 between day and night\n"
      "(named better or worse, called alike, after how many days); equal, and better by 30 %\n",
      runs);
  for (const bool from_dusk : {true, false}) {
    fmt::print("  from {}:", from_dusk ? "dusk" : "dawn");
    for (const double better : {0., .3}) {
      int ended[6]{};
      double took = 0;
      for (int run = 0; run < runs; ++run) {
        learn::LikeTheLast apart(static_cast<std::uint64_t>(run), .9);
        learn::Experiment experiment(options);
        int minute = 0;
        for (; minute < kMinutes && experiment.state() == ExperimentState::kRunning; ++minute) {
          const bool night = (minute / kHalf % 2 == 0) == from_dusk;
          const double error = night ? .04 : 400;
          const double gain = (night ? 0 : better) + .2 * apart.next();
          experiment.observe_pair(
              -error, -error * (1 - gain), SteadyTime{std::chrono::minutes{minute}});
        }
        ++ended[static_cast<std::size_t>(experiment.state())];
        took += minute / 1440.;
      }
      const auto share = [&](ExperimentState state) {
        return 100. * ended[static_cast<std::size_t>(state)] / runs;
      };
      fmt::print(" {:5.1f} {:4.1f} {:5.1f} % after {:4.1f} d;",
                 share(ExperimentState::kChallengerBetter),
                 share(ExperimentState::kChampionBetter),
                 share(ExperimentState::kNoDifference),
                 took / runs);
    }
    fmt::print("\n");
  }
}

/// Experiments with a guard of alarms, of 400 users of 40 rows each. Of each version's users one in
/// twenty always alarms; `more`: what part of the challenger's others does so as well.
struct Guarded {
  int ended = 0;
  double rows = 0;  ///< until it ended
};

Guarded guard_users(int runs, bool split, bool by_users, double more) {
  constexpr std::uint64_t kUsers = 400;
  constexpr int kRows = 40 * static_cast<int>(kUsers);
  Guarded found;
  Random random(3);
  for (int run = 0; run < runs; ++run) {
    learn::ExperimentOptions options;
    if (split) options.mode = learn::ExperimentOptions::Mode::kSplit;
    options.salt = static_cast<std::uint64_t>(run);
    options.guards = {{"alarm_ratio", .02}};
    learn::Experiment experiment(options);
    const auto alarms = [&](std::uint64_t user, bool challenger) {
      Random own(
          mix64(mix64(static_cast<std::uint64_t>(run) * kUsers + user) + (challenger ? 1 : 0)));
      return own.chance(.05) || (challenger && own.chance(more)) ? 1. : 0.;
    };
    int row = 0;
    for (; row < kRows && experiment.state() == ExperimentState::kRunning; ++row) {
      const std::uint64_t user = random.below(kUsers);
      const std::uint64_t hash = by_users ? mix64(user) : mix64(static_cast<std::uint64_t>(row));
      const SteadyTime at{std::chrono::seconds(row)};
      for (const Arm arm : {Arm::kChampion, Arm::kChallenger}) {
        if (!split || experiment.assign(mix64(user)) == arm)
          experiment.observe_guard(0, arm, alarms(user, arm == Arm::kChallenger), hash, at);
      }
    }
    if (experiment.state() != ExperimentState::kHarm) continue;
    ++found.ended;
    found.rows += row;
  }
  return found;
}

void guards(int runs) {
  fmt::print(
      "{} experiments with a guard (alarms may grow by .02) of 400 users, 40 rows each, one in "
      "twenty always alarms:\n"
      "without harm rolled back, if each row were another user's and by users; with .2 more users "
      "who alarm\n",
      runs);
  for (const bool split : {false, true}) {
    const Guarded rows = guard_users(runs, split, false, 0),
                  users = guard_users(runs, split, true, 0);
    const Guarded harm = guard_users(runs, split, true, .2);
    fmt::print("  {:<6} {:5.1f} {:5.1f} %; {:5.1f} % after {:.0f} rows\n",
               split ? "split" : "shadow",
               100. * rows.ended / runs,
               100. * users.ended / runs,
               100. * harm.ended / runs,
               harm.rows / std::max(harm.ended, 1));
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int runs = argc > 1 ? std::atoi(argv[1]) : 10'000;
  equal_arms(runs);
  a_difference(std::max(runs / 10, 1));
  minutes(std::max(runs / 10, 1));
  days(std::max(runs / 10, 1));
  guards(std::max(runs / 10, 1));
  return 0;
}
