#include "core/detect/common_contents.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/random.hpp"
#include "core/detect/testing.hpp"

namespace liminal::detect {
namespace {

// Marks of long contents.
constexpr std::uint16_t kAdvert = 5, kOther = 9;
constexpr std::uint16_t kPing = 7;  // of a short one

/// A population of which so many are active and so many of these repeat a content, told anew every
/// two minutes, for ten of them.
struct Crowd {
  Population population;
  SteadyTime now{std::chrono::hours{1}};

  void pass(int active, std::uint32_t repeating, std::uint16_t content = kAdvert) {
    for (int second = 0; second < 600; ++second, now += std::chrono::seconds{1}) {
      std::vector<Contribution> told(1);
      if (second % 120 == 0) {
        told[0].active = active;
        told[0].messages = active;
        if (repeating > 0) told[0].repeated = {{content, repeating}};
      }
      population.learn(told, now, {});
    }
  }
  [[nodiscard]] bool common(std::uint16_t content = kAdvert) const {
    return population.common_contents().holds(content);
  }
};

TEST(CommonContents, WhatATenthOfManyRepeatsIsCommon) {
  Crowd crowd;
  crowd.pass(1000, 90);
  EXPECT_FALSE(crowd.common());
  crowd.pass(1000, 120);
  EXPECT_TRUE(crowd.common());
  EXPECT_FALSE(crowd.common(kOther));
}

TEST(CommonContents, OfFewItTakesHalfAndNeverOneAlone) {
  Crowd crowd;
  crowd.pass(1, 1);
  EXPECT_FALSE(crowd.common());
  crowd.pass(6, 2);
  EXPECT_FALSE(crowd.common());
  crowd.pass(6, 4);
  EXPECT_TRUE(crowd.common());
  Crowd two;
  two.pass(2, 2);
  EXPECT_TRUE(two.common());
}

TEST(CommonContents, OfShortOnesItTakesATwentiethAndTwo) {
  Crowd crowd;
  crowd.pass(20, 1, kPing);
  EXPECT_FALSE(crowd.common(kPing));
  crowd.pass(20, 2, kPing);
  EXPECT_TRUE(crowd.common(kPing));
  Crowd many;
  many.pass(1000, 40, kPing);
  EXPECT_FALSE(many.common(kPing));
  many.pass(1000, 60, kPing);
  EXPECT_TRUE(many.common(kPing));
}

TEST(CommonContents, AMarkSaysWhetherTheContentIsShort) {
  EXPECT_EQ(content_mark(1, 10), content_mark(1, 64));
  EXPECT_NE(content_mark(1, 64), content_mark(1, 65));
  EXPECT_NE(content_mark(1, 10), content_mark(2, 10));
  EXPECT_NE(content_mark(0, 0), 0);
}

TEST(CommonContents, CeasesToBeOnceHardlyAnybodyRepeatsItButNotOverNight) {
  Crowd crowd;
  crowd.pass(100, 50);
  for (int hours = 0; hours < 8 * 6; ++hours) crowd.pass(0, 0);
  EXPECT_TRUE(crowd.common());
  crowd.pass(1, 1);
  EXPECT_TRUE(crowd.common()) << "the first in the morning";
  crowd.pass(100, 7);
  EXPECT_TRUE(crowd.common());
  crowd.pass(100, 3);
  EXPECT_FALSE(crowd.common());
}

TEST(CommonContents, ManyContentsDoNotDriveOutWhatManyRepeat) {
  CommonContents contents;
  for (int second = 0; second < 1200; ++second) {
    contents.decay(.992);
    contents.count({kPing, 3});
    for (std::uint16_t other = 0; other < 100; ++other)
      contents.count({static_cast<std::uint16_t>(1000 + 100 * (second % 600) + other), 1});
    contents.settle(1000);
  }
  EXPECT_TRUE(contents.holds(kPing));
  EXPECT_EQ(contents.size(), 1U);
}

RC_GTEST_PROP(CommonContents, SavedAndLoadedGoesOnTheSame, ()) {
  CommonContents contents;
  for (const auto& [content, users] :
       *rc::gen::arbitrary<std::vector<std::pair<std::uint8_t, std::uint8_t>>>())
    contents.count({static_cast<std::uint16_t>(content + 1), users});
  contents.settle(*rc::gen::inRange(0, 100));
  Writer out;
  contents.save(out);
  CommonContents again;
  Reader in(out.bytes());
  again.load(in);
  RC_ASSERT(in.ok());
  for (std::uint16_t content = 1; content <= 256; ++content)
    RC_ASSERT(again.holds(content) == contents.holds(content));
  Writer once_more;
  again.save(once_more);
  RC_ASSERT(once_more.bytes() == out.bytes());
}

/// Users who talk, and whose clients say something every 25 s.
class Service {
 public:
  explicit Service(std::size_t users) : users_(users) {}

