#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/math.hpp"
#include "core/base/random.hpp"

namespace liminal::learn {

/// Rows of users of whom a model is right or wrong as a whole.
struct UserRows {
  std::vector<float> champion, challenger, labels;
  std::vector<std::uint64_t> users;
};

/// Two scores, each of a user's level through its own noise, mostly of the user. A fifth of the
/// users are positive; each has 1 to 20 rows, and one in ten of those of positive users is not.
/// Equal noise: neither is better.
inline UserRows scored_users(std::uint64_t seed,
                             std::uint64_t users,
                             double champion_noise,
                             double challenger_noise) {
  Random random(seed);
  UserRows rows;
  for (std::uint64_t user = 0; user < users; ++user) {
    const bool positive = user % 5 == 0;
    const double level = random.normal() + (positive ? 1.5 : 0);
    const double old = champion_noise * random.normal(), now = challenger_noise * random.normal();
    for (std::uint64_t row = 1 + random.below(20); row > 0; --row) {
      const double here = level + .3 * random.normal();
      rows.champion.push_back(static_cast<float>(here + old + .1 * random.normal()));
      rows.challenger.push_back(static_cast<float>(here + now + .1 * random.normal()));
      rows.labels.push_back(positive && !random.chance(.1) ? 1.F : 0.F);
      rows.users.push_back(user);
    }
  }
  return rows;
}

/// The same of values: what is said of one user's rows is off together.
inline UserRows valued_users(std::uint64_t seed,
                             std::uint64_t users,
                             double champion_noise,
                             double challenger_noise) {
  Random random(seed);
  UserRows rows;
  for (std::uint64_t user = 0; user < users; ++user) {
    const double old = champion_noise * random.normal(), now = challenger_noise * random.normal();
    for (std::uint64_t row = 1 + random.below(20); row > 0; --row) {
      const double truth = random.normal();
      rows.labels.push_back(static_cast<float>(truth));
      rows.champion.push_back(static_cast<float>(truth + old + .1 * random.normal()));
      rows.challenger.push_back(static_cast<float>(truth + now + .1 * random.normal()));
      rows.users.push_back(user);
    }
  }
  return rows;
}

/// By how much the challenger's absolute error is smaller, row by row.
inline std::vector<double> gains_of(const UserRows& rows) {
  std::vector<double> gains;
  for (std::size_t i = 0; i < rows.labels.size(); ++i) {
    const auto error = [&](float said) {
      return std::abs(static_cast<double>(said) - static_cast<double>(rows.labels[i]));
    };
    gains.push_back(error(rows.champion[i]) - error(rows.challenger[i]));
  }
  return gains;
}

/// How probabilities of `probable_users` are wrong.
enum class Wrong { kNot, kTwice, kHalf, kBold, kTimid };

/// First models among users with ten rows, a fifth of them positive on average: alike (all of one
/// label and probability), or each row by its own. What is said is the truth, twice or half of it,
/// or too bold or timid: log odds times 2.5 or .4, moved until the mean is right.
inline UserRows probable_users(std::uint64_t seed, std::uint64_t users, bool alike, Wrong wrong) {
  constexpr int kEach = 10;
  Random random(seed);
  UserRows rows;
  std::vector<double> truth;
  for (std::uint64_t user = 0; user < users; ++user) {
    const double u = random.uniform(), p = u * u * u * u;
    const bool all = random.chance(p);
    for (int i = 0; i < kEach; ++i) {
      truth.push_back(p);
      rows.labels.push_back((alike ? all : random.chance(p)) ? 1.F : 0.F);
      rows.users.push_back(user);
    }
  }
  const double times = wrong == Wrong::kTwice ? 2 : wrong == Wrong::kHalf ? .5 : 1;
  const double slope = wrong == Wrong::kBold ? 2.5 : wrong == Wrong::kTimid ? .4 : 1;
  const auto said = [&](double p, double shift) {
    if (slope == 1) return std::min(1., times * p);
    return 1 / (1 + exp(-slope * log(p / (1 - p)) - shift));
  };
  double low = -20, high = 20;
  for (int i = 0; i < 40; ++i) {
    const double middle = (low + high) / 2;
    double off = 0;
    for (const double p : truth) off += said(p, middle) - p;
    (off < 0 ? low : high) = middle;
  }
  for (const double p : truth) rows.challenger.push_back(static_cast<float>(said(p, low)));
  return rows;
}

}  // namespace liminal::learn
