#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include "core/base/random.hpp"
#include "core/engine/testing.hpp"

namespace liminal::engine {
namespace {

using namespace testing;

TEST(Engine, ReadsSnapshotsOfTheVersionBefore) {
  const auto settings = std::make_shared<const Settings>(Options{});
  Writer out;
  Shard(ShardId{3}, settings, SteadyTime{}).save(out);
  for (const auto& [version, known] : {std::pair{4, false}, {5, true}, {6, true}, {7, false}}) {
    std::string bytes(out.bytes());
    bytes[0] = static_cast<char>(version);
    Reader in(bytes);
    EXPECT_EQ(Shard(ShardId{3}, settings, SteadyTime{}).load(in).has_value(), known) << version;
  }
}

/// Written by a shard of version 5 after a connect and two messages, at 1000, 1001 and 1002 s.
TEST(Engine, GoesOnFromASnapshotThatTheVersionBeforeWrote) {
  std::ifstream file(LIMINAL_SOURCE "/src/core/engine/shard_version_5.bin", std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  ASSERT_FALSE(bytes.empty());
  const ShardId id = shard_of(Name("amy").hash);
  const auto settings = std::make_shared<const Settings>(Options{});
  Shard shard(id, settings, SteadyTime{});
  Reader in(bytes);
  ASSERT_TRUE(shard.load(in));
  EXPECT_TRUE(in.at_end());
  const auto amy = shard.view("amy");
  ASSERT_TRUE(amy);
  EXPECT_EQ(amy->address, "10.0.0.1");
  EXPECT_EQ(amy->last_seen, SteadyTime{std::chrono::seconds{1002}});
  EXPECT_EQ(amy->features[traffic::FeatureId::kOpenConnections], 1);
  EXPECT_EQ(amy->limit.connections, 1U);
  EXPECT_EQ(shard.crowd().most_crowded(1).at(0).text, "10.0.0.1");
  EXPECT_EQ(shard.crowd().most_crowded(1).at(0).users, 1);

  Writer saved;
  shard.save(saved);
  Shard again(id, settings, SteadyTime{});
  Reader as_now(saved.bytes());
  ASSERT_TRUE(again.load(as_now));
  EXPECT_EQ(again.state_hash(), shard.state_hash());
}

TEST(Engine, TheSameLogGivesTheSameBits) {
  Driver a, b;
  EXPECT_EQ(drive(a, mixed(6)), drive(b, mixed(6)));
  EXPECT_EQ(a.engine.state_hash(), b.engine.state_hash());
}

TEST(Engine, SavedAndLoadedHasTheSameFuture) {
  for (std::uint64_t seed = 0; seed < 25; ++seed) {
    Driver driver;
    drive(driver, mixed(seed));
    Writer saved;
    driver.engine.save(saved);
    Driver loaded;
    Reader in(saved.bytes());
    ASSERT_TRUE(loaded.engine.load(in).has_value()) << seed;
    EXPECT_TRUE(in.at_end()) << seed;
    EXPECT_EQ(loaded.engine.state_hash(), driver.engine.state_hash()) << seed;
    auto future = mixed(seed + 1000);
    for (Line& line : future) line.t += 900;
    EXPECT_TRUE(drive(driver, future) == drive(loaded, future)) << seed;
    EXPECT_EQ(loaded.engine.state_hash(), driver.engine.state_hash()) << seed;
  }
}

TEST(Engine, ASnapshotThatIsCutOrChangedIsRefusedAndLeavesAShardAsNew) {
  Driver driver;
  drive(driver, mixed(7));
  const Shard& shard = driver.engine.shard_of_user("user1");
  Writer saved;
  shard.save(saved);
  const auto settings = std::make_shared<const Settings>(Options{});
  Random random(8);
  for (int i = 0; i < 300; ++i) {
    Shard loaded(shard.id(), settings, {});
    const std::string cut = saved.bytes().substr(0, random.below(saved.bytes().size()));
    Reader in(cut);
    EXPECT_FALSE(loaded.load(in).has_value());
    EXPECT_EQ(loaded.users(), 0u);
  }
  for (int i = 0; i < 300; ++i) {  // whatever a changed byte makes of it, it does not crash
    Shard loaded(shard.id(), settings, {});
    std::string changed = saved.bytes();
    changed[random.below(changed.size())] = static_cast<char>(random.below(256));
    Reader in(changed);
    (void)loaded.load(in);
  }
}

}  // namespace
}  // namespace liminal::engine
