#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "core/base/random.hpp"
#include "core/detect/statistics.hpp"

namespace liminal::detect::testing {

inline SteadyTime at(double s) { return SteadyTime{std::chrono::hours{1000} + from_seconds(s)}; }

/// A message of somebody in the lobby, with a content of its own.
struct Line {
  double t = 0;
  std::uint32_t bytes = 40;
  bool error = false;
  std::uint64_t content = 0;  ///< 0: a new one
  std::string channel = "lobby";
  std::string address = "10.0.0.1";
};

/// One user before a population that was learnt long ago, and everything found about it.
class Scene {
 public:
  explicit Scene(Profile profile = Profile::kChat) : population(profile) {
    options.profile = profile;
    std::vector<Contribution> first(1);
    first[0].messages = 1;
    population.learn(first, at(-4000), options.warm_up);
    population.learn({}, at(-1), options.warm_up);
  }

  float send(const Line& line) { return apply(message(line), line.t); }

  /// The rest of the last message, of which only some was counted.
  float continue_message(double t, std::uint32_t counted, std::uint32_t bytes) {
    traffic::Event event = who("10.0.0.1");
    event.kind = traffic::EventKind::kContinued;
    event.counted = counted;
    event.bytes = bytes;
    return apply(event, t);
  }

  float connect(double t) {
    traffic::Event event = who("10.0.0.1");
    event.kind = traffic::EventKind::kConnect;
    return apply(event, t);
  }
  float subscribe(double t, const std::string& channel) {
    const traffic::Name name{channel};
    traffic::Event event = who("10.0.0.1");
    event.kind = traffic::EventKind::kSubscribe;
    event.channels = {&name, 1};
    return apply(event, t);
  }

  /// Talks like people do, about once in 40 s, from `t` on.
  double talk(double t, int messages) {
    for (int i = 0; i < messages; ++i) {
      t += 5 + 35 * random.exponential();
      send({.t = t, .bytes = 15 + static_cast<std::uint32_t>(random.below(80))});
    }
    return t;
  }

  [[nodiscard]] bool found(traffic::FindingType type) const { return first(type) != nullptr; }
  [[nodiscard]] const traffic::Finding* first(traffic::FindingType type) const {
    const auto found = std::find_if(
        all.begin(), all.end(), [type](const traffic::Finding& each) { return each.type == type; });
    return found == all.end() ? nullptr : &*found;
  }

  [[nodiscard]] traffic::Event message(const Line& line) {
    channel_text_ = line.channel;
    channel_ = traffic::Name{channel_text_};
    address_text_ = line.address;
    traffic::Event event = who(address_text_);
    event.channels = {&channel_, 1};
    event.bytes = line.bytes;
    event.error = line.error;
    event.content_hash = line.content != 0 ? line.content : random.bits();
    return event;
  }

  float apply(const traffic::Event& event, double t) {
    Findings found_now;
    const float score = user.step(event, at(t), options, population, learnt, found_now);
    all.insert(all.end(), found_now.begin(), found_now.end());
    return score;
  }

  Options options;
  Population population;
  UserStatistics user;
  Contribution learnt;
  std::vector<traffic::Finding> all;
  Random random{7};

 private:
  traffic::Event who(const std::string& address) const {
    traffic::Event event;
    event.user = traffic::Name{"ada"};
    event.address = traffic::Name{address};
    return event;
  }

  std::string channel_text_, address_text_;
  traffic::Name channel_;
};

template <class T>
std::string bytes_of(const T& saved) {
  Writer out;
  saved.save(out);
  return out.take();
}

}  // namespace liminal::detect::testing
