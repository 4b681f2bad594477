#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/math.hpp"
#include "core/base/random.hpp"
#include "core/engine/local_engine.hpp"
#include "core/traffic/codec.hpp"

/// Logs for the tests of this folder, and who feeds them to an engine.
namespace liminal::engine::testing {

using traffic::Event;
using traffic::EventKind;
using traffic::FindingType;
using traffic::Name;

/// A recorded event, for logs that are fed twice.
struct Line {
  double t = 0;
  std::string user;
  EventKind kind = EventKind::kMessage;
  std::uint32_t bytes = 40;
  std::string address = "10.0.0.1";
  std::string channel = "general";
  bool error = false;
  std::uint64_t content = 0;
  std::uint64_t connection = 0;
  bool reported = false;
};

inline constexpr std::int64_t kStart = 1'700'000'000;

/// Borrows from the line and its channel's name.
inline Event event_of(const Line& line, const Name& channel) {
  Event event;
  event.user = Name(line.user);
  event.address = Name(line.address);
  event.channels = {&channel, 1};
  event.kind = line.kind;
  event.bytes = line.bytes;
  event.error = line.error;
  event.connection = line.connection;
  event.reported = line.reported;
  if (line.content != 0) event.content_hash = line.content;
  event.time = EventTime{std::chrono::seconds{kStart} + from_seconds(line.t)};
  return event;
}

class Driver {
 public:
  explicit Driver(const Options& options = {}) : engine(options) {}

  /// Feeds a line; what it caused, besides what went before.
  const Effects& feed(const Line& line) {
    effects.clear();
    const Name channel(line.channel);
    engine.feed(event_of(line, channel), effects);
    for (const AlertChange& change : effects.alerts) {
      if (change.kind == AlertChange::Kind::kRaised) raised.push_back(change.alert);
      told.put(change.kind);
      save(change.alert, told);
    }
    told.put(effects.verdict.decision);
    told.put(effects.verdict.shadow);
    return effects;
  }
  /// Feeds the rest of a message whose beginning came to `begun`: it is `bytes` long.
  const Effects& feed_rest(const Line& line, const traffic::Verdict& begun, std::uint32_t bytes) {
    const Name channel(line.channel);
    Event rest = event_of(line, channel);
    rest.kind = EventKind::kContinued;
    rest.counted = line.bytes;
    rest.bytes = bytes;
    rest.begun = traffic::Beginning(begun);
    effects.clear();
    engine.feed(rest, effects);
    return effects;
  }

  [[nodiscard]] bool raised_about(std::string_view user, FindingType type) const {
    return std::any_of(raised.begin(), raised.end(), [&](const traffic::Alert& alert) {
      return alert.user == user && alert.type == type;
    });
  }
  /// A user's violations of limits, as the features have them.
  [[nodiscard]] float violations(std::string_view user) const {
    return engine.shard_of_user(user)
        .view(user)
        ->features[traffic::FeatureId::kRateLimitViolations];
  }

  LocalEngine engine;
  Effects effects;
  std::vector<traffic::Alert> raised;
  Writer told;
};

/// People who talk: each a message every half minute or so.
inline std::vector<Line> talk(int users, double duration_s, std::uint64_t seed) {
  Random random(seed);
  std::vector<Line> lines;
  for (int u = 0; u < users; ++u) {
    const std::string user = "user" + std::to_string(u);
    double t = random.uniform(0, 30);
    lines.push_back({.t = t,
                     .user = user,
                     .kind = EventKind::kConnect,
                     .bytes = 0,
                     .address = "10.0.0." + std::to_string(u)});
    while ((t += 30 * random.exponential()) < duration_s) {
      lines.push_back({.t = t,
                       .user = user,
                       .bytes = static_cast<std::uint32_t>(exp(3.6 + random.normal())),
                       .address = "10.0.0." + std::to_string(u),
                       .content = random.bits() | 1U});
    }
  }
  std::sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) { return a.t < b.t; });
  return lines;
}

inline std::string drive(Driver& driver, const std::vector<Line>& lines) {
  driver.told.clear();
  for (const Line& line : lines) driver.feed(line);
  return driver.told.bytes();
}

inline std::vector<Line> mixed(std::uint64_t seed) {
  Random random(seed);
  auto lines = talk(8, 900, seed);
  for (int i = 0; i < 400; ++i) {
    Line line;
    line.t = random.uniform(0, 900);
    line.user = "user" + std::to_string(random.below(12));
    line.kind = EventKind{static_cast<std::uint8_t>(random.below(traffic::kEventKinds))};
    line.bytes = static_cast<std::uint32_t>(random.below(100'000));
    line.address = "10.0.0." + std::to_string(random.below(4));
    line.channel = "c" + std::to_string(random.below(40));
    line.error = random.chance(.3);
    line.content = random.below(5);
    lines.push_back(line);
  }
  std::sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) { return a.t < b.t; });
  for (std::size_t i = 0; i < 50; ++i) std::swap(lines[random.below(lines.size())].t, lines[i].t);
  return lines;
}

}  // namespace liminal::engine::testing
