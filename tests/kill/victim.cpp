#include "victim.hpp"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <semaphore>
#include <string>
#include <thread>

#include "core/base/random.hpp"
#include "io/sqlite/store.hpp"

namespace liminal::kill_test {
namespace {

using sqlite::Store;
using sqlite::Write;
using Clock = std::chrono::steady_clock;

/// One write(2) of less than PIPE_BUF: whole in the pipe or not in it.
void say(const std::string& line) {
  if (::write(STDOUT_FILENO, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
    std::_Exit(1);
}

SteadyTime now() {
  return SteadyTime{
      std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch())};
}

/// So many writes are on their way at once; who wants more waits.
using Window = std::counting_semaphore<256>;

void put(Store& store, Window& window, std::vector<Write> writes, std::string line) {
  window.acquire();
  const auto told = [&window, line = std::move(line)](Result<void> outcome) {
    if (outcome) say(line);
    window.release();
  };
  if (!store.put(std::move(writes), told)) window.release();
}

/// New alerts, and newer states of earlier ones: what coalesces in the queue.
void write_alerts(Store& store, Window& window, std::uint64_t first, std::uint64_t seed) {
  Random random(seed);
  std::uint64_t last = first;
  for (;;) {
    traffic::Alert alert;
    alert.shard = ShardId{static_cast<std::uint8_t>(random.below(2))};
    alert.number = random.chance(.5) ? ++last : first + 1 + random.below(last - first + 1);
    alert.user = "user" + std::to_string(alert.number % 1'000);
    alert.count = static_cast<std::uint64_t>(Clock::now().time_since_epoch().count());
    alert.first_seen = alert.last_seen = now();
    const std::string line = "alert " + std::to_string(index(alert.shard)) + " " +
                             std::to_string(alert.number) + " " + std::to_string(alert.count) +
                             "\n";
    put(store, window, {alert}, line);
  }
}

void write_groups(Store& store, Window& window, std::uint64_t first) {
  for (std::uint64_t sequence = first + 1;; ++sequence) {
    const std::string text = std::to_string(sequence);
    traffic::Override override_;
    override_.user = kOverridden;
    override_.messages_per_second = static_cast<double>(sequence);
    override_.burst = 1;
    override_.reason = text;
    override_.created = now();
    const traffic::AuditEntry entry{now(), "api", "override.set", text, ""};
    const sqlite::Answer answer{
        "key" + text, sequence, 200, "", text, now() + std::chrono::hours{24}};
    put(store, window, {override_, entry, answer}, "group " + text + "\n");
  }
}

void write_feedback(Store& store, Window& window, std::uint64_t first) {
  for (std::uint64_t number = first + 1;; ++number) {
    const sqlite::Feedback feedback{
        ShardId{0}, number, traffic::FeedbackVerdict::kExpected, "", "api", now()};
    put(store, window, {feedback}, "feedback " + std::to_string(number) + "\n");
  }
}

void write_rows(Store& store, std::uint64_t first) {
  for (std::uint64_t sequence = first + 1;; ++sequence) {
    traffic::FeatureRow row;
    row.user = "row" + std::to_string(sequence);
    row.time = now();
    if (store.put_row(std::move(row))) {
      say("row " + std::to_string(sequence) + " " +
          std::to_string(Clock::now().time_since_epoch().count()) + "\n");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
}

}  // namespace

void be_victim(const std::string& directory, std::uint64_t first, std::uint64_t seed) {
  Store::Options options;
  options.directory = directory;
  const auto opened = Store::open(options);
  if (!opened) std::_Exit(2);
  Store& store = **opened;
  Window alerts(64), groups(16), feedback(16);
  std::thread threads[] = {std::thread([&] { write_alerts(store, alerts, first, seed); }),
                           std::thread([&] { write_groups(store, groups, first); }),
                           std::thread([&] { write_feedback(store, feedback, first); }),
                           std::thread([&] { write_rows(store, first); })};
  for (;;) {
    store.advance(now());
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  }
}

}  // namespace liminal::kill_test
