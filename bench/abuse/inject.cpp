#include "inject.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

namespace liminal::bench {

using abuse::Abuser;
using abuse::kCommonChannels;
using abuse::level;
using abuse::made_up_content;
using traffic::EventKind;

bool slow(Abuse abuse) {
  return abuse == Abuse::kSlowFlood || abuse == Abuse::kGrowingBot || abuse == Abuse::kMetronome ||
         abuse == Abuse::kTakeover || abuse == Abuse::kRing;
}

void enrich(Trace& trace, Random& random) {
  struct Habits {
    std::vector<std::uint64_t> channels;
    double errors = .012;
    std::uint64_t last = 0;
  };
  std::map<std::string, Habits> users;
  const bool fails = random.chance(.2);
  const double failure = trace.back().t * random.uniform(.1, .9);
  Trace arrivals;
  for (TraceEvent& event : trace) {
    auto [found, fresh_user] = users.try_emplace(event.user);
    Habits& habits = found->second;
    if (fresh_user) {
      const std::uint64_t count = 1 + random.below(3);
      for (std::uint64_t i = 0; i < count; ++i) {
        const double popular = random.uniform();
        habits.channels.push_back(
            1 +
            static_cast<std::uint64_t>(popular * popular * static_cast<double>(kCommonChannels)));
        TraceEvent arrival = event;
        arrival.kind = EventKind::kSubscribe;
        arrival.bytes = 0;
        arrival.channel = habits.channels.back();
        arrivals.push_back(arrival);
      }
      habits.errors = random.chance(.1) ? .05 : .008;
    }
    if (event.kind != EventKind::kMessage) continue;
    event.channel = random.chance(.03) ? 1 + random.below(kCommonChannels)
                                       : habits.channels[random.below(habits.channels.size())];
    const bool failing = fails && event.t > failure && event.t < failure + 180;
    event.error = random.chance(failing ? .5 : habits.errors);
    if (event.bytes < 12 && random.chance(.5)) {
      event.content = event.bytes * 100 + 1 + random.below(3);  // one of the words that all use
    } else if (habits.last != 0 && random.chance(.02)) {
      event.content = habits.last;
    } else {
      event.content = made_up_content(random);
    }
    habits.last = event.content;
  }
  trace.insert(trace.begin(), arrivals.begin(), arrivals.end());
  sort(trace);
}

void add_chatter(Trace& trace, Chatter chatter, Random& random) {
  if (chatter == Chatter::kNone) return;
  constexpr double kHeartbeatSeconds = 25, kJitterSeconds = .05, kTypingSeconds = 3;
  constexpr std::uint64_t kHeartbeats = 1'000'000, kTyping = 2'000'000;
  constexpr std::uint32_t kHeartbeatBytes = 16, kTypingBytes = 38;
  struct Stay {
    std::uint64_t version = 0;
    double begin = 0, end = 0;
    std::string address;
  };
  std::map<std::string, std::vector<Stay>> stays;
  Trace said;
  for (const TraceEvent& event : trace) {
    std::vector<Stay>& of = stays[event.user];
    if (of.empty() || event.kind == EventKind::kConnect) {
      const double one_of = random.uniform();
      of.push_back({one_of < .6 ? 0U : one_of < .9 ? 1U : 2U, event.t, event.t, event.address});
    }
    of.back().end = event.t;
    if (event.kind != EventKind::kMessage || chatter == Chatter::kHeartbeats || !random.chance(.5))
      continue;
    TraceEvent mark = event;
    mark.bytes = kTypingBytes;
    mark.content = chatter == Chatter::kNamed ? traffic::kSignalContent : kTyping + event.channel;
    mark.error = false;
    for (std::uint64_t left = 1 + random.below(3); left > 0; --left) {
      mark.t = std::max(of.back().begin, event.t - static_cast<double>(left) * kTypingSeconds);
      said.push_back(mark);
    }
  }
  for (const auto& [user, of] : stays) {
    for (const Stay& stay : of) {
      TraceEvent beat;
      beat.user = user;
      beat.address = stay.address;
      beat.bytes = kHeartbeatBytes;
      beat.content = kHeartbeats + stay.version;
      for (beat.t = stay.begin + kHeartbeatSeconds; beat.t < stay.end;
           beat.t += kHeartbeatSeconds + kJitterSeconds * random.normal())
        said.push_back(beat);
    }
  }
  trace.insert(trace.end(), said.begin(), said.end());
  sort(trace);
}

Trace game(int players, double duration_s, Random& random) {
  Trace trace;
  for (int p = 0; p < players; ++p) {
    const double base = random.uniform(5, 20);
    TraceEvent event;
    event.user = fmt::format("player{}", p);
    event.address = fmt::format("10.{}.{}.{}", random.below(200), random.below(256), p);
    double t = random.uniform(0, std::max(1., .4 * duration_s));
    const double end = std::min(duration_s, t + random.uniform(900, 1500));
    const double jitter = random.uniform(.05, .5), failing = random.uniform(.001, .01);
    event.kind = EventKind::kConnect;
    event.t = t;
    trace.push_back(event);
    double match_ends = t, phase_ends = t, pace = 1;
    while (t < end) {
      event.t = t;
      if (t >= match_ends) {
        match_ends = t + random.uniform(300, 600);
        event.channel = 1 + static_cast<std::uint64_t>(t / 300);
        event.kind = EventKind::kSubscribe;
        event.bytes = 0;
        event.content = 0;
        event.error = false;
        trace.push_back(event);
      }
      if (t >= phase_ends) {
        phase_ends = t + random.uniform(10, 90);
        pace = random.uniform(.6, 1.3);
      }
      event.kind = EventKind::kMessage;
      event.bytes = 20 + static_cast<std::uint32_t>(random.below(40));
      event.error = random.chance(failing);
      event.content = random.chance(.05) ? 7 + random.below(5) : made_up_content(random);
      trace.push_back(event);
      t += std::max(.005, (1 + jitter * random.normal()) / (base * pace));
    }
  }
  sort(trace);
  return trace;
}

std::vector<Injection> inject_game(Trace& trace, double end, Random& random) {
  constexpr std::array<Abuse, 6> kKinds{Abuse::kFlood,
                                        Abuse::kErrorStorm,
                                        Abuse::kContentSpam,
                                        Abuse::kOversized,
                                        Abuse::kReconnect,
                                        Abuse::kChannelSpray};
  std::vector<Injection> done;
  for (const Abuse abuse : kKinds) {
    Injection injection;
    injection.abuse = abuse;
    const double subtlety = injection.subtlety = random.uniform();
    const double start = random.uniform(.25, .85) * end, turns = start + 60;
    const std::size_t before = trace.size();
    Abuser abuser(trace,
                  injection,
                  fmt::format("abuser{}", done.size()),
                  abuse::made_up_address(random),
                  random);
    abuser.arrive(start);
    const auto play = [&](double from, double to, double per_s, auto&& each) {
      for (double t = from; t < to; t += (1 + .2 * random.normal()) / per_s) {
        TraceEvent& event = abuser.message(t);
        event.bytes = 20 + static_cast<std::uint32_t>(random.below(40));
        event.error = random.chance(.005);
        each(event);
      }
    };
    const double base = random.uniform(7, 18);
    play(start + 1, turns, base, [](TraceEvent&) {});
    const std::uint64_t text = made_up_content(random);
    const double ratio = level(1, .3, subtlety), bytes = level(8000, 500, subtlety);
    if (abuse == Abuse::kFlood)
      play(turns, turns + 30, base * level(12, 4, subtlety), [](TraceEvent&) {});
    else if (abuse == Abuse::kErrorStorm)
      play(turns, turns + 60, base, [&](TraceEvent& e) { e.error = random.chance(ratio); });
    else if (abuse == Abuse::kContentSpam)
      play(turns, turns + 60, base, [&](TraceEvent& e) {
        if (random.chance(ratio)) e.content = text;
      });
    else if (abuse == Abuse::kOversized)
      play(turns, turns + 30, base, [&](TraceEvent& e) {
        e.bytes = static_cast<std::uint32_t>(bytes * exp(.25 * random.normal()));
      });
    else if (abuse == Abuse::kReconnect)
      for (int i = 0; i < 20; ++i)
        abuser.add(turns + i * 60 / level(30, 3, subtlety), EventKind::kConnect);
    else
      for (int i = 0; i < 30; ++i)
        abuser.add(turns + i * 60 / level(120, 6, subtlety), EventKind::kSubscribe).channel =
            1000 + random.below(1'000'000);
    date(injection, trace, before, turns);
    done.push_back(injection);
  }
  return done;
}

}  // namespace liminal::bench
