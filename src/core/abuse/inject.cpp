#include "core/abuse/inject.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>
#include <utility>

#include "core/base/math.hpp"

namespace liminal::abuse {
namespace {

using traffic::EventKind;

constexpr std::size_t kPastMin = 25;  ///< messages of who counts as known

/// A user of the trace with a past, for what happens to those who are known.
struct Known {
  std::string user;
  double from = 0;  ///< when the abuse may begin
};

std::optional<Known> pick_known(const Trace& trace, double begin, double end, Random& random) {
  std::map<std::string, std::vector<double>> pasts;
  for (const TraceEvent& event : trace) {
    if (event.kind != EventKind::kMessage || event.user.starts_with("abuser")) continue;
    pasts[event.user].push_back(event.t);
  }
  std::vector<Known> found;
  for (auto& [user, times] : pasts) {
    std::sort(times.begin(), times.end());
    if (times.size() <= kPastMin) continue;
    // Settled: its first messages are more than 20 minutes old.
    const double from = std::max(times[kPastMin] + 1300, begin);
    if (from < end) found.push_back({user, from});
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

Abuser newcomer(Setting& s) {
  return {s.trace, s.injection, s.user, made_up_address(s.random), s.random};
}

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
    contents.emplace_back(made_up_content(s.random),
                          20 + static_cast<std::uint32_t>(s.random.below(150)));
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
  const std::string shared = made_up_address(s.random);
  const double bytes = s.random.uniform(20, 200), span = level(120, 480, s.subtlety);
  const std::uint64_t text = made_up_content(s.random);
  for (int i = 0; i < users; ++i) {
    Abuser abuser(s.trace, s.injection, s.user + "_" + std::to_string(i), shared, s.random);
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
  const auto known = pick_known(s.trace, s.start, s.end - 600, s.random);
  if (!known) return false;
  Abuser abuser(s.trace, s.injection, known->user, made_up_address(s.random), s.random);
  std::array<int, 5> habits{0, 1, 2, 3, 4};
  for (std::size_t i = habits.size(); i > 1; --i)
    std::swap(habits[i - 1], habits[s.random.below(i)]);
  std::array<bool, 5> changed{};
  const int count = s.subtlety > .66 ? 3 : s.subtlety > .33 ? 4 : 5;
  for (int i = 0; i < count; ++i)
    changed[static_cast<std::size_t>(habits[static_cast<std::size_t>(i)])] = true;
  const double per_minute = changed[0] ? level(12, 5, s.subtlety) : 1.5;
  const double bytes = level(1200, 350, s.subtlety), failing = level(.5, .2, s.subtlety);
  const std::array<std::uint64_t, 3> texts{
      made_up_content(s.random), made_up_content(s.random), made_up_content(s.random)};
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

std::optional<Injection> inject(Trace& trace, Abuse abuse, double end, Random& random, int serial) {
  Injection injection;
  injection.abuse = abuse;
  injection.subtlety = random.uniform();
  // One of ten begins in the first twenty minutes, when little is known yet.
  const double start = random.chance(.1) ? random.uniform(300, 1200)
                                         : random.uniform(1200, std::max(1300., end - 1800));
  const std::size_t before = trace.size();
  Setting setting{
      trace, injection, random, injection.subtlety, "abuser" + std::to_string(serial), start, end};
  if (!commit(setting, abuse)) return std::nullopt;
  date(injection, trace, before);
  return injection;
}

}  // namespace liminal::abuse
