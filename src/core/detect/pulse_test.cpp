#include "core/detect/pulse.hpp"

#include <gtest/gtest.h>

#include "core/base/random.hpp"

namespace liminal::detect {
namespace {

constexpr std::uint16_t kBeat = 7, kOther = 9;

Stamp at(double s) { return {SteadyTime{}, SteadyTime{} + from_seconds(s)}; }

/// How often it was the timer's, of ten times.
template <class Gap>
int found(Gap gap) {
  Pulse pulse;
  double t = 100;
  int times = 0;
  for (int i = 0; i < 10; ++i) times += pulse.beat(kBeat, at(t += gap())) ? 1 : 0;
  return times;
}

TEST(Pulse, FindsWhatATimerSays) {
  Random random(1);
  EXPECT_EQ(found([] { return 25.; }), 6) << "from the sixth time on that it is said";
  EXPECT_GE(found([&] { return 30 + .5 * random.normal(); }), 4);
}

TEST(Pulse, APersonIsNone) {
  Random random(2);
  int times = 0;
  for (int i = 0; i < 100; ++i) times += found([&] { return 20 * random.exponential(); });
  EXPECT_LE(times, 20) << "of a thousand";
}

TEST(Pulse, NeitherIsWhatComesTooFast) {
  EXPECT_EQ(found([] { return 1.; }), 0);
}

TEST(Pulse, OtherContentsInBetweenDoNotHideIt) {
  Pulse pulse;
  double t = 0;
  bool beats = false;
  for (int i = 0; i < 6; ++i) {
    beats = pulse.beat(kBeat, at(t += 20));
    EXPECT_FALSE(pulse.beat(kOther, at(t + 3 + i * i % 5)));
    EXPECT_FALSE(pulse.beat(static_cast<std::uint16_t>(100 + i), at(t + 9)));
  }
  EXPECT_TRUE(beats);
}

TEST(Pulse, SavedAndLoadedGoesOnTheSame) {
  Pulse pulse;
  double t = 0;
  for (int i = 0; i < 4; ++i) pulse.beat(kBeat, at(t += 20));
  Writer out;
  pulse.save(out);
  Pulse again;
  Reader in(out.bytes());
  again.load(in);
  EXPECT_TRUE(in.ok());
  EXPECT_TRUE(again.beat(kBeat, at(t += 20)));
}

}  // namespace
}  // namespace liminal::detect
