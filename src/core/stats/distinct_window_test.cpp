#include "core/stats/distinct_window.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>

#include "core/base/hash.hpp"
#include "core/base/random.hpp"

namespace liminal::stats {
namespace {

using Window = DistinctWindow<22>;

static_assert(sizeof(Window) == 56);
static_assert(sizeof(DistinctWindow<6>) == 16);

/// The slow exact reference: every thing with the epoch of its last use.
class Reference {
 public:
  Window::Use add(std::uint64_t thing) {
    const auto known = last_use_.find(thing);
    const bool is_new = known == last_use_.end() || epoch_ - known->second > Window::kEpochs;
    const bool again = !is_new && known->second == epoch_;
    last_use_[thing] = epoch_;
    return is_new ? Window::Use::kNew : again ? Window::Use::kAgain : Window::Use::kFirstInEpoch;
  }
  void advance(std::uint64_t epochs) { epoch_ += epochs; }
  [[nodiscard]] double count() const {
    double count = 0;
    for (const auto& [thing, used] : last_use_) count += epoch_ - used <= Window::kEpochs;
    return count;
  }

 private:
  std::uint64_t epoch_ = 0;
  std::map<std::uint64_t, std::uint64_t> last_use_;
};

RC_GTEST_PROP(DistinctWindow, IsExactWhileSmall, (std::uint64_t seed)) {
  Random random(seed);
  Window window;
  Reference reference;
  for (int i = 0; i < 300; ++i) {
    // The hashes of these things differ in their fingerprints.
    const std::uint64_t thing = mix64(random.below(22));
    RC_ASSERT(window.add(thing) == reference.add(thing));
    RC_ASSERT(window.count() == reference.count());
    if (!random.chance(.1)) continue;
    const std::uint64_t epochs = random.below(random.chance(.2) ? 20 : 4);
    const double later = window.count(epochs);
    window.advance(epochs);
    reference.advance(epochs);
    RC_ASSERT(later == reference.count());
    RC_ASSERT(window.count() == reference.count());
  }
}

/// 2,000 trials a size, seeded; mean square error within 25 % of the stated standard error.
TEST(DistinctWindow, HasItsStatedErrorWhenLarge) {
  Random random(1);
  constexpr double kM = Window::kCells;
  for (const int things : {30, 60, 110, 200}) {
    double squares = 0;
    constexpr int kTrials = 2'000;
    for (int trial = 0; trial < kTrials; ++trial) {
      Window window;
      for (int i = 0; i < things; ++i) window.add(random.bits());
      const double error = window.count() - things;
      squares += error * error;
    }
    const double t = things / kM;
    const double stated = sqrt(kM * (exp(t) - t - 1));
    EXPECT_LT(sqrt(squares / kTrials), 1.25 * stated + .5) << things;
  }
}

TEST(DistinctWindow, NeverSaysMoreThanItsBound) {
  Random random(2);
  Window window;
  for (int i = 0; i < 100'000; ++i) window.add(random.bits());
  EXPECT_DOUBLE_EQ(window.count(), Window::kCells * log(2. * Window::kCells));
}

TEST(DistinctWindow, ForgetsWhenLargeToo) {
  Random random(3);
  Window window;
  for (int i = 0; i < 60; ++i) window.add(random.bits());
  window.advance(6);
  const double before = window.count();
  for (int i = 0; i < 30; ++i) window.add(random.bits());
  EXPECT_GT(window.count(), before);
  window.advance(7);
  EXPECT_NEAR(window.count(), 30, 8);
  EXPECT_EQ(window.count(6), 0);
  window.advance(6);
  EXPECT_EQ(window.count(), 0);
  EXPECT_EQ(window.add(mix64(1)), Window::Use::kNew);
  EXPECT_EQ(window.count(), 1) << "exact again";
}

RC_GTEST_PROP(DistinctWindow, SurvivesASnapshot, (std::uint64_t seed)) {
  Random random(seed);
  Window window;
  for (std::uint64_t i = random.below(200); i > 0; --i) {
    window.add(random.bits());
    if (random.chance(.1)) window.advance(random.below(4));
  }
  Writer out;
  window.save(out);
  Reader in(out.bytes());
  Window read;
  read.load(in);
  RC_ASSERT(in.at_end());

  for (int i = 0; i < 20; ++i) {
    const std::uint64_t thing = random.bits();
    RC_ASSERT(read.add(thing) == window.add(thing));
    read.advance(1);
    window.advance(1);
    RC_ASSERT(read.count() == window.count());
  }
}

RC_GTEST_PROP(DistinctWindow, LoadsAnyBytesOrRefusesThem, ()) {
  const auto bytes = *rc::gen::container<std::string>(sizeof(Window), rc::gen::arbitrary<char>());
  Reader in(bytes);
  Window window;
  window.load(in);
  window.add(1);
  window.advance(1);
  RC_ASSERT(window.count() >= 0);
}

}  // namespace
}  // namespace liminal::stats