  /// An hour; what is found about somebody is kept. `spammer`: repeats himself about every 20 s.
  void pass_an_hour(std::optional<std::size_t> spammer = {}) {
    for (int second = 0; second < 3600; ++second, t_ += 1) {
      for (std::size_t user = 0; user < users_.size(); ++user) {
        if (static_cast<std::size_t>(second) % 25 == user % 25) say(user, 16, kBeat);
        if (random_.chance(1 / 60.))
          say(user, 20 + static_cast<std::uint32_t>(random_.below(150)), random_.bits());
        if (user == spammer && random_.chance(1 / 20.)) say(user, 80, kSpam);
      }
      population_.learn({&told_, 1}, testing::at(t_), options_.warm_up);
      told_.clear();
    }
  }
  [[nodiscard]] std::size_t accused(traffic::FindingType type) const {
    const auto found = accused_.find(type);
    return found == accused_.end() ? 0 : found->second.size();
  }

 private:
  static constexpr std::uint64_t kBeat = 1234, kSpam = 5678;

  void say(std::size_t user, std::uint32_t bytes, std::uint64_t content) {
    const std::string name = "user" + std::to_string(user);
    const std::string address = "10.0.0." + std::to_string(user);
    traffic::Event event;
    event.user = traffic::Name{name};
    event.address = traffic::Name{address};
    event.bytes = bytes;
    event.content_hash = content;
    Findings found;
    users_[user].step(event, testing::at(t_), options_, population_, told_, found);
    for (const traffic::Finding& each : found) accused_[each.type].insert(user);
  }

  Options options_;
  Population population_{options_.profile};
  Contribution told_;
  std::vector<UserStatistics> users_;
  std::map<traffic::FindingType, std::set<std::size_t>> accused_;
  Random random_{1};
  double t_ = 0;
};

TEST(CommonContents, WhatEverybodysClientSaysAccusesNobody) {
  for (const std::size_t users : {2U, 12U, 60U}) {
    Service service(users);
    service.pass_an_hour();
    service.pass_an_hour();
    EXPECT_EQ(service.accused(traffic::FindingType::kContentSpam), 0U) << users;
    EXPECT_EQ(service.accused(traffic::FindingType::kAutomatedClient), 0U) << users;
    EXPECT_EQ(service.accused(traffic::FindingType::kAccountTakeover), 0U) << users;
  }
}

TEST(CommonContents, WhoRepeatsHimselfAmongThemIsFound) {
  Service service(12);
  service.pass_an_hour(5);
  EXPECT_EQ(service.accused(traffic::FindingType::kContentSpam), 1U);
}

/// Somebody who says the same short thing every 20 s, alone; what is found.
bool is_spam(bool in_channel) {
  testing::Scene scene;
  for (int i = 0; i < 40; ++i) {
    traffic::Event event = scene.message({.t = 20. * i, .bytes = 30, .content = 99});
    if (!in_channel) event.channels = {};
    scene.apply(event, 20. * i);
  }
  return scene.found(traffic::FindingType::kContentSpam);
}

TEST(CommonContents, WhatATimerSaysToNobodyAccusesNobodyAlone) {
  EXPECT_FALSE(is_spam(false));
  EXPECT_TRUE(is_spam(true)) << "what is said in a channel is said to people";
}

TEST(CommonContents, WhatIsNamedAsASignalAccusesNobodyAlone) {
  testing::Scene scene;
  double t = 0;
  for (int i = 0; i < 200; ++i) {
    scene.send({.t = t += 25, .bytes = 16, .content = traffic::kSignalContent});
    if (scene.random.chance(.4)) scene.send({.t = t + scene.random.uniform(1, 24)});
  }
  EXPECT_FALSE(scene.found(traffic::FindingType::kContentSpam));
  EXPECT_FALSE(scene.found(traffic::FindingType::kAutomatedClient));
}

}  // namespace
}  // namespace liminal::detect
