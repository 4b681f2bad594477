#include "core/detect/rings.hpp"

#include <gtest/gtest.h>

#include "core/detect/testing.hpp"

namespace liminal::detect {
namespace {

using testing::at;
using testing::bytes_of;

struct Street {
  void arrive(std::uint64_t address, std::uint64_t user) {
    shards[user % 2].note({.address = address, .user = user, .first = true});
  }
  void say(std::uint64_t address, std::uint64_t user, float log_bytes, std::uint32_t content) {
    shards[user % 2].note(
        {.address = address, .user = user, .log_bytes = log_bytes, .content = content});
  }
  void second(double t) {
    rings.learn(shards, at(t), options, population, found);
    for (Contribution& shard : shards) shard.clear();
  }

  Options options;
  Population population;
  Rings rings;
  std::vector<Contribution> shards = std::vector<Contribution>(2);
  std::vector<RingFinding> found;
};

TEST(Rings, FindManyNewUsersOfOneAddressThatBehaveAlike) {
  Street street;
  for (std::uint64_t user = 1; user <= 6; ++user) {
    street.arrive(99, user);
    for (int i = 0; i < 3; ++i) street.say(99, user, 4.F, 1234);
    street.second(20. * static_cast<double>(user));
  }
  ASSERT_EQ(street.found.size(), 1u) << "once within the cool-down";
  EXPECT_EQ(street.found[0].address, 99u);
  EXPECT_EQ(street.found[0].finding.type, traffic::FindingType::kAddressRing);
  ASSERT_EQ(street.rings.ringing().size(), 1u);
  street.second(5000);
  EXPECT_TRUE(street.rings.ringing().empty());
}

TEST(Rings, SayNothingOfAFamily) {
  Street street;
  Random random(5);
  for (std::uint64_t user = 1; user <= 3; ++user) {
    street.arrive(99, user);
    for (std::uint32_t i = 0; i < 4; ++i)
      street.say(99,
                 user,
                 3.6F + static_cast<float>(random.normal()),
                 static_cast<std::uint32_t>(random.bits() | 1));
    street.second(500. * static_cast<double>(user));
  }
  EXPECT_TRUE(street.found.empty());
}

TEST(Rings, TheRuleCountsNewUsersWhateverTheyDo) {
  Street street;
  street.options.statistics[static_cast<std::size_t>(traffic::Detector::kRing)].line_factor = 4;
  Random random(6);
  for (std::uint64_t user = 1; user <= 25; ++user) {
    street.arrive(99, user);
    street.say(99, user, 1 + 8 * static_cast<float>(random.uniform()), 0);
  }
  street.second(1);
  const auto rule = std::find_if(street.found.begin(), street.found.end(), [](const auto& ring) {
    return ring.finding.detector == traffic::Detector::kRule;
  });
  EXPECT_NE(rule, street.found.end());
}

TEST(Rings, ForgetTheLongestUnusedAddressAndCountIt) {
  Street street;
  street.options.ring.addresses_max = 64;
  for (std::uint64_t address = 1; address <= 100; ++address) {
    street.arrive(address, address);
    street.second(static_cast<double>(address));
  }
  EXPECT_EQ(street.rings.size(), 64u);
  EXPECT_EQ(street.rings.evicted(), 36u);
  EXPECT_LE(street.rings.memory_bytes(), 64u * 300u);
}

TEST(Rings, SaveAndLoad) {
  Street street;
  for (std::uint64_t user = 1; user <= 6; ++user) {
    street.arrive(user % 3 + 1, user);
    street.say(user % 3 + 1, user, 4.F, 1234);
  }
  street.second(10);
  const std::string saved = bytes_of(street.rings);
  Rings loaded;
  Reader in(saved);
  loaded.load(in);
  EXPECT_TRUE(in.at_end());
  EXPECT_EQ(bytes_of(loaded), saved);
  for (std::size_t length = 0; length < saved.size(); length += 5) {
    Reader cut(std::string_view(saved).substr(0, length));
    loaded.load(cut);
    EXPECT_FALSE(cut.ok());
    EXPECT_EQ(loaded.size(), 0u);
  }
}

}  // namespace
}  // namespace liminal::detect
