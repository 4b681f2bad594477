#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <queue>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/abuse/abuser.hpp"
#include "core/base/random.hpp"
#include "core/base/time.hpp"
#include "core/traffic/event.hpp"

namespace liminal::app {

using abuse::Abuse;
using abuse::kAbuses;

/// Who does wrong, and when: the truth that detection is compared with.
struct Episode {
  Abuse abuse{};
  std::vector<std::string> users;  ///< one, but for a ring
  Duration from{}, to{};           ///< since the start of the day
};

struct SyntheticOptions {
  std::uint64_t seed = 1;
  Duration length = std::chrono::hours{24};
  std::uint32_t users = 300;     ///< 10 to 1,000,000 ordinary ones
  std::uint32_t channels = 12;   ///< 1 to 10,000 that they talk in
  std::uint32_t start_hour = 8;  ///< of the day, when it begins
  /// Before the first episode there is nothing to find: what learns has something to learn from.
  Duration calm = std::chrono::minutes{10};
  /// One episode begins every so often, each kind in turn; after each kind was there once, at a
  /// fifth of that pace. Zero: nobody does wrong.
  Duration episode_interval = std::chrono::minutes{4};
};

/// A day of chat, event by event: people who come, talk in bursts, answer, and go, more by day than
/// by night; and a few who abuse it. The numbers of ordinary people are those of real chat: .2
/// messages a minute while there, up to six in ten seconds, 42 bytes, sessions of twenty minutes.
///
/// The same options give the same events, bit for bit, on every machine. Times start at zero and
/// never go back. Users are spread over addresses of their own; contents have hashes, and short
/// ones ("ok") repeat among ordinary people too.
///
/// Memory: some 200 bytes a user. Cost: O(log users) an event, below a microsecond.
class SyntheticDay {
 public:
  explicit SyntheticDay(const SyntheticOptions& options);

  /// The next event; none when the day is over. Borrows from this object until the next call.
  [[nodiscard]] std::optional<traffic::Event> next();

  /// In order of their beginning. Those that the day's end cuts off are among them.
  [[nodiscard]] std::span<const Episode> episodes() const { return episodes_; }

 private:
  /// One person, or one account that is used for abuse, with the connection it has.
  struct Actor {
    std::string user, address;
    double busy = 1;         ///< messages a minute while there, before the hour of day
    double bytes_log = 3.7;  ///< mean of the logarithm of a message's size
    std::uint32_t channel = 0, second_channel = 0;
    std::uint64_t connection = 0;  ///< 0: away
    bool greeted = false;          ///< has subscribed on this connection
    std::uint32_t burst = 0;       ///< messages left of what is being said
    Duration leaves{};             ///< end of the session
    std::uint64_t sent = 0;
    std::int32_t recipe = -1;  ///< of abuse; -1: an ordinary person
    Duration begins{}, ends{};
  };
  struct Turn {
    Duration time;
    std::uint32_t actor;
    /// The queue gives the largest first: the earliest, of equal times the first actor.
    friend bool operator<(const Turn& a, const Turn& b) {
      return a.time != b.time ? a.time > b.time : a.actor > b.actor;
    }
  };

  void add_people();
  void add_episodes();
  void add_episode(Abuse abuse, Duration at);
  std::uint32_t add_abuser(std::int32_t recipe, Duration at, Duration length);
  std::optional<Duration> step_person(Actor& actor, Duration now, traffic::Event& out);
  std::optional<Duration> step_abuser(Actor& actor, Duration now, traffic::Event& out);
  void say(const Actor& actor, double bytes_log, double same_ratio, traffic::Event& out);
  void come(Actor& actor, traffic::Event& out);
  void go(Actor& actor, traffic::Event& out);
  void in_channel(std::string_view channel, traffic::Event& out);
  [[nodiscard]] double activity(Duration now) const;
  Duration after(double mean_s) { return from_seconds(mean_s * random_.exponential()); }
  std::string some_name();
  std::string some_address();

  SyntheticOptions options_;
  Random random_;
  std::vector<Actor> actors_;
  std::vector<std::string> channels_;
  std::priority_queue<Turn> turns_;
  std::vector<Episode> episodes_;
  std::string new_channel_;
  traffic::Name channel_;  ///< of the event that was given out
  std::uint64_t connections_ = 0;
};

}  // namespace liminal::app
