#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/random.hpp"
#include "core/base/time.hpp"
#include "core/traffic/event.hpp"

/// Abuse that nobody committed: events of it, to learn from and to be measured by.
namespace liminal::abuse {

/// One event of made-up or of recorded traffic.
struct TraceEvent {
  double t = 0;  ///< seconds
  std::string user, address;
  traffic::EventKind kind = traffic::EventKind::kMessage;
  std::uint32_t bytes = 0;
  bool error = false;
  std::uint64_t channel = 0;  ///< 0: none
  std::uint64_t content = 0;  ///< 0: not known
};
using Trace = std::vector<TraceEvent>;

/// An event as an engine takes it, at its `t` after `begin`. Borrows the texts: not to outlive what
/// it was made of.
class EngineEvent {
 public:
  EngineEvent(const TraceEvent& event, Duration begin);
  EngineEvent(const EngineEvent&) = delete;
  EngineEvent& operator=(const EngineEvent&) = delete;
  [[nodiscard]] const traffic::Event& get() const { return event_; }

 private:
  const std::string channel_text_;
  const traffic::Name channel_;
  traffic::Event event_;
};

enum class Abuse : std::uint8_t {
  kFlood,         ///< several messages a second
  kSlowFlood,     ///< some ten a minute, for long
  kGrowingBot,    ///< ever more of them
  kErrorStorm,    ///< most messages fail
  kContentSpam,   ///< the same contents again and again
  kOversized,     ///< up to tens of kilobytes each
  kReconnect,     ///< one connection after another
  kChannelSpray,  ///< one channel after another
  kMetronome,     ///< like a clock
  kRing,          ///< new users of one address that behave alike
  kTakeover,      ///< a known user from elsewhere, with other habits
};
inline constexpr std::size_t kAbuses = 11;
[[nodiscard]] std::string_view name(Abuse abuse);

/// One abuse that was put into a trace.
struct Injection {
  Abuse abuse{};
  double subtlety = 0;             ///< 0 blatant … 1 subtle
  std::vector<std::string> users;  ///< several for a ring
  double from = 0, to = 0;         ///< seconds
  double tenth_event = 0;          ///< time of the abusers' tenth event
};

/// Channels that everybody talks in: 1 to this.
inline constexpr std::uint64_t kCommonChannels = 12;

/// From `blatant` to `subtle` in equal ratios.
[[nodiscard]] double level(double blatant, double subtle, double subtlety);
/// An address of a private network.
[[nodiscard]] std::string made_up_address(Random& random);
/// A content that nobody has sent before.
[[nodiscard]] std::uint64_t made_up_content(Random& random);

/// Writes one abuser's events, and its name into the injection. Everything given must outlive it.
class Abuser {
 public:
  Abuser(Trace& trace, Injection& injection, std::string user, std::string address, Random& random);

  void arrive(double t);  ///< connects and subscribes
  /// An ordinary message, to be made unlike one. Valid until the next event.
  TraceEvent& message(double t);
  TraceEvent& add(double t, traffic::EventKind kind);

 private:
  Trace& trace_;
  Injection& injection_;
  Random& random_;
  std::string user_, address_;
  std::uint64_t channel_;
};

/// Notes when the abuse began, ended and had its tenth event: `trace` holds it, and no other one,
/// from the event numbered `before` on. Events before `from` are no abuse yet.
void date(Injection& injection, const Trace& trace, std::size_t before, double from = 0);

}  // namespace liminal::abuse
