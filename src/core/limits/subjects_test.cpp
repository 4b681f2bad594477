#include "core/limits/subjects.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/base/random.hpp"
#include "core/limits/decide.hpp"

namespace liminal::limits {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using traffic::Decision;
using traffic::Event;
using traffic::EventKind;
using traffic::Name;

SteadyTime at(Duration since_start) { return SteadyTime{std::chrono::hours{1} + since_start}; }

Options all_meters() {
  Options options;
  options.mode = Mode::kEnforce;
  options.user.messages_sustained = {.per_second = 5, .burst = 50};
  options.user.bytes = {.per_second = 10'000, .burst = 100'000};
  options.user.bytes_sustained = {.per_second = 1'000, .burst = 200'000};
  options.address = options.connection = options.user;
  return options;
}

/// What a while of traffic leaves behind.
struct Lived {
  UserLimits user;
  AddressLimits address;
  ConnectionLimits connection;
  SteadyTime now = at({});
};

traffic::Verdict step(const Policies& policies, Lived& lived, Random& random) {
  Event event;
  event.user = Name("ann");
  event.kind = EventKind{static_cast<std::uint8_t>(random.below(3))};
  event.bytes = static_cast<std::uint32_t>(random.below(20'000));
  lived.now += from_seconds(.05 * random.exponential());
  const traffic::Verdict verdict =
      decide(policies, lived.user, &lived.address, nullptr, event, lived.now, &lived.connection);
  lived.user.adapt(policies, static_cast<float>(random.uniform(0, 2)), lived.now);
  return verdict;
}

Lived live(const Policies& policies, std::uint64_t seed, int events) {
  Random random(seed);
  Lived lived;
  for (int i = 0; i < events; ++i) (void)step(policies, lived, random);
  return lived;
}

template <class State>
State reloaded(const State& state) {
  Writer out;
  state.save(out);
  Reader in(out.bytes());
  Result<State> loaded = State::load(in);
  RC_ASSERT(loaded.has_value());
  RC_ASSERT(in.at_end());
  RC_ASSERT(loaded->state_hash() == state.state_hash());
  return *loaded;
}

TEST(Limits, KeepToTheirMemory) {
  EXPECT_LE(UserLimits().memory_bytes(), 96u);
  EXPECT_LE(AddressLimits().memory_bytes(), 64u);
  EXPECT_LE(ConnectionLimits().memory_bytes(), 32u);
}

RC_GTEST_PROP(Limits, GoOnAfterALoadAsBefore, (std::uint64_t seed)) {
  const Policies policies(all_meters());
  Lived before = live(policies, seed, 200);
  Lived after{
      reloaded(before.user), reloaded(before.address), reloaded(before.connection), before.now};
  Random random_before(~seed);
  Random random_after(~seed);
  for (int i = 0; i < 200; ++i) {
    RC_ASSERT(step(policies, before, random_before) == step(policies, after, random_after));
    RC_ASSERT(before.user == after.user);
  }
}

RC_GTEST_PROP(Limits, RefuseACutOrDistortedState, (std::uint64_t seed)) {
  const Policies policies(all_meters());
  Writer out;
  live(policies, seed, 50).user.save(out);
  std::string bytes = out.take();
  const auto cut = *rc::gen::inRange<std::size_t>(0, bytes.size());
  Reader cut_in(std::string_view(bytes).substr(0, cut));
  RC_ASSERT(!UserLimits::load(cut_in));

  bytes[*rc::gen::inRange<std::size_t>(0, bytes.size())] ^= static_cast<char>(0x80);
  Reader in(bytes);
  Result<UserLimits> loaded = UserLimits::load(in);
  // Refused, or of use: no undefined arithmetic (the sanitizers watch).
  if (loaded) {
    Lived lived;
    lived.user = *loaded;
    Random random(seed);
    for (int i = 0; i < 20; ++i) (void)step(policies, lived, random);
  }
}

TEST(Limits, RefuseAnotherVersion) {
  Reader in("\x7f");
  EXPECT_EQ(UserLimits::load(in).error().code, ErrorCode::kUnsupported);
}

TEST(Limits, AreIdleWhenForgettingThemChangesNoVerdict) {
  const Policies policies{Options{}};
  Lived lived;
  EXPECT_TRUE(lived.user.idle(lived.now));
  Event event;
  event.user = Name("ann");
  (void)decide(policies, lived.user, &lived.address, nullptr, event, lived.now);
  EXPECT_FALSE(lived.user.idle(lived.now));
  EXPECT_FALSE(lived.address.idle(lived.now));
  (void)lived.address.take_usage();
  EXPECT_TRUE(lived.user.idle(lived.now + seconds{1}));
  EXPECT_TRUE(lived.address.idle(lived.now + seconds{1}));
}

/// Many users of one address, spread over shards that tell each other once a second.
class Spread {
 public:
  Spread(const Options& options, std::size_t shards) : policies_(options), shards_(shards) {}

  /// A message of a new user each time: only the address limits.
  bool message(std::size_t shard, SteadyTime now) {
    Event event;
    event.user = Name("somebody");
    UserLimits user;
    return decide(policies_, user, &shards_[shard], nullptr, event, now).decision <=
           Decision::kDelay;
  }

  void exchange(SteadyTime now) {
    std::vector<AddressUsage> used;
    AddressUsage all;
    for (AddressLimits& shard : shards_) all += used.emplace_back(shard.take_usage());
    for (std::size_t i = 0; i < shards_.size(); ++i) {
      const AddressUsage others{.messages = all.messages - used[i].messages,
                                .bytes = all.bytes - used[i].bytes,
                                .connections = all.connections - used[i].connections};
      shards_[i].charge_remote(policies_, others, now);
    }
  }

 private:
  Policies policies_;
  std::vector<AddressLimits> shards_;
};

TEST(AddressLimits, OverShardsTheLongRunRateIsThatOfThePolicy) {
  Options options;
  options.mode = Mode::kEnforce;
  constexpr std::size_t kSpread = 16;
  Spread spread(options, kSpread);
  int allowed = 0;
  int in_a_second = 0;
  int overshoot = 0;
  constexpr int kSeconds = 120;
  for (int second = 0; second < kSeconds; ++second) {
    in_a_second = 0;
    for (int ms = 0; ms < 1000; ms += 2)  // 8,000 messages a second, 80 times too many
      for (std::size_t shard = 0; shard < kSpread; ++shard)
        in_a_second += spread.message(shard, at(seconds{second} + milliseconds{ms}));
    overshoot = std::max(overshoot, in_a_second);
    allowed += in_a_second;
    spread.exchange(at(seconds{second + 1}));
  }
  // Burst + rate · T, delays held back, and what each shard let through before it was first told.
  EXPECT_LE(allowed, 200 + 100 * (kSeconds + 1) + overshoot);
  EXPECT_GE(allowed, 100 * kSeconds);
}

RC_GTEST_PROP(AddressLimits, OverShardsWhoKeepsToTheRateIsNeverRefused, (std::uint64_t seed)) {
  Options options;
  options.mode = Mode::kEnforce;
  options.delay_max = Duration::zero();
  Spread spread(options, 8);
  Random random(seed);
  // Conforms to the rate with a burst of burst - rate · 1 s = 100, by a meter of its own.
  const GcraPolicy conforming = GcraPolicy::messages(100, 100);
  Gcra meter;
  Duration next_exchange = seconds{1};
  for (Duration now{}; now < seconds{20}; now += from_seconds(.004 * random.exponential())) {
    for (; now >= next_exchange; next_exchange += seconds{1}) spread.exchange(at(next_exchange));
    const std::uint64_t count = random.chance(.01) ? 100 : 1;
    const std::size_t shard = random.below(8);
    for (std::uint64_t i = 0; i < count && meter.take(conforming, at(now)).allowed; ++i)
      RC_ASSERT(spread.message(shard, at(now)));
  }
}

TEST(AddressLimits, AnOlderEventOfAnotherUserIsNotPunishedForItsTime) {
  Options options;
  options.mode = Mode::kEnforce;
  Spread spread(options, 1);
  EXPECT_TRUE(spread.message(0, at(seconds{100})));
  EXPECT_TRUE(spread.message(0, at(seconds{5})));
}

}  // namespace
}  // namespace liminal::limits
