#pragma once

#include <cmath>
#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "server/signals/scaling.hpp"

namespace liminal::signals::testing {

inline EventTime minute(std::int64_t number) {
  return EventTime{std::chrono::minutes{29'000'000 + number}};
}

/// A service of three instances whose load goes up and down.
inline scaling::Report report(const std::string& service, std::int64_t first, std::int64_t count) {
  scaling::Report out{service, {}, {}};
  for (std::int64_t t = first; t < first + count; ++t) {
    const double load = 100 + 50 * std::sin(static_cast<double>(t) / 200);
    out.rows.push_back({minute(t), {load, .005 * load, .4, .1, 3}});
  }
  return out;
}

/// What is advised when `what` is told.
inline Result<scaling::Advice> told(Scaling& scaling, scaling::Report what) {
  // Shared: the other thread may still be leaving set_value() when get() returns here.
  const auto answer = std::make_shared<std::promise<Result<scaling::Advice>>>();
  scaling.advise(std::move(what), [answer](Result<scaling::Advice> advice) {
    answer->set_value(std::move(advice));
  });
  return answer->get_future().get();
}

inline ScalingOptions options() {
  return {.folder = "scaling", .save_interval = std::chrono::seconds{0}};
}

}  // namespace liminal::signals::testing
