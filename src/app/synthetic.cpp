#include "app/synthetic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/check.hpp"

namespace liminal::app {
namespace {

using namespace std::chrono_literals;
using traffic::EventKind;

/// As they come in the first hour, but for chance.
constexpr std::array<Abuse, kAbuses> kKinds{Abuse::kFlood,
                                            Abuse::kSlowFlood,
                                            Abuse::kGrowingBot,
                                            Abuse::kMetronome,
                                            Abuse::kErrorStorm,
                                            Abuse::kContentSpam,
                                            Abuse::kOversized,
                                            Abuse::kReconnect,
                                            Abuse::kChannelSpray,
                                            Abuse::kRing,
                                            Abuse::kTakeover};

/// How one kind of abuse looks: how long, how often (at its beginning and end), how large.
struct Recipe {
  Duration length;
  double first_gap_s, last_gap_s;  ///< mean time between messages
  double spread;                   ///< of that time: 1 as by chance, 0 as by a clock
  double bytes_log;                ///< mean of the logarithm of a message's size
  double error_ratio;
  double same_ratio;  ///< of messages with one and the same content
  bool new_channels = false;
  bool reconnects = false;
  bool new_address = false;
};

// In the order of Abuse. Rates are far from ordinary, but not absurd: as real abusers send.
constexpr std::array<Recipe, kAbuses> kRecipes{{
    {1min, .2, .2, 1, 3.7, .01, 0},
    {30min, 5.5, 5.5, 1, 3.7, .01, 0},
    {40min, 60, 3, 1, 3.7, .01, 0},
    {8min, 8, 8, 1, 3.7, .8, 0},
    {10min, 8, 8, 1, 4.2, .01, .9},
    {6min, 20, 20, 1, 10.4, .01, 0},
    {4min, 3, 3, .5, 3.7, .01, 0, false, true},
    {4min, 5, 5, 1, 3.7, .01, 0, true},
    {15min, 10, 10, .004, 3.7, .01, 0},
    {10min, 20, 20, 1, 4.4, .01, .6},
    {10min, 6, 6, 1, 6.2, .25, .2, true, false, true},
}};
constexpr std::uint32_t kRingUsers = 15;
constexpr Duration kRingArrival = 15s;  // one new user of a ring after another

/// Share of people who are there, by hour of day: few at five in the morning, most in the evening.
constexpr std::array<double, 24> kActivity{.35, .25, .18, .14, .11, .10, .14, .25,
                                           .40, .52, .58, .62, .66, .66, .64, .64,
                                           .68, .74, .82, .92, 1.0, .98, .80, .55};

// Of ordinary people, from real chat.
constexpr double kSessionMinutes = 20;
constexpr double kAwayMinutes = 60;  // at full activity
constexpr double kSizeLogMean = 3.6, kSizeLogSpread = .45, kWithinSpread = .75;
constexpr double kErrorRatio = .008;
constexpr double kShortBytes = 12;  // "ok", "lol": what everybody repeats
constexpr std::uint64_t kShortContents = 40;

constexpr std::array<std::string_view, 20> kSyllables{"an", "be", "ca", "do", "el", "fi", "go",
                                                      "ha", "in", "jo", "ka", "li", "ma", "no",
                                                      "ol", "pe", "ra", "si", "to", "vi"};

}  // namespace

SyntheticDay::SyntheticDay(const SyntheticOptions& options)
    : options_(options), random_(options.seed) {
  LIMINAL_CHECK(options.users >= 10 && options.channels >= 1 && options.start_hour < 24);
  for (std::uint32_t i = 0; i < options.channels; ++i)
    channels_.push_back(fmt::format("room-{}", i));
  add_people();
  add_episodes();
}

void SyntheticDay::add_people() {
  for (std::uint32_t i = 0; i < options_.users; ++i) {
    Actor person;
    person.user = some_name();
    person.address = some_address();
    person.busy = .2 * exp(.8 * random_.normal());
    person.bytes_log = kSizeLogMean + kSizeLogSpread * random_.normal();
    // The square makes some channels busier than others.
    const double pick = random_.uniform();
    person.channel = static_cast<std::uint32_t>(pick * pick * options_.channels);
    person.second_channel = static_cast<std::uint32_t>(random_.below(options_.channels));
    const auto actor = static_cast<std::uint32_t>(actors_.size());
    actors_.push_back(std::move(person));
    // The day begins in its middle: some come at once, others later.
    const double away_s = 60 * kAwayMinutes / activity(Duration::zero());
    turns_.push(
        {random_.chance(.3 * activity(Duration::zero())) ? after(60) : after(away_s), actor});
  }
}

void SyntheticDay::add_episodes() {
  if (options_.episode_interval <= Duration::zero()) return;
  Duration at = options_.calm;
  for (std::size_t round = 0; at < options_.length; ++round) {
    std::array<Abuse, kAbuses> order = kKinds;
    // The first round begins with a flood, because who just started wants to see something, and
    // ends with the take-over, which needs habits to differ from.
    const std::size_t first = round == 0 ? 1 : 0;
    const std::size_t last = round == 0 ? kAbuses - 2 : kAbuses - 1;
    for (std::size_t i = last; i > first; --i)
      std::swap(order[i], order[first + random_.below(i - first + 1)]);
    for (std::size_t i = 0; i < kAbuses && at < options_.length; ++i) {
      add_episode(order[i], at);
      at += from_seconds(seconds(options_.episode_interval) * random_.uniform(.5, 1.5)) *
            (round == 0 ? 1 : 5);
    }
  }
}

void SyntheticDay::add_episode(Abuse abuse, Duration at) {
  const auto recipe = static_cast<std::int32_t>(abuse);
  const Duration length = kRecipes[static_cast<std::size_t>(abuse)].length;
  Episode episode{abuse, {}, at, at + length};
  const std::uint32_t users = abuse == Abuse::kRing ? kRingUsers : 1;
  const std::string address = some_address();
  for (std::uint32_t i = 0; i < users; ++i) {
    const std::uint32_t actor = add_abuser(recipe, at + i * kRingArrival, length);
    if (abuse == Abuse::kRing) {
      actors_[actor].address = address;
      actors_[actor].user = some_name();
    }
    episode.users.push_back(actors_[actor].user);
  }
  episodes_.push_back(std::move(episode));
}

/// An account of an ordinary, not too quiet person, on a connection beside that person's own.
std::uint32_t SyntheticDay::add_abuser(std::int32_t recipe, Duration at, Duration length) {
  std::uint64_t whose = random_.below(options_.users);
  for (int tries = 0; tries < 20 && actors_[whose].busy < .25; ++tries)
    whose = random_.below(options_.users);
  Actor abuser = actors_[whose];
  abuser.connection = 0;
  abuser.recipe = recipe;
  abuser.begins = at;
  abuser.ends = at + length;
  if (kRecipes[static_cast<std::size_t>(recipe)].new_address) abuser.address = some_address();
  const auto actor = static_cast<std::uint32_t>(actors_.size());
  actors_.push_back(std::move(abuser));
  turns_.push({at, actor});
  return actor;
}

std::optional<traffic::Event> SyntheticDay::next() {
  while (!turns_.empty()) {
    const Turn turn = turns_.top();
    if (turn.time >= options_.length) break;
    turns_.pop();
    Actor& actor = actors_[turn.actor];
    traffic::Event event;
    event.user = traffic::Name(actor.user);
    event.address = traffic::Name(actor.address);
    event.time = EventTime{turn.time};
    const std::optional<Duration> pause = actor.recipe < 0 ? step_person(actor, turn.time, event)
                                                           : step_abuser(actor, turn.time, event);
    if (pause) turns_.push({turn.time + *pause, turn.actor});
    return event;
  }
  return std::nullopt;
}

/// One thing that a person does, and the time until the next.
std::optional<Duration> SyntheticDay::step_person(Actor& actor, Duration now, traffic::Event& out) {
  if (actor.connection == 0) {
    come(actor, out);
    actor.leaves = now + from_seconds(60 * kSessionMinutes * exp(.9 * random_.normal() - .4));
    return from_seconds(random_.uniform(.2, 2));
  }
  out.connection = actor.connection;
  if (!actor.greeted) {
    actor.greeted = true;
    out.kind = EventKind::kSubscribe;
    in_channel(channels_[actor.channel], out);
    return after(20);
  }
  if (now >= actor.leaves) {
    go(actor, out);
    return after(60 * kAwayMinutes / activity(now));
  }
  const bool elsewhere = random_.chance(.08);
  in_channel(channels_[elsewhere ? actor.second_channel : actor.channel], out);
  say(actor, actor.bytes_log + kWithinSpread * random_.normal(), 0, out);
  out.error = random_.chance(kErrorRatio);
  ++actor.sent;
  // Said in a few messages, then silence until there is more to say.
  if (actor.burst == 0)
    actor.burst = static_cast<std::uint32_t>(random_.exponential() * 1.6);
  else
    --actor.burst;
  if (actor.burst > 0) return 2s + after(9);
  return std::min<Duration>(5s + after(60 * 2 / actor.busy),
                            std::max(actor.leaves - now, Duration{1s}));
}

std::optional<Duration> SyntheticDay::step_abuser(Actor& actor, Duration now, traffic::Event& out) {
  const Recipe& recipe = kRecipes[static_cast<std::size_t>(actor.recipe)];
  if (actor.connection == 0) {
    come(actor, out);
    return from_seconds(random_.uniform(.2, 1));
  }
  out.connection = actor.connection;
  if (now >= actor.ends || (recipe.reconnects && actor.sent % 2 == 1)) {
    go(actor, out);
    ++actor.sent;
    const Duration back = from_seconds(recipe.first_gap_s * random_.uniform(.5, 1.5));
    return now + back < actor.ends ? std::optional(back) : std::nullopt;
  }
  const double done = seconds(now - actor.begins) / seconds(actor.ends - actor.begins);
  // In equal steps of the logarithm: what grows, grows by a ratio.
  const double gap_s = recipe.first_gap_s * exp(done * log(recipe.last_gap_s / recipe.first_gap_s));
  if (recipe.new_channels) {
    new_channel_ = fmt::format("found-{}", random_.below(100'000));
    in_channel(new_channel_, out);
  } else {
    in_channel(channels_[actor.channel], out);
  }
  say(actor, recipe.bytes_log + .3 * random_.normal(), recipe.same_ratio, out);
  out.error = random_.chance(recipe.error_ratio);
  ++actor.sent;
  const double spread =
      recipe.spread < 1 ? 1 + recipe.spread * random_.uniform(-1, 1) : random_.exponential();
  return from_seconds(std::max(gap_s * spread, .005));
}

void SyntheticDay::say(const Actor& actor,
                       double bytes_log,
                       double same_ratio,
                       traffic::Event& out) {
  out.kind = EventKind::kMessage;
  const double bytes = std::clamp(exp(bytes_log), 1., 60'000.);
  out.bytes = static_cast<std::uint32_t>(bytes);
  if (same_ratio > 0 && random_.chance(same_ratio)) {
    // What a ring repeats is the same for all of its users: they have the address in common.
    out.bytes =
        static_cast<std::uint32_t>(exp(kRecipes[static_cast<std::size_t>(actor.recipe)].bytes_log));
    out.content_hash = hash64(actor.address);
  } else if (bytes < kShortBytes) {
    out.content_hash = mix64(random_.below(kShortContents));
    out.bytes =
        1 + static_cast<std::uint32_t>(*out.content_hash % static_cast<std::uint64_t>(kShortBytes));
  } else {
    out.content_hash = random_.bits();
  }
}

void SyntheticDay::come(Actor& actor, traffic::Event& out) {
  actor.connection = ++connections_;
  actor.greeted = false;
  out.kind = EventKind::kConnect;
  out.connection = actor.connection;
}

void SyntheticDay::go(Actor& actor, traffic::Event& out) {
  out.kind = EventKind::kDisconnect;
  actor.connection = 0;
}

void SyntheticDay::in_channel(std::string_view channel, traffic::Event& out) {
  channel_ = traffic::Name(channel);
  out.channels = {&channel_, 1};
}

double SyntheticDay::activity(Duration now) const {
  const double hour = options_.start_hour + seconds(now) / 3600;
  const auto whole = static_cast<std::size_t>(hour);
  const double part = hour - static_cast<double>(whole);
  return (1 - part) * kActivity[whole % 24] + part * kActivity[(whole + 1) % 24];
}

std::string SyntheticDay::some_name() {
  std::string made;
  for (int i = 0; i < 3; ++i) made += kSyllables[random_.below(kSyllables.size())];
  return fmt::format("{}-{}", made, actors_.size());
}

std::string SyntheticDay::some_address() {
  return fmt::format("10.{}.{}.{}", random_.below(256), random_.below(256), 1 + random_.below(254));
}

}  // namespace liminal::app
