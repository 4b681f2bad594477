#include "app/player.hpp"

#include <algorithm>

namespace liminal::app {
namespace {

using namespace std::chrono_literals;
using traffic::EventKind;

constexpr Duration kReportInterval = 100ms;
constexpr Duration kLeaveTime = 3s;
/// When nobody was let in so far and so many failed, there is no server to play to.
constexpr std::uint64_t kFailuresMax = 20;

}  // namespace

const player::CrowdCounts& Player::run(EventSource& source,
                                       const Report& report,
                                       const std::function<bool()>& stopped) {
  start_ = std::chrono::steady_clock::now();
  std::optional<EventTime> first;
  while (const auto event = source.next()) {
    if (!first) first = event->time;
    progress_.position = event->time - *first;
    const Duration due = from_seconds(seconds(progress_.position) / options_.speed);
    if (!wait_until(due, report, stopped) || nobody_answers()) break;
    play(*event);
  }
  crowd_.leave_all();
  const Duration end = elapsed() + kLeaveTime;
  while (!crowd_.empty() && elapsed() < end) loop_.run_once(50ms);
  progress_.behind = Duration::zero();
  tell(report);
  return crowd_.counts();
}

/// Serves the connections until it is time. False when it was stopped.
bool Player::wait_until(Duration due, const Report& report, const std::function<bool()>& stopped) {
  for (;;) {
    const Duration now = elapsed();
    progress_.behind = std::max(now - due, Duration::zero());
    if (now - told_ >= kReportInterval) {
      told_ = now;
      tell(report);
      if (stopped()) return false;
      loop_.run_once(Duration::zero());  // also when behind
    }
    if (now >= due) return true;
    loop_.run_once(std::min(due - now, kReportInterval));
  }
}

void Player::play(const traffic::Event& event) {
  ++progress_.events;
  if (event.kind == EventKind::kDisconnect) return crowd_.leave(event);
  if (event.connection == 0) {
    const auto [known, is_new] = addresses_.emplace(event.user.hash, event.address.hash);
    if (!is_new && known->second != event.address.hash) {
      known->second = event.address.hash;
      crowd_.leave(event);
    }
  }
  if (event.kind == EventKind::kConnect) {
    crowd_.leave(event);
    return crowd_.connect(event);
  }
  if (const auto message = play_message(event, options_.format, progress_.events))
    crowd_.say(event, *message);
}

void Player::tell(const Report& report) {
  progress_.connections = crowd_.size();
  report(progress_, crowd_.counts());
}

bool Player::nobody_answers() const {
  const player::CrowdCounts& counts = crowd_.counts();
  std::uint64_t refused = 0;
  for (const auto& [status, count] : counts.refused) refused += count;
  return counts.opened == 0 && counts.unreachable + counts.broken + refused >= kFailuresMax;
}

}  // namespace liminal::app
