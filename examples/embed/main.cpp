// Embeds Liminal's engine in a program of one's own: twenty people talk, one of them turns into a
// flood, and the engine says so. No network, no thread, no clock: time is what the events say.
#include <chrono>
#include <cstdio>
#include <string>

#include "core/base/random.hpp"
#include "core/engine/local_engine.hpp"

using namespace liminal;

namespace {

constexpr SteadyTime kStart{std::chrono::seconds{1'700'000'000}};

traffic::Event message(const std::string& user, SteadyTime now) {
  traffic::Event event;
  event.user = traffic::Name(user);
  event.address = traffic::Name("192.0.2.1");
  event.kind = traffic::EventKind::kMessage;
  event.bytes = 42;
  event.time = EventTime{now.time_since_epoch()};
  return event;
}

/// Prints what began, as `liminal replay` would say it.
bool tell(const engine::Effects& effects) {
  bool flood = false;
  for (const engine::AlertChange& change : effects.alerts) {
    if (change.kind != engine::AlertChange::Kind::kRaised) continue;
    const traffic::Alert& alert = change.alert;
    const std::string why = traffic::explanation(alert.first);
    std::printf("%s %s of %s: %s\n",
                traffic::alert_id(alert).c_str(),
                traffic::info(alert.type).name.data(),
                alert.user.c_str(),
                why.c_str());
    flood = flood || (alert.type == traffic::FindingType::kMessageFlood && alert.user == "mallory");
  }
  return flood;
}

}  // namespace

int main() {
  engine::LocalEngine engine{engine::Options{}};
  engine::Effects effects;
  Random random(1);
  SteadyTime now = kStart;
  bool found = false;

  const auto feed = [&](const std::string& user) {
    effects.clear();
    engine.feed(message(user, now), effects);
    found = tell(effects) || found;
  };
  for (int i = 0; i < 600; ++i) {  // ten minutes of talk
    now += std::chrono::seconds{1};
    if (random.chance(.3)) feed("user" + std::to_string(random.below(20)));
  }
  for (int i = 0; i < 150; ++i) {  // and a flood
    now += std::chrono::milliseconds{50};
    feed("mallory");
  }

  const bool slowed = effects.verdict.shadow != traffic::Decision::kAllow;
  std::printf("%zu users, %s; the last message would have been %s\n",
              engine.users(),
              found ? "the flood was found" : "the flood was missed",
              slowed ? "refused" : "let through");
  return found && slowed ? 0 : 1;
}
