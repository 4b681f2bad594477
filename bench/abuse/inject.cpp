#include "inject.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "core/base/hash.hpp"
#include "core/base/math.hpp"

namespace liminal::bench {
namespace {

using traffic::EventKind;

constexpr std::array<std::string_view, kAbuses> kNames{"flood",
                                                       "slow_flood",
                                                       "growing_bot",
                                                       "error_storm",
                                                       "content_spam",
                                                       "oversized",
                                                       "reconnect",
                                                       "channel_spray",
                                                       "metronome",
                                                       "ring",
                                                       "takeover"};

constexpr std::uint64_t kChannels = 12;

std::uint64_t fresh(Random& random) { return random.bits() >> 16 | 1; }

/// From `blatant` to `subtle` in equal ratios.
double level(double blatant, double subtle, double subtlety) {
  return blatant * exp(subtlety * log(subtle / blatant));
}

std::string address(Random& random) {
  return fmt::format("172.{}.{}.{}", 16 + random.below(16), random.below(256), random.below(256));
}

/// Writes one abuser's events.
class Abuser {
 public:
  Abuser(Trace& trace, Injection& injection, std::string user, std::string address, Random& random)
      : trace_(trace),
        injection_(injection),
        random_(random),
        user_(std::move(user)),
        address_(std::move(address)),
        channel_(1 + random.below(kChannels)) {
    injection_.users.push_back(user_);
  }

  void arrive(double t) {
    add(t, EventKind::kConnect);
    add(t + .5, EventKind::kSubscribe).channel = channel_;
  }
  TraceEvent& message(double t) {
    TraceEvent& event = add(t, EventKind::kMessage);
    event.bytes = ordinary_bytes();
    event.channel = channel_;
    event.content = fresh(random_);
    event.error = random_.chance(.012);
    return event;
  }
  TraceEvent& add(double t, EventKind kind) {
    TraceEvent event;
    event.t = t;
    event.user = user_;
    event.address = address_;
    event.kind = kind;
    trace_.push_back(std::move(event));
    return trace_.back();
  }
  std::uint32_t ordinary_bytes() {
    const double bytes = exp(3.6 + .9 * random_.normal());
    return static_cast<std::uint32_t>(std::clamp(bytes, 1., 400.));
  }
  void set_channel(std::uint64_t channel) { channel_ = channel; }

