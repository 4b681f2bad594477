#include "core/abuse/abuser.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "core/base/hash.hpp"
#include "core/base/math.hpp"

namespace liminal::abuse {
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

/// Of an ordinary message.
std::uint32_t bytes_of_a_message(Random& random) {
  const double bytes = exp(3.6 + .9 * random.normal());
  return static_cast<std::uint32_t>(std::clamp(bytes, 1., 400.));
}

}  // namespace

EngineEvent::EngineEvent(const TraceEvent& event, Duration begin)
    : channel_text_(std::to_string(event.channel)), channel_(channel_text_) {
  event_.user = traffic::Name{event.user};
  event_.address = traffic::Name{event.address};
  if (event.channel != 0) event_.channels = {&channel_, 1};
  event_.kind = event.kind;
  event_.error = event.error;
  event_.bytes = event.bytes;
  if (event.content != 0) event_.content_hash = mix64(event.content);
  event_.time = EventTime{begin + from_seconds(event.t)};
}

std::string_view name(Abuse abuse) { return kNames[static_cast<std::size_t>(abuse)]; }

double level(double blatant, double subtle, double subtlety) {
  return blatant * exp(subtlety * log(subtle / blatant));
}

std::string made_up_address(Random& random) {
  std::string address = "172." + std::to_string(16 + random.below(16));
  for (int i = 0; i < 2; ++i) address += "." + std::to_string(random.below(256));
  return address;
}

std::uint64_t made_up_content(Random& random) { return random.bits() >> 16 | 1; }

Abuser::Abuser(
    Trace& trace, Injection& injection, std::string user, std::string address, Random& random)
    : trace_(trace),
      injection_(injection),
      random_(random),
      user_(std::move(user)),
      address_(std::move(address)),
      channel_(1 + random.below(kCommonChannels)) {
  injection_.users.push_back(user_);
}

void Abuser::arrive(double t) {
  add(t, EventKind::kConnect);
  add(t + .5, EventKind::kSubscribe).channel = channel_;
}

TraceEvent& Abuser::message(double t) {
  TraceEvent& event = add(t, EventKind::kMessage);
  event.bytes = bytes_of_a_message(random_);
  event.channel = channel_;
  event.content = made_up_content(random_);
  event.error = random_.chance(.012);
  return event;
}

TraceEvent& Abuser::add(double t, EventKind kind) {
  TraceEvent event;
  event.t = t;
  event.user = user_;
  event.address = address_;
  event.kind = kind;
  trace_.push_back(std::move(event));
  return trace_.back();
}

void date(Injection& injection, const Trace& trace, std::size_t before, double from) {
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

}  // namespace liminal::abuse
