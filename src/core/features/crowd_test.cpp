#include "core/features/crowd.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/base/random.hpp"

namespace liminal::features {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using traffic::Event;
using traffic::EventKind;
using traffic::Name;

constexpr SteadyTime kStart{std::chrono::hours{24 * 20'000}};
constexpr CrowdOptions kOptions{.addresses_max = 100, .channels_max = 16};

/// A crowd with its users' features, as a shard has them.
struct Shard {
  Crowd crowd{kOptions};
  std::map<std::uint64_t, UserFeatures> users;

  void learn(const Event& event, SteadyTime now) {
    crowd.learn(event, now, users[event.user.hash].learn(event, now, false));
  }
};

struct Names {
  Names(const std::string& prefix, int count) {
    for (int i = 0; i < count; ++i) texts.push_back(prefix + std::to_string(i));
    for (const std::string& text : texts) names.emplace_back(text);
  }
  const Name& operator[](std::size_t i) const { return names[i]; }
  std::vector<std::string> texts;
  std::vector<Name> names;
};

RC_GTEST_PROP(Crowd, MergedOverShardsIsTheWholeCounted, (std::uint64_t seed)) {
  const Names users("user ", 40), addresses("10.0.0.", 8), channels("room ", 10);
  Random random(seed);
  std::vector<Shard> shards(4);
  std::map<std::size_t, SteadyTime> last_seen;
  std::map<std::size_t, std::map<std::size_t, SteadyTime>> users_of;
  std::map<std::size_t, std::vector<SteadyTime>> connects_of;
  SteadyTime now = kStart + from_seconds(random.uniform(0, 1e5));
  const SteadyTime begin = now;
  for (std::uint64_t i = random.below(500); i > 0; --i) {
    now += from_seconds(random.exponential() * (random.chance(.02) ? 600 : 2));
    const std::size_t user = random.below(40), address = random.below(8);
    const Name channel[] = {channels[random.below(10)]};
    Event event;
    event.user = users[user];
    event.address = addresses[address];
    event.channels = channel;
    event.kind = random.chance(.2) ? EventKind::kConnect : EventKind::kMessage;
    event.connection = i;
    shards[user % shards.size()].learn(event, now);
    last_seen[user] = now;
    users_of[address][user] = now;
    if (event.kind == EventKind::kConnect) connects_of[address].push_back(now);
  }

  CrowdSummary whole = shards[0].crowd.summary(now);
  for (std::size_t i = 1; i < shards.size(); ++i) whole.merge(shards[i].crowd.summary(now));

  const auto within = [&](const auto& times, Duration age) {
    double count = 0;
    for (const auto& [key, time] : times) count += now - time < age;
    return count;
  };
  RC_ASSERT(whole.active_users >= within(last_seen, minutes{5}));
  RC_ASSERT(whole.active_users <= within(last_seen, seconds{310}));
  for (const CrowdSummary::Address& address : whole.most_crowded(8)) {
    std::size_t index = 0;
    while (addresses[index].text != address.text) ++index;
    RC_ASSERT(address.users >= within(users_of[index], minutes{60}));
    RC_ASSERT(address.users <= within(users_of[index], minutes{65}));
    // What the oldest bucket holds counts by the share of it that is inside.
    const auto since = [&](Duration age) {
      double count = 0;
      for (const SteadyTime time : connects_of[index]) count += now - time < age;
      return count;
    };
    RC_ASSERT(address.connections_per_minute >= since(seconds{50}));
    RC_ASSERT(address.connections_per_minute <= since(seconds{70}));
  }
  RC_ASSERT(whole.address_entropy_bits() >= 0);
  RC_ASSERT(whole.address_entropy_bits() <= 3 + 1e-9);
  RC_ASSERT(begin <= now);
}

TEST(Crowd, EntropyIsThatOfTheAddresses) {
  Shard shard;
  const Names users("user ", 64), addresses("10.0.1.", 64);
  EXPECT_EQ(shard.crowd.summary(kStart).address_entropy_bits(), 0);
  for (std::size_t i = 0; i < 64; ++i) {
    Event event;
    event.user = users[i];
    event.address = addresses[0];
    shard.learn(event, kStart);
  }
  EXPECT_NEAR(shard.crowd.summary(kStart).address_entropy_bits(), 0, 1e-12);
  for (std::size_t round = 0; round < 50; ++round) {
    for (std::size_t i = 0; i < 64; ++i) {
      Event event;
      event.user = users[i];
      event.address = addresses[i];
      shard.learn(event, kStart + minutes{20});
    }
  }
  const double bits = shard.crowd.summary(kStart + minutes{20}).address_entropy_bits();
  EXPECT_LE(bits, 6 + 1e-9);
  EXPECT_GE(bits, 6 - .25);
}

TEST(Crowd, TheHottestChannelIsFoundAmongMany) {
  Shard shard;
  const Names users("user ", 10), channels("room ", 300);
  Random random(1);
  SteadyTime now = kStart;
  for (int i = 0; i < 6'000; ++i, now += std::chrono::milliseconds{100}) {
    const Name channel[] = {random.chance(.3) ? channels[7] : channels[random.below(300)]};
    Event event;
    event.user = users[random.below(10)];
    event.channels = channel;
    shard.learn(event, now);
  }
  const auto hottest = shard.crowd.summary(now).hottest(3);
  ASSERT_FALSE(hottest.empty());
  EXPECT_EQ(hottest[0].text, "room 7");
  EXPECT_GE(hottest[0].per_minute, 150);
  EXPECT_LE(hottest[0].per_minute - hottest[0].error_per_minute, 220);
}

TEST(Crowd, NewConnectionsAreCountedByAddress) {
  Shard one, other;
  const Names users("user ", 4), addresses("10.0.0.", 3);
  const auto connect = [&](Shard& shard, std::size_t user, std::size_t address, Duration after) {
    Event event;
    event.user = users[user];
    event.address = addresses[address];
    event.kind = EventKind::kConnect;
    shard.learn(event, kStart + after);
  };
  for (int i = 0; i < 30; ++i) connect(one, 0, 1, seconds{i});
  for (int i = 0; i < 12; ++i) connect(other, 1, 1, seconds{2 * i});
  connect(one, 2, 0, seconds{3});
  connect(other, 3, 0, seconds{4});
  Event silent;
  silent.user = users[0];
  silent.address = addresses[2];
  one.learn(silent, kStart + seconds{29});

  const SteadyTime now = kStart + seconds{29};
  CrowdSummary whole = one.crowd.summary(now);
  whole.merge(other.crowd.summary(now));
  EXPECT_EQ(whole.connections_per_minute, 44);
  EXPECT_EQ(whole.addresses.size(), 3u);
  const auto fastest = whole.most_connecting(3);
  ASSERT_EQ(fastest.size(), 2u) << "the third opened none";
  EXPECT_EQ(fastest[0].text, "10.0.0.1");
  EXPECT_EQ(fastest[0].connections_per_minute, 42);
  EXPECT_EQ(fastest[0].users, 2);
  EXPECT_EQ(fastest[1].connections_per_minute, 2);
  EXPECT_TRUE(one.crowd.summary(kStart + minutes{3}).most_connecting(3).empty());
  EXPECT_FALSE(one.crowd.summary(kStart + minutes{3}).most_crowded(3).empty());
}

TEST(Crowd, WhatTellsMoreOfAMessageIsNoEventMoreOfItsAddress) {
  Shard once, pieces;
  const Names users("user ", 1), addresses("10.0.1.", 2);
  for (std::size_t i = 0; i < 2; ++i) {
    Event event;
    event.user = users[0];
    event.address = addresses[i];
    once.learn(event, kStart);
    pieces.learn(event, kStart);
    event.kind = EventKind::kContinued;
    if (i == 0) pieces.learn(event, kStart);
  }
  EXPECT_EQ(pieces.crowd.summary(kStart).address_bins, once.crowd.summary(kStart).address_bins);
}

TEST(Crowd, AnAddressThatMakesRoomIsCounted) {
  Shard shard;
  const Names users("user ", 150), addresses("10.0.0.", 150);
  for (std::size_t i = 0; i < 150; ++i) {
    Event event;
    event.user = users[i];
    event.address = addresses[i];
    shard.learn(event, kStart);
  }
  EXPECT_EQ(shard.crowd.summary(kStart).address_evictions, 50u);
  EXPECT_EQ(shard.crowd.users_of(addresses[0], kStart), 0);
  EXPECT_EQ(shard.crowd.users_of(addresses[149], kStart), 1);
  EXPECT_EQ(shard.crowd.summary(kStart + minutes{70}).addresses.size(), 0u);
}

RC_GTEST_PROP(Crowd, GoesOnAfterASnapshot, (std::uint64_t seed)) {
  const Names users("user ", 20), addresses("10.0.0.", 150);
  Random random(seed);
  Shard shard;
  SteadyTime now = kStart;
  const auto step = [&] {
    Event event;
    event.user = users[random.below(20)];
    event.address = addresses[random.below(150)];
    if (random.chance(.3)) event.kind = EventKind::kConnect;
    shard.learn(event, now += seconds{1});
  };
  for (std::uint64_t i = random.below(200); i > 0; --i) step();
  Writer out;
  shard.crowd.save(out);
  Reader in(out.bytes());
  Crowd read(kOptions);
  RC_ASSERT(read.load(in).has_value());
  RC_ASSERT(in.at_end());
  Writer again;
  read.save(again);
  RC_ASSERT(again.bytes() == out.bytes());
  RC_ASSERT(read.summary(now).active_users == shard.crowd.summary(now).active_users);
}

TEST(Crowd, AnEarlierSnapshotKnowsUsersOfAddressesButNoConnections) {
  Shard shard;
  const Names users("user ", 1), addresses("10.0.0.", 1);
  Event event;
  event.user = users[0];
  event.address = addresses[0];
  event.kind = EventKind::kConnect;
  shard.learn(event, kStart);
  Writer out;
  shard.crowd.save(out);
  std::string bytes = out.take();
  // Of the one address: its bucket, where once was the epoch of its users, these, its connections.
  constexpr std::size_t kConnections = 7 * 2, kUsers = 1 + 22 * 2 + 11;
  bytes.resize(bytes.size() - kConnections);
  const auto epoch = static_cast<std::uint32_t>(kStart.time_since_epoch() / minutes{5});
  std::memcpy(bytes.data() + bytes.size() - kUsers - sizeof epoch, &epoch, sizeof epoch);

  Crowd read(kOptions);
  Reader in(bytes);
  ASSERT_TRUE(read.load(in, false));
  EXPECT_TRUE(in.at_end());
  EXPECT_EQ(read.users_of(addresses[0], kStart), 1);
  EXPECT_EQ(read.users_of(addresses[0], kStart + minutes{70}), 0);
  EXPECT_TRUE(read.summary(kStart).most_connecting(1).empty());
  Reader as_now(bytes);
  EXPECT_FALSE(Crowd(kOptions).load(as_now));
}

TEST(CrowdOptions, NameAllTheirProblems) {
  EXPECT_TRUE(validate(CrowdOptions{}).empty());
  const Problems found = validate({.addresses_max = 0, .channels_max = 5'000});
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[1].key, "channels_max");
}

}  // namespace
}  // namespace liminal::features