 private:
  Trace& trace_;
  Injection& injection_;
  Random& random_;
  std::string user_, address_;
  std::uint64_t channel_;
};

/// A user of the trace with a past, for what happens to those who are known.
struct Known {
  std::string user, address;
  double from = 0;  ///< when the abuse may begin
  std::size_t messages = 0;
};

std::optional<Known> pick_known(
    const Trace& trace, double begin, double end, Random& random, std::size_t messages_min) {
  struct Past {
    std::string address;
    std::vector<double> times;
  };
  std::map<std::string, Past> pasts;
  for (const TraceEvent& event : trace) {
    if (event.kind != EventKind::kMessage || event.user.starts_with("abuser")) continue;
    Past& past = pasts[event.user];
    past.address = event.address;
    past.times.push_back(event.t);
  }
  std::vector<Known> found;
  for (auto& [user, past] : pasts) {
    std::sort(past.times.begin(), past.times.end());
    if (past.times.size() <= messages_min) continue;
    // Settled: its first messages are more than 20 minutes old.
    const double from = std::max(past.times[messages_min] + 1300, begin);
    if (from < end) found.push_back({user, past.address, from, past.times.size()});
  }
  if (found.empty()) return std::nullopt;
  return found[random.below(found.size())];
}

struct Setting {
  Trace& trace;
  Injection& injection;
  Random& random;
  double subtlety;
  std::string user;
  double start, end;
};

Abuser newcomer(Setting& s) { return {s.trace, s.injection, s.user, address(s.random), s.random}; }

/// Messages at a rate for a while, each `pause` exponentially distributed.
template <class Each>
void talk(Abuser& abuser, Random& random, double from, double to, double per_minute, Each&& each) {
  for (double t = from; t < to; t += random.exponential() * 60 / per_minute)
    each(abuser.message(t));
}

void nothing(TraceEvent&) {}

void flood(Setting& s) {
  Abuser abuser = newcomer(s);
  abuser.arrive(s.start);
  const double per_minute = level(600, 40, s.subtlety);
  talk(abuser, s.random, s.start + 1, s.start + level(30, 120, s.subtlety), per_minute, nothing);
}

void slow_flood(Setting& s) {
  Abuser abuser = newcomer(s);
  abuser.arrive(s.start);
  const double per_minute = level(15, 5, s.subtlety);
  talk(abuser, s.random, s.start + 1, s.start + 1800, per_minute, nothing);
}

void growing_bot(Setting& s) {
  Abuser abuser = newcomer(s);
  abuser.arrive(s.start);
  const double length = level(1200, 3000, s.subtlety), last = level(60, 12, s.subtlety);
  for (double t = s.start + 1; t < s.start + length;) {
    abuser.message(t);
    const double per_minute = level(.8, last, (t - s.start) / length);
    t += s.random.exponential() * 60 / per_minute;
  }
}

void error_storm(Setting& s) {
  Abuser abuser = newcomer(s);
  abuser.arrive(s.start);
  const double ratio = level(1, .3, s.subtlety), per_minute = s.random.uniform(3, 12);
  talk(abuser,
       s.random,
       s.start + 1,
       s.start + 60 * 40 / per_minute,
       per_minute,
       [&](TraceEvent& event) { event.error = s.random.chance(ratio); });
}

void content_spam(Setting& s) {
  Abuser abuser = newcomer(s);
  abuser.arrive(s.start);
  const auto texts = static_cast<std::size_t>(level(1, 5, s.subtlety) + .5);
  std::vector<std::pair<std::uint64_t, std::uint32_t>> contents;
  for (std::size_t i = 0; i < texts; ++i)
    contents.emplace_back(fresh(s.random), 20 + static_cast<std::uint32_t>(s.random.below(150)));
  const double per_minute = s.random.uniform(2, 12);
  talk(abuser,
       s.random,
       s.start + 1,
       s.start + 60 * 40 / per_minute,
       per_minute,
       [&](TraceEvent& event) {
         std::tie(event.content, event.bytes) = contents[s.random.below(contents.size())];
       });
}

void oversized(Setting& s) {
  Abuser abuser = newcomer(s);
  abuser.arrive(s.start);
  const double bytes = level(20'000, 500, s.subtlety), per_minute = s.random.uniform(1, 5);
  talk(abuser,
       s.random,
       s.start + 1,
       s.start + 60 * 20 / per_minute,
       per_minute,
       [&](TraceEvent& event) {
         event.bytes = static_cast<std::uint32_t>(bytes * exp(.25 * s.random.normal()));
       });
}

void reconnect(Setting& s) {
  Abuser abuser = newcomer(s);
  const double per_minute = level(30, 2, s.subtlety);
  double t = s.start;
  for (int i = 0; i < 20; ++i) {
    abuser.add(t, EventKind::kConnect);
    const double pause = 60 / per_minute * s.random.uniform(.6, 1.4);
    abuser.add(t + .6 * pause, EventKind::kDisconnect);
    t += pause;
  }
}

void channel_spray(Setting& s) {
  Abuser abuser = newcomer(s);
  abuser.arrive(s.start);
  const double per_minute = level(120, 4, s.subtlety);
  double t = s.start + 10;
  const int channels = static_cast<int>(level(100, 12, s.subtlety));
  for (int i = 0; i < channels; ++i) {
    abuser.add(t, EventKind::kSubscribe).channel = 1000 + s.random.below(1'000'000);
    t += 60 / per_minute * s.random.uniform(.5, 1.5);
  }
}

void metronome(Setting& s) {
  Abuser abuser = newcomer(s);
  abuser.arrive(s.start);
  const double period = s.random.uniform(5, 40), jitter = level(.005, .12, s.subtlety);
  for (int i = 0; i < 40; ++i)
    abuser.message(s.start + 1 + period * (i + jitter * s.random.normal()));
}

void ring(Setting& s) {
  const int users = static_cast<int>(level(30, 5, s.subtlety));
  const std::string shared = address(s.random);
  const double bytes = s.random.uniform(20, 200), span = level(120, 480, s.subtlety);
  const std::uint64_t text = fresh(s.random);
  for (int i = 0; i < users; ++i) {
    Abuser abuser(s.trace, s.injection, fmt::format("{}_{}", s.user, i), shared, s.random);
    const double arrival = s.start + span * s.random.uniform();
    abuser.arrive(arrival);
    const int messages = 2 + static_cast<int>(s.random.below(5));
    double t = arrival + 2;
    for (int m = 0; m < messages; ++m) {
      TraceEvent& event = abuser.message(t);
      event.bytes = static_cast<std::uint32_t>(bytes * exp(.2 * s.random.normal()));
      if (s.random.chance(level(.8, .2, s.subtlety))) event.content = text;
      t += 30 * s.random.exponential();
    }
  }
}

/// Somebody else speaks with a known user's name: from another address, with three to five other
/// habits.
bool takeover(Setting& s) {
  const auto known = pick_known(s.trace, s.start, s.end - 600, s.random, 25);
  if (!known) return false;
  Abuser abuser(s.trace, s.injection, known->user, address(s.random), s.random);
  std::array<int, 5> habits{0, 1, 2, 3, 4};
  for (std::size_t i = habits.size(); i > 1; --i)
    std::swap(habits[i - 1], habits[s.random.below(i)]);
  std::array<bool, 5> changed{};
  const int count = s.subtlety > .66 ? 3 : s.subtlety > .33 ? 4 : 5;
  for (int i = 0; i < count; ++i)
    changed[static_cast<std::size_t>(habits[static_cast<std::size_t>(i)])] = true;
  const double per_minute = changed[0] ? level(12, 5, s.subtlety) : 1.5;
  const double bytes = level(1200, 350, s.subtlety), failing = level(.5, .2, s.subtlety);
  const std::array<std::uint64_t, 3> texts{fresh(s.random), fresh(s.random), fresh(s.random)};
  s.injection.from = known->from;
  talk(abuser,
       s.random,
       known->from + 1,
       known->from + 60 * 50 / per_minute,
       per_minute,
       [&](TraceEvent& event) {
         if (changed[1])
           event.bytes = static_cast<std::uint32_t>(bytes * exp(.4 * s.random.normal()));
         if (changed[2]) event.error = s.random.chance(failing);
         if (changed[3] && s.random.chance(level(.7, .3, s.subtlety)))
           event.content = texts[s.random.below(texts.size())];
         if (changed[4]) event.channel = 5000 + s.random.below(20);
       });
  return true;
}

/// Notes when the abuse began, ended and had its tenth event: `trace` holds it from `before` on.
void date(Injection& injection, const Trace& trace, std::size_t before, double from = 0) {
  std::vector<double> times, messages;
  for (std::size_t i = before; i < trace.size(); ++i) {
    if (trace[i].t < from) continue;
    times.push_back(trace[i].t);
    if (trace[i].kind == EventKind::kMessage) messages.push_back(trace[i].t);
  }
  std::sort(times.begin(), times.end());
  std::sort(messages.begin(), messages.end());
  injection.from = times.front();
  injection.to = times.back();
  // Who sends nothing is judged by what else it does.
  const std::vector<double>& counted = messages.size() < 10 ? times : messages;
  injection.tenth_event = counted[std::min<std::size_t>(9, counted.size() - 1)];
}

bool commit(Setting& s, Abuse abuse) {
  switch (abuse) {
    case Abuse::kFlood:
      flood(s);
      break;
    case Abuse::kSlowFlood:
      slow_flood(s);
      break;
    case Abuse::kGrowingBot:
      growing_bot(s);
      break;
    case Abuse::kErrorStorm:
      error_storm(s);
      break;
    case Abuse::kContentSpam:
      content_spam(s);
      break;
    case Abuse::kOversized:
      oversized(s);
      break;
    case Abuse::kReconnect:
      reconnect(s);
      break;
    case Abuse::kChannelSpray:
      channel_spray(s);
      break;
    case Abuse::kMetronome:
      metronome(s);
      break;
    case Abuse::kRing:
      ring(s);
      break;
    case Abuse::kTakeover:
      return takeover(s);
  }
  return true;
}

}  // namespace

std::string_view name(Abuse abuse) { return kNames[static_cast<std::size_t>(abuse)]; }

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
            1 + static_cast<std::uint64_t>(popular * popular * static_cast<double>(kChannels)));
        TraceEvent arrival = event;
        arrival.kind = EventKind::kSubscribe;
        arrival.bytes = 0;
        arrival.channel = habits.channels.back();
        arrivals.push_back(arrival);
      }
      habits.errors = random.chance(.1) ? .05 : .008;
    }
    if (event.kind != EventKind::kMessage) continue;
    event.channel = random.chance(.03) ? 1 + random.below(kChannels)
                                       : habits.channels[random.below(habits.channels.size())];
    const bool failing = fails && event.t > failure && event.t < failure + 180;
    event.error = random.chance(failing ? .5 : habits.errors);
    if (event.bytes < 12 && random.chance(.5)) {
      event.content = event.bytes * 100 + 1 + random.below(3);  // one of the words that all use
    } else if (habits.last != 0 && random.chance(.02)) {
      event.content = habits.last;
    } else {
      event.content = fresh(random);
    }
    habits.last = event.content;
  }
  trace.insert(trace.begin(), arrivals.begin(), arrivals.end());
  sort(trace);
}

std::optional<Injection> inject(Trace& trace, Abuse abuse, double end, Random& random, int serial) {
  Injection injection;
  injection.abuse = abuse;
  injection.subtlety = random.uniform();
  // One of ten begins in the first twenty minutes, when little is known yet.
  const double start = random.chance(.1) ? random.uniform(300, 1200)
                                         : random.uniform(1200, std::max(1300., end - 1800));
  injection.from = start;
  const std::size_t before = trace.size();
  Setting setting{
      trace, injection, random, injection.subtlety, fmt::format("abuser{}", serial), start, end};
  if (!commit(setting, abuse)) return std::nullopt;
  date(injection, trace, before);
  return injection;
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
      event.content = random.chance(.05) ? 7 + random.below(5) : fresh(random);
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
    Setting s{trace, injection, random, subtlety, fmt::format("abuser{}", done.size()), turns, end};
    Abuser abuser = newcomer(s);
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
    play(start + 1, turns, base, nothing);
    const std::uint64_t text = fresh(random);
    const double ratio = level(1, .3, subtlety), bytes = level(8000, 500, subtlety);
    if (abuse == Abuse::kFlood)
      play(turns, turns + 30, base * level(12, 4, subtlety), nothing);
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
