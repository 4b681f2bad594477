#pragma once

#include <chrono>
#include <cstdint>

#include "core/limits/decide.hpp"

/// Policies, and one user whom they limit, for the tests of this folder.
namespace liminal::limits::testing {

using std::chrono::milliseconds;
using std::chrono::seconds;
using traffic::Decision;
using traffic::Event;
using traffic::EventKind;
using traffic::Name;
using traffic::Override;
using traffic::Reason;
using traffic::Verdict;

inline SteadyTime at(Duration since_start) {
  return SteadyTime{std::chrono::hours{1} + since_start};
}

inline Options enforcing() {
  Options options;
  options.mode = Mode::kEnforce;
  return options;
}

inline Override order(Override::Kind kind, double per_second = 0, std::uint32_t burst = 0) {
  return {.user = "ann",
          .kind = kind,
          .messages_per_second = per_second,
          .burst = burst,
          .reason = "test",
          .created = {},
          .expires = {}};
}

/// One user at one address.
class One {
 public:
  explicit One(const Options& options) : policies(options) {}

  Verdict message(SteadyTime now, std::uint32_t bytes = 40) {
    Event event = base();
    event.bytes = bytes;
    return decide(policies, user, &address, override, event, now, &connection);
  }
  Verdict connect(SteadyTime now, std::uint32_t of_address = 0) {
    return other(EventKind::kConnect, now, of_address);
  }
  /// The rest of a message whose beginning came to `begun`.
  Verdict continued(SteadyTime now,
                    std::uint32_t counted,
                    std::uint32_t bytes,
                    const Verdict& begun = {}) {
    Event event = base();
    event.kind = EventKind::kContinued;
    event.begun = traffic::Beginning(begun);
    event.counted = counted;
    event.bytes = bytes;
    return decide(policies, user, &address, override, event, now, &connection);
  }
  Verdict disconnect(SteadyTime now) { return other(EventKind::kDisconnect, now); }
  /// How many of `count` messages at one moment are let through.
  int pass(SteadyTime now, int count) {
    int passed = 0;
    for (int i = 0; i < count; ++i) passed += message(now).decision == Decision::kAllow;
    return passed;
  }

  Policies policies;
  UserLimits user;
  AddressLimits address;
  ConnectionLimits connection;
  const Override* override = nullptr;
  bool reported = false;

 private:
  [[nodiscard]] Event base() const {
    Event event;
    event.reported = reported;
    event.user = Name("ann");
    event.address = Name("10.0.0.1");
    return event;
  }
  Verdict other(EventKind kind, SteadyTime now, std::uint32_t of_address = 0) {
    Event event = base();
    event.kind = kind;
    event.address_connections = of_address;
    return decide(policies, user, &address, override, event, now);
  }
};

}  // namespace liminal::limits::testing
