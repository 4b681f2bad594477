#include "core/engine/local_engine.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "core/engine/testing.hpp"

namespace liminal::engine {
namespace {

using namespace testing;

TEST(LocalEngine, SeveralThatShareTheShardsAreInTheStatesOfOne) {
  constexpr std::size_t kMembers = 3;
  Driver whole;
  std::vector<LocalEngine> members;
  for (std::size_t i = 0; i < kMembers; ++i) members.emplace_back(Options{});
  Commons commons(Options{}.detect.profile);
  Effects effects;
  Exchange exchange;
  SteadyTime now{};

  const auto second = [&](SteadyTime next) {
    now = next;
    Second told;
    for (std::size_t i = 0; i < kMembers; ++i) {
      const Second& member = members[i].begin_second(now, effects);
      for (std::size_t shard = i; shard < kShards; shard += kMembers) {
        Writer out;
        member.save(ShardId{static_cast<std::uint8_t>(shard)}, out);
        Reader in(out.bytes());
        told.load(ShardId{static_cast<std::uint8_t>(shard)}, in);
        ASSERT_TRUE(in.at_end());
      }
    }
    commons.advance(told, now, Options{}.detect, exchange);
    for (LocalEngine& member : members) member.end_second(exchange, effects);
  };
  for (const Line& line : mixed(21)) {
    const Name channel(line.channel);
    const Event event = event_of(line, channel);
    const SteadyTime time{event.time.time_since_epoch()};
    whole.feed(line);
    if (now == SteadyTime{}) second(time);
    while (now + std::chrono::seconds{1} <= time) second(now + std::chrono::seconds{1});
    members[index(shard_of(event.user.hash)) % kMembers]
        .shard(shard_of(event.user.hash))
        .step(event, effects);
    effects.clear();
  }
  EXPECT_EQ(commons.state_hash(), whole.engine.commons().state_hash());
  for (std::size_t i = 0; i < kShards; ++i) {
    const ShardId shard{static_cast<std::uint8_t>(i)};
    EXPECT_EQ(members[i % kMembers].shard(shard).state_hash(),
              whole.engine.shard(shard).state_hash());
  }
}

TEST(LocalEngine, TakesOtherSettingsForWhatComesNext) {
  LocalEngine engine{Options{}};
  Effects effects;
  traffic::Event event;
  event.user = traffic::Name("ann");
  event.bytes = 100;
  event.time = EventTime{std::chrono::seconds{1'700'000'000}};
  engine.feed(event, effects);
  EXPECT_EQ(effects.verdict.shadow, traffic::Decision::kAllow);
  Options options;
  options.limits.message_bytes.max = 50;
  engine.set_settings(std::make_shared<const Settings>(options));
  engine.feed(event, effects);
  EXPECT_EQ(effects.verdict.reason, traffic::Reason::kMessageSize);
  EXPECT_EQ(engine.settings()->options.limits.message_bytes.max, 50u);
}

}  // namespace
}  // namespace liminal::engine
