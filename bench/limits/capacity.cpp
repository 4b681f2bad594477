#include "capacity.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "core/base/random.hpp"
#include "core/scaling/capacity.hpp"

namespace liminal::bench {
namespace {

using scaling::CapacityModel;
using scaling::Resource;

constexpr int kSeeds = 40;
constexpr std::int64_t kMinutes = 3 * 1440;
/// Of one instance: where CPU is 1, and where the queue has no end.
constexpr double kEnd = 100;

/// One minute of a service of two instances: its load, and what it shows.
struct Minute {
  double load;  ///< of an instance
  double cpu, response_s;
};
using Change = std::function<void(std::int64_t minute, Random& random, Minute& of)>;

double day(std::int64_t minute) {
  return std::sin(2 * 3.14159265358979 * static_cast<double>(minute) / 1440);
}

struct Case {
  const char* name;
  double usual, swing;  ///< load of an instance: usual · (1 + swing · day)
  double cpu_noise;     ///< of a minute, absolute
  Change load = [](std::int64_t, Random&, Minute&) {};   ///< before what shows follows from it
  Change shown = [](std::int64_t, Random&, Minute&) {};  ///< and after
  double end = kEnd;                                     ///< of its queue
  double cpu_most = 1;                                   ///< that can be told
  double cpu_limit = .85 * kEnd;                         ///< true
};

const Change kNothing = [](std::int64_t, Random&, Minute&) {};

Change crowd(std::int64_t from, std::int64_t minutes, double load) {
  return [=](std::int64_t t, Random&, Minute& of) {
    if (t >= kMinutes + from && t < kMinutes + from + minutes) of.load = load;
  };
}

Change hung(std::int64_t from, std::int64_t minutes, double response_s) {
  return [=](std::int64_t t, Random&, Minute& of) {
    if (t >= kMinutes + from && t < kMinutes + from + minutes) of.response_s = response_s;
  };
}

/// Every `every` minutes a crowd of some seconds at a load, of which 100 is served in time.
Case bursts(const char* name, double usual, double swing, std::int64_t every, double s, double at) {
  return {name,
          usual,
          swing,
          .01,
          [=](std::int64_t t, Random&, Minute& of) {
            if (t % every == 0) of.load = (of.load * (60 - s) + at * s) / 60;
          },
          [=](std::int64_t t, Random& random, Minute& of) {
            if (t % every != 0) return;
            const double rest = (of.load * 60 - at * s) / (60 - s);
            of.cpu = std::clamp((rest / kEnd * (60 - s) + s) / 60 + .01 * random.normal(), 0., 1.);
          }};
}

/// Some minutes of a load that is turned away, which cost so much CPU.
Case turned_away(const char* name, double swing, std::int64_t minutes, double cpu) {
  return {
      name, 50, swing, .01, crowd(-minutes, minutes, 1000), [=](std::int64_t, Random&, Minute& of) {
        if (of.load < 500) return;
        of.cpu = cpu;
        of.response_s = .5;
      }};
}

/// A release, after which a request costs twice what it did.
Case dearer(const char* name, std::int64_t since, double swing = .5) {
  return {name, 50, swing, .01, kNothing, [=](std::int64_t t, Random& random, Minute& of) {
            if (t < kMinutes - since)
              of.cpu = std::min(1., .5 * of.load / kEnd + .01 * random.normal());
          }};
}

std::vector<Case> cases() {
  std::vector<Case> out{
      {"an ordinary day", 50, .5, .01, kNothing, kNothing},
      {"much noise", 50, .5, .08, kNothing, kNothing},
      {"hardly any change of load", 50, .12, .02, kNothing, kNothing},
      {"a crowd of 20 times, 1 min", 50, .5, .01, crowd(-1, 1, 1000), kNothing},
      {"a crowd of 20 times, 10 min", 50, .5, .01, crowd(-10, 10, 1000), kNothing},
      {"a crowd of 20 times, 30 min", 50, .5, .01, crowd(-30, 30, 1000), kNothing},
      {"the same a day ago", 50, .5, .01, crowd(-1470, 30, 1000), kNothing},
      {"a crowd of 3 times, 30 min", 50, .5, .01, crowd(-30, 30, 150), kNothing},
      {"a crowd that is turned away, 30 min",
       50,
       .5,
       .01,
       crowd(-30, 30, 1000),
       [](std::int64_t, Random&, Minute& of) {
         if (of.load > 500) of.cpu = .5;
       }},
      {"saturated a third of each day", 90, .8, .01, kNothing, kNothing},
      {"saturated 8 % of the time",
       55,
       .9,
       .01,
       [](std::int64_t t, Random&, Minute& of) {
         const double away = (static_cast<double>(t % 1440) - 600) / 60;
         of.load += 50 * std::exp(-away * away);
       },
       kNothing},
      {"a batch job each night, 2 h",
       50,
       .3,
       .01,
       kNothing,
       [](std::int64_t t, Random&, Minute& of) {
         if (t % 1440 < 120) of.cpu = std::min(1., of.cpu + .3);
       }},
      {"a batch job since 1 h",
       50,
       .3,
       .01,
       kNothing,
       [](std::int64_t t, Random&, Minute& of) {
         if (t >= kMinutes - 60) of.cpu = std::min(1., of.cpu + .3);
       },
       kEnd,
       1,
       .55 * kEnd},
      {"one minute of 30 s", 50, .5, .01, kNothing, hung(-500, 1, 30)},
      {"one minute of 5 s", 50, .5, .01, kNothing, hung(-500, 1, 5)},
      {"five minutes of 30 s near the peak", 50, .5, .01, kNothing, hung(-2500, 5, 30)},
      {"an answer of 0.1 ms each hour",
       50,
       .5,
       .01,
       kNothing,
       [](std::int64_t t, Random&, Minute& of) {
         if (t % 60 == 0) of.response_s = .0001;
       }},
      dearer("twice the CPU a request since 10 min", 10),
      dearer("the same since 30 min", 30),
      dearer("the same since 2 h", 120),
      dearer("the same since 4 h", 240),
      dearer("the same since 8 h", 480),
      dearer("the same since 12 h", 720),
      dearer("the same since 23 h", 1380),
      dearer("the same since 48 h", 2880),
      dearer("the same since 2 h, steady", 120, 0),
      dearer("the same since 12 h, steady", 720, 0),
      {"steady, no change of load", 50, 0, .01, kNothing, kNothing},
      {"two loads, 60 and 75",
       1,
       0,
       .01,
       [](std::int64_t t, Random&, Minute& of) { of.load *= t % 200 < 100 ? 60 : 75; },
       kNothing},
      turned_away("steady, turned away 1 min, CPU .55", 0, 1, .55),
      turned_away("steady, turned away 1 min, CPU .8", 0, 1, .8),
      turned_away("steady, turned away 10 min, CPU .55", 0, 10, .55),
      turned_away("a day of 12 %, turned away 30 min", .12, 30, .55),
      bursts("steady at 55, 20 s at 500 each hour", 55, 0, 60, 20, 500),
      bursts("steady at 55, 3 s at 500 each 10 min", 55, 0, 10, 3, 500),
      bursts("12 % at 55, 20 s at 500 each hour", 55, .12, 60, 20, 500),
      bursts("12 % at 67, 20 s at 400 each half hour", 67, .12, 30, 20, 400),
      bursts("a day, 10 s at 500 each 5 min", 50, .5, 5, 10, 500),
      {"CPU of a part, 1.2 to 1.8", 150, .2, .01, kNothing, kNothing, 1000, 10},
      {"CPU of a part, .8 to 1.2", 100, .2, .01, kNothing, kNothing, 1000, 10},
      {"nights of a tenth for 15 h",
       50,
       0,
       .01,
       [](std::int64_t t, Random& random, Minute& of) {
         of.load *= t % 1440 < 900 ? .1 : 1 + .3 * random.uniform();
       },
       kNothing},
  };
  return out;
}

CapacityModel learn(const Case& of, std::uint64_t seed) {
  Random random(seed);
  CapacityModel model;
  for (std::int64_t t = 0; t < kMinutes; ++t) {
    Minute now{of.usual * (1 + of.swing * day(t)) * (1 + .03 * random.normal()), 0, 0};
    of.load(t, random, now);
    now.load = std::max(now.load, .1);
    now.cpu = std::clamp(now.load / kEnd + of.cpu_noise * random.normal(), 0., of.cpu_most);
    // Beyond its end it answers as late as its queue is long.
    const double left = std::max(1 - now.load / of.end, .005);
    now.response_s = .05 / left * std::max(.3, 1 + .1 * random.normal());
    of.shown(t, random, now);
    model.observe({now.load, now.cpu, std::nullopt, now.response_s});
  }
  return model;
}

struct Errors {
  std::vector<double> off;  ///< relative
  double stated = 0;
  int within = 0, told = 0;
  void add(const std::optional<CapacityModel::Limit>& limit, double truth) {
    if (!limit) return;
    ++told;
    off.push_back(limit->load / truth - 1);
    stated += limit->error;
    if (std::abs(off.back()) <= 2 * limit->error) ++within;
  }
  void print() {
    if (told == 0) return void(std::printf("   not told                       "));
    std::sort(off.begin(), off.end());
    std::printf("  %+6.1f%% (%+6.1f to %+6.1f) %5.1f%% %4.2f",
                100 * off[off.size() / 2],
                100 * off.front(),
                100 * off.back(),
                100 * stated / told,
                static_cast<double>(within) / told);
  }
};

}  // namespace

void print_capacity() {
  std::printf("%-38s %-38s  %-38s %10s %8s\n",
              "",
              "CPU: off, stated, within 2",
              "response: the same",
              "falls",
              "differ");
  for (const Case& one : cases()) {
    Errors cpu, response;
    int falls = 0, differ = 0;
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
      const CapacityModel model = learn(one, seed);
      const auto by_cpu = model.limit(Resource::kCpu, {});
      const auto by_response = model.limit(Resource::kResponseTime, {});
      cpu.add(by_cpu, one.cpu_limit);
      response.add(by_response, .8 * one.end);
      double last = 0;
      bool fell = false;
      for (double load = 5; load < 80; load += 5) {
        const double expected = model.response_time_s(load).value_or(last);
        fell = fell || expected < last;
        last = expected;
      }
      falls += fell ? 1 : 0;
      if (by_response.has_value() != model.response_time_s(20).has_value() ||
          (by_response && std::isinf(*model.response_time_s(by_response->load))))
        ++differ;
    }
    std::printf("%-38s", one.name);
    cpu.print();
    response.print();
    std::printf(" %8d %8d\n", falls, differ);
  }
}

}  // namespace liminal::bench
