#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "server/shards/runtime.hpp"

/// A runtime whose clock the test moves.
namespace liminal::shards::testing {

using std::chrono::milliseconds;
using std::chrono::seconds;
using traffic::Event;
using traffic::EventKind;
using traffic::Name;

inline constexpr Duration kDate = seconds{1'700'000'000};
inline constexpr auto kPatience = seconds{20};

/// A date and a steady clock that the test moves; threads read them.
class HandClock {
 public:
  [[nodiscard]] EngineClock::Source source() {
    return {.wall = [this] { return date(); },
            .steady = [this] { return Duration{steady_.load()}; }};
  }
  [[nodiscard]] Duration date() const { return Duration{date_.load()}; }
  void move_date(Duration by) { date_ += by.count(); }
  void move_steady(Duration by) { steady_ += by.count(); }
  void pass(Duration time) {
    move_steady(time);
    move_date(time);
  }

 private:
  std::atomic<Duration::rep> date_{kDate.count()}, steady_{Duration{seconds{5}}.count()};
};

struct Collector : Sink {
  void deliver(engine::Effects& effects) override {
    const std::lock_guard lock(mutex);
    for (const auto& change : effects.alerts)
      if (change.kind == engine::AlertChange::Kind::kRaised) raised.push_back(change.alert);
    rows += effects.rows.size();
    audit.insert(audit.end(), effects.audit.begin(), effects.audit.end());
  }
  std::mutex mutex;
  std::vector<traffic::Alert> raised;
  std::vector<traffic::AuditEntry> audit;
  std::size_t rows = 0;
};

inline traffic::StoredEvent message(const std::string& user, double t, std::uint32_t bytes = 40) {
  Event event;
  event.user = Name(user);
  event.address = Name("10.0.0.1");
  event.bytes = bytes;
  event.time = EventTime{kDate + from_seconds(t)};
  return traffic::StoredEvent(event);
}

inline std::shared_ptr<const engine::Settings> settings() {
  return std::make_shared<const engine::Settings>(engine::Options{});
}

/// Waits for a call from another thread.
template <class Ask>
void wait_for(Ask&& ask) {
  auto called = std::make_shared<std::promise<void>>();
  ask([called] { called->set_value(); });
  ASSERT_EQ(called->get_future().wait_for(kPatience), std::future_status::ready);
}

/// Waits until the engine has lived more than these seconds.
inline void wait_for_second_after(Runtime& runtime, std::uint64_t lived) {
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  while (runtime.seconds_lived() == lived) {
    ASSERT_LT(std::chrono::steady_clock::now(), give_up);
    // The beat sleeps by the machine's clock; a question wakes it for the test's.
    wait_for([&](auto done) { runtime.wake(done); });
  }
}

/// Lets the engine live `count` seconds more.
inline void live(Runtime& runtime, HandClock& clock, int count) {
  for (int i = 0; i < count; ++i) {
    const std::uint64_t before = runtime.seconds_lived();
    clock.move_steady(seconds{1});
    ASSERT_NO_FATAL_FAILURE(wait_for_second_after(runtime, before));
  }
}

}  // namespace liminal::shards::testing
