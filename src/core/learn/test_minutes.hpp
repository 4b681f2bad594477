#pragma once

#include <vector>

#include "core/base/math.hpp"
#include "core/base/random.hpp"

namespace liminal::learn {

/// One number a minute, each like the one before: an AR(1) process of deviation 1.
class LikeTheLast {
 public:
  LikeTheLast(std::uint64_t seed, double rho) : random_(seed), rho_(rho), now_(random_.normal()) {}
  double next() {
    const double is = now_;
    now_ = rho_ * now_ + sqrt(1 - rho_ * rho_) * random_.normal();
    return is;
  }

 private:
  Random random_;
  double rho_;
  double now_;
};

/// Made-up minutes and what two models say of them, for tests and benchmarks.
struct MinuteRows {
  std::vector<float> champion, challenger, labels;
  std::vector<double> times_s;
};

/// By how much the challenger errs less is AR(1) of `rho`, around `better` deviations of it.
inline MinuteRows minutes_of(std::uint64_t seed, std::size_t count, double rho, double better) {
  constexpr double kError = 5;  // so that errors keep their sign, and differ by just that
  LikeTheLast apart(seed, rho);
  Random random(seed + 1'000'000'007);
  MinuteRows rows;
  for (std::size_t minute = 0; minute < count; ++minute) {
    const double truth = 100 + random.normal(), less = better + apart.next();
    rows.labels.push_back(static_cast<float>(truth));
    rows.champion.push_back(static_cast<float>(truth + kError + less / 2));
    rows.challenger.push_back(static_cast<float>(truth + kError - less / 2));
    rows.times_s.push_back(60 * static_cast<double>(minute));
  }
  return rows;
}

}  // namespace liminal::learn
