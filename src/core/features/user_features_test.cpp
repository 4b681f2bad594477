#include "core/features/user_features.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/random.hpp"

namespace liminal::features {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using traffic::Event;
using traffic::EventKind;
using traffic::FeatureId;
using traffic::Name;

constexpr SteadyTime kStart{hours{24 * 20'000}};

Event message(std::uint32_t bytes = 40) {
  Event event;
  event.user = Name("anna");
  event.bytes = bytes;
  return event;
}

Event connection(EventKind kind, std::uint64_t id) {
  Event event;
  event.user = Name("anna");
  event.kind = kind;
  event.connection = id;
  return event;
}

/// What happened, kept whole, and features computed from it by their definitions.
class History {
 public:
  struct Entry {
    SteadyTime time;
    EventKind kind;
    bool error, violation, repeated, hashed, reconnect;
    std::uint32_t bytes;
    unsigned new_channels;
  };

  void learn(const Event& event, SteadyTime now, bool violation) {
    Entry entry{.time = now,
                .kind = event.kind,
                .error = event.error,
                .violation = violation || event.kind == EventKind::kRateLimited,
                .repeated = false,
                .hashed = false,
                .reconnect = false,
                .bytes = event.bytes,
                .new_channels = 0};
    for (const Name& channel : event.channels) {
      const auto known = channels_.find(channel.hash);
      if (known == channels_.end() || epoch(now) - epoch(known->second) > 12) ++entry.new_channels;
      channels_[channel.hash] = now;
    }
    if (!event.address.empty()) addresses_[event.address.hash] = now;
    if (event.kind == EventKind::kMessage) learn_content(event, now, entry);
    if (event.kind == EventKind::kMessage) learn_gap(now);
    // A repeated report of a connection is none.
    if (event.kind == EventKind::kConnect && open_.emplace(event.connection, now).second)
      entry.reconnect = connects_++ > 0;
    if (event.kind == EventKind::kDisconnect) open_.erase(event.connection);
    entries_.push_back(entry);
  }

  /// The sum over the window and what the oldest bucket makes of it.
  struct Bounds {
    double exact = 0, oldest = 0;
    [[nodiscard]] bool hold(double value) const {
      return value >= exact - oldest - 1e-3 && value <= exact + oldest + 1e-3 + 1e-6 * exact;
    }
  };
  template <class Amount>
  [[nodiscard]] Bounds window(SteadyTime now,
                              Duration bucket,
                              std::int64_t whole,
                              Amount amount) const {
    Bounds bounds;
    for (const Entry& entry : entries_) {
      const auto amount_of = static_cast<double>(amount(entry));
      if (now - entry.time < bucket * whole) bounds.exact += amount_of;
      if (now.time_since_epoch() / bucket - entry.time.time_since_epoch() / bucket == whole)
        bounds.oldest += amount_of;
    }
    return bounds;
  }

  /// Of the messages within the window and its oldest bucket.
  struct Sizes {
    double count = 0, sum = 0, squares = 0, least = 0, most = 0;
    [[nodiscard]] double mean() const { return sum / count; }
    [[nodiscard]] double spread() const {
      return std::sqrt(std::max(0., squares / count - mean() * mean()));
    }
  };
  [[nodiscard]] Sizes sizes(SteadyTime now) const {
    Sizes sizes;
    for (const Entry& entry : entries_) {
      const std::int64_t age =
          now.time_since_epoch() / seconds{10} - entry.time.time_since_epoch() / seconds{10};
      if (entry.kind != EventKind::kMessage || age > 6) continue;
      const double size = entry.bytes;
      sizes.least = sizes.count == 0 ? size : std::min(sizes.least, size);
      sizes.most = std::max(sizes.most, size);
      ++sizes.count;
      sizes.sum += size;
      sizes.squares += size * size;
    }
    return sizes;
  }

  [[nodiscard]] const std::map<std::uint64_t, SteadyTime>& open() const { return open_; }

  /// Of all gaps since the last 60 to 70 min without a message, each weighing 31/32 of the next,
  /// and until there are 32 of them alike.
  [[nodiscard]] double burstiness() const {
    if (gaps_s_.size() < 4) return 0;
    std::vector<double> weights;
    for (std::size_t i = 1; i <= gaps_s_.size(); ++i) {
      const double newest = 1. / static_cast<double>(std::min<std::size_t>(i, 32));
      for (double& weight : weights) weight *= 1 - newest;
      weights.push_back(newest);
    }
    double mean = 0, variance = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) mean += weights[i] * gaps_s_[i];
    for (std::size_t i = 0; i < weights.size(); ++i)
      variance += weights[i] * (gaps_s_[i] - mean) * (gaps_s_[i] - mean);
    const double deviation = std::sqrt(variance);
    return deviation + mean > 0 ? (deviation - mean) / (deviation + mean) : 0;
  }

  /// Used within the last hour, and within the last 65 minutes.
  [[nodiscard]] std::pair<double, double> channels(SteadyTime now) const {
    return distinct(channels_, now);
  }
  [[nodiscard]] std::pair<double, double> addresses(SteadyTime now) const {
    return distinct(addresses_, now);
  }

 private:
  static std::int64_t epoch(SteadyTime time) { return time.time_since_epoch() / minutes{5}; }

  static std::pair<double, double> distinct(const std::map<std::uint64_t, SteadyTime>& last_use,
                                            SteadyTime now) {
    double hour = 0, more = 0;
    for (const auto& [thing, used] : last_use) {
      hour += now - used < hours{1};
      more += now - used < minutes{65};
    }
    return {hour, more};
  }

  void learn_gap(SteadyTime now) {
    const auto ten_minutes = [](SteadyTime time) { return time.time_since_epoch() / minutes{10}; };
    if (!gap_since_ || ten_minutes(now) - ten_minutes(*gap_since_) > 6)
      gaps_s_.clear();
    else
      gaps_s_.push_back(std::chrono::duration<double>(now - *gap_since_).count());
    gap_since_ = now;
  }

  void learn_content(const Event& event, SteadyTime now, Entry& entry) {
    if (now - last_message_ > minutes{10}) contents_.clear();
    last_message_ = now;
    if (!event.content_hash) return;
    const auto same = std::find(contents_.begin(), contents_.end(), *event.content_hash);
    entry.hashed = true;
    entry.repeated = same != contents_.end();
    if (entry.repeated) contents_.erase(same);
    contents_.insert(contents_.begin(), *event.content_hash);
    if (contents_.size() > 8) contents_.pop_back();
  }

  std::vector<Entry> entries_;
  std::map<std::uint64_t, SteadyTime> channels_, addresses_, open_;
  std::vector<double> gaps_s_;
  std::optional<SteadyTime> gap_since_;
  std::vector<std::uint64_t> contents_;
  SteadyTime last_message_ = kStart;
  int connects_ = 0;
};

/// Fingerprints of these differ (the exactness of small sets is only up to them).
const std::vector<Name>& names() {
  static const std::vector<std::string> texts = [] {
    std::vector<std::string> made;
    for (int i = 0; i < 20; ++i) made.push_back("channel-" + std::to_string(i));
    return made;
  }();
  static const std::vector<Name> all(texts.begin(), texts.end());
  return all;
}

Duration pause(Random& random) {
  if (random.chance(.3)) return Duration{0};
  if (random.chance(.02)) return from_seconds(random.uniform(0, 6 * 3600));
  return from_seconds(random.exponential() * (random.chance(.1) ? 60 : 1));
}

/// One event of any kind, with everything that may be in it.
struct RandomEvent {
  explicit RandomEvent(Random& random, std::uint64_t number) {
    event = message(static_cast<std::uint32_t>(random.below(2'000)));
    constexpr EventKind kKinds[] = {EventKind::kMessage,
                                    EventKind::kMessage,
                                    EventKind::kMessage,
                                    EventKind::kConnect,
                                    EventKind::kDisconnect,
                                    EventKind::kSubscribe,
                                    EventKind::kRateLimited};
    event.kind = kKinds[random.below(std::size(kKinds))];
    event.error = random.chance(.2);
    event.connection = number;
    if (random.chance(.7)) event.content_hash = random.below(12);
    if (random.chance(.8)) event.address = names()[random.below(6)];
    for (std::uint64_t i = random.below(3); i > 0; --i)
      channels.push_back(names()[random.below(names().size())]);
    event.channels = channels;
  }
  RandomEvent(const RandomEvent&) = delete;
  RandomEvent& operator=(const RandomEvent&) = delete;

  std::vector<Name> channels;
  Event event;
};

RC_GTEST_PROP(UserFeatures, AreWithinTheirStatedErrorOfTheDefinition, (std::uint64_t seed)) {
  Random random(seed);
  UserFeatures user;
  History history;
  SteadyTime now = kStart + from_seconds(random.uniform(0, 1e6));
  for (std::uint64_t i = 1 + random.below(300); i > 0; --i) {
    now += pause(random);
    const RandomEvent made(random, 1 + random.below(3));  // as many as are told apart
    const bool violation = random.chance(.1);
    user.learn(made.event, now, violation);
    history.learn(made.event, now, violation);
  }
  if (random.chance(.5)) now += pause(random);

  using Entry = History::Entry;
  const traffic::Features features = user.read(now);
  const auto sixty = [&](auto amount) { return history.window(now, seconds{10}, 6, amount); };
  const auto is_message = [](const Entry& e) { return e.kind == EventKind::kMessage; };
  const auto messages = sixty(is_message);
  RC_ASSERT(messages.hold(features[FeatureId::kMessagesPerMinute]));
  RC_ASSERT(sixty([&](const Entry& e) {
              return is_message(e) ? e.bytes : 0;
            }).hold(features[FeatureId::kBytesPerMinute]));
  RC_ASSERT(sixty([](const Entry& e) {
              return e.violation;
            }).hold(features[FeatureId::kRateLimitViolations]));
  RC_ASSERT(sixty([](const Entry& e) {
              return e.reconnect;
            }).hold(features[FeatureId::kReconnectsPerMinute]));
  RC_ASSERT(sixty([](const Entry& e) {
              return e.new_channels;
            }).hold(features[FeatureId::kNewChannelsPerMinute]));
  const auto five = history.window(now, minutes{1}, 5, is_message);
  RC_ASSERT(five.hold(features[FeatureId::kMessagesPerMinute5m] * 5));
  const auto hour = history.window(now, minutes{10}, 6, is_message);
  RC_ASSERT(hour.hold(features[FeatureId::kMessagesPerMinute1h] * 60));

  // Shares are exact when nothing is in the oldest bucket.
  if (messages.oldest == 0 && messages.exact > 0) {
    const auto errors = sixty([&](const Entry& e) { return is_message(e) && e.error; });
    RC_ASSERT(std::abs(features[FeatureId::kErrorRate] - errors.exact / messages.exact) < 1e-6);
    const auto hashed = sixty([](const Entry& e) { return e.hashed; });
    const auto repeated = sixty([](const Entry& e) { return e.repeated; });
    if (hashed.exact > 0)
      RC_ASSERT(std::abs(features[FeatureId::kSameContentRatio] - repeated.exact / hashed.exact) <
                1e-6);
  }
  const History::Sizes sizes = history.sizes(now);
  const double mean = features[FeatureId::kAvgMessageSize];
  const double spread = features[FeatureId::kMessageSizeSpread];
  if (messages.oldest == 0 && messages.exact > 0) {
    RC_ASSERT(std::abs(mean - sizes.mean()) < .01);
    RC_ASSERT(std::abs(spread - sizes.spread()) < .01);
  } else {  // of the same messages, weighted: none deviate more than half at either end
    RC_ASSERT(features[FeatureId::kMessagesPerMinute] == 0 ||
              (mean >= sizes.least - .01 && mean <= sizes.most + .01));
    RC_ASSERT(spread <= (sizes.most - sizes.least) / 2 + .01);
  }
  RC_ASSERT(features[FeatureId::kOpenConnections] == history.open().size());
  Duration longest{0};
  for (const auto& [id, since] : history.open()) longest = std::max(longest, now - since);
  RC_ASSERT(std::abs(features[FeatureId::kConnectionDuration] -
                     std::chrono::duration<double>(longest).count()) < .15);
  RC_ASSERT(std::abs(features[FeatureId::kBurstiness] - history.burstiness()) < 2e-3);
  const auto channels = history.channels(now);
  RC_ASSERT(features[FeatureId::kChannelsCount] >= channels.first);
  RC_ASSERT(features[FeatureId::kChannelsCount] <= channels.second);
  const auto addresses = history.addresses(now);
  RC_ASSERT(features[FeatureId::kDistinctAddresses] >= addresses.first);
  RC_ASSERT(features[FeatureId::kDistinctAddresses] <= addresses.second);
}

/// Days at which each hour was visited, decayed as stats/hour_profile.hpp says; the profile may be
/// one below.
RC_GTEST_PROP(UserFeatures, HoursAreAsUnusualAsTheVisitsMakeThem, (std::uint64_t seed)) {
  Random random(seed);
  UserFeatures user;
  std::set<std::int64_t> visited;  // hours since the epoch
  SteadyTime now = kStart;
  const std::uint64_t habits = 1 + random.below(6);
  for (std::uint64_t i = 1 + random.below(120); i > 0; --i) {
    now += hours{random.chance(.1) ? 24 * random.below(20) : 0};
    now += hours{random.chance(.8) ? 24 - habits + random.below(2 * habits) : random.below(24)};
    user.learn(message(), now, false);
    visited.insert(now.time_since_epoch() / hours{1});
  }
  const std::int64_t last = *visited.rbegin();
  visited.erase(last);  // is not over
  std::array<double, 24> most{};
  for (const std::int64_t hour : visited)
    most[static_cast<std::size_t>(hour % 24)] +=
        std::pow(15. / 16, static_cast<double>(last / 24 - hour / 24));
  const auto least = [&most](std::size_t hour) { return std::max(0., most[hour % 24] - 1); };
  double top_least = 0, top_most = 0;
  for (std::size_t hour = 0; hour < 24; ++hour) {
    top_least = std::max(top_least, least(hour));
    top_most = std::max(top_most, most[hour]);
  }
  now += hours{random.below(24)};
  const auto here = static_cast<std::size_t>(now.time_since_epoch() / hours{1} % 24);
  const double usual_most =
      std::max({2 * most[here], most[(here + 1) % 24], most[(here + 23) % 24]});
  const double usual_least = std::max({2 * least(here), least(here + 1), least(here + 23)});
  const double unusual = user.read(FeatureId::kUnusualHoursRatio, now);
  if (top_most < 2.5) RC_ASSERT(unusual == 0);
  RC_ASSERT(unusual <= std::max(0., 1 - usual_least / std::max(top_most, 1.)) + 1e-6);
  if (top_least >= 2.5) RC_ASSERT(unusual >= 1 - usual_most / top_least - 1e-6);
}

RC_GTEST_PROP(UserFeatures, StayWithinTheirSchema, (std::uint64_t seed)) {
  Random random(seed);
  UserFeatures user;
  SteadyTime now = kStart;
  for (std::uint64_t i = random.below(300); i > 0; --i) {
    now += random.chance(.05) ? -pause(random) : pause(random);  // an engine's mistake is survived
    user.learn(RandomEvent(random, random.below(5)).event, now, random.chance(.5));
    const traffic::Features features = user.read(now);
    for (const traffic::FeatureInfo& feature : traffic::feature_schema()) {
      RC_ASSERT(features[feature.id] >= feature.low);
      RC_ASSERT(features[feature.id] <= feature.high);
      RC_ASSERT(features[feature.id] == user.read(feature.id, now));
    }
  }
}

RC_GTEST_PROP(UserFeatures, ReadingLaterOrAfterASnapshotChangesNothing, (std::uint64_t seed)) {
  Random random(seed);
  UserFeatures user;
  SteadyTime now = kStart;
  for (std::uint64_t i = random.below(400); i > 0; --i)
    user.learn(RandomEvent(random, random.below(9)).event, now += pause(random), false);
  Writer out;
  user.save(out);
  Reader in(out.bytes());
  Result<UserFeatures> read = UserFeatures::load(in);
  RC_ASSERT(read.has_value());
  RC_ASSERT(in.at_end());

  for (int i = 0; i < 20; ++i) {
    now += pause(random);
    RC_ASSERT(read->read(now) == user.read(now));
    const RandomEvent made(random, random.below(9));
    user.learn(made.event, now, false);
    read->learn(made.event, now, false);
  }
  Writer again, other;
  user.save(again);
  read->save(other);
  RC_ASSERT(again.bytes() == other.bytes());
}

RC_GTEST_PROP(UserFeatures, LoadAnyBytesOrRefuseThem, ()) {
  Writer out;
  UserFeatures{}.save(out);
  std::string bytes = out.take();
  for (int i = *rc::gen::inRange(0, 20); i > 0; --i)
    bytes[*rc::gen::inRange<std::size_t>(0, bytes.size())] = *rc::gen::arbitrary<char>();
  Reader in(bytes);
  Result<UserFeatures> user = UserFeatures::load(in);
  if (!user) return;
  user->learn(message(), kStart, false);
  for (const float value : user->read(kStart).values) RC_ASSERT(std::isfinite(value));
}

TEST(UserFeatures, CountAFloodAtOnce) {
  UserFeatures user;
  for (int i = 1; i <= 150; ++i) {
    user.learn(message(), kStart + milliseconds{i}, false);
    EXPECT_EQ(user.read(FeatureId::kMessagesPerMinute, kStart + milliseconds{i}), i);
  }
  EXPECT_EQ(user.read(FeatureId::kAvgMessageSize, kStart + seconds{1}), 40);
  EXPECT_EQ(user.read(FeatureId::kMessageSizeSpread, kStart + seconds{1}), 0);
  EXPECT_EQ(user.read(FeatureId::kMessagesPerMinute, kStart + seconds{71}), 0);
}

TEST(UserFeatures, SpreadIsTheDeviationOfTheSizesEvenWhenTheyAreLarge) {
  UserFeatures user;
  SteadyTime now = kStart;
  for (int i = 0; i < 40; ++i)
    user.learn(message(i % 2 == 0 ? 1'000'000 : 1'000'010), now += seconds{1}, false);
  EXPECT_NEAR(user.read(FeatureId::kMessageSizeSpread, now), 5, 1e-3);
  EXPECT_NEAR(user.read(FeatureId::kAvgMessageSize, now), 1'000'005, .1);
}

TEST(UserFeatures, SizesStayRightWhenABucketIsFull) {
  UserFeatures user;
  for (int i = 0; i < 100'000; ++i) user.learn(message(i < 65'535 ? 10 : 1'000), kStart, false);
  EXPECT_EQ(user.read(FeatureId::kMessagesPerMinute, kStart), 65'535);
  EXPECT_EQ(user.read(FeatureId::kAvgMessageSize, kStart), 10);
}

TEST(UserFeatures, AMessageThatWasCountedBeforeItWasWholeIsOneOfItsWholeSize) {
  UserFeatures pieces, wholes;
  for (const std::uint32_t bytes : {200U, 40'100U, 7'000U, 40'100U}) {
    wholes.learn(message(bytes), kStart, false);
    pieces.learn(message(bytes / 3), kStart, false);
    Event rest = message(bytes);
    rest.kind = EventKind::kContinued;
    rest.counted = bytes / 3;
    pieces.learn(rest, kStart, false);
  }
  const traffic::Features of_pieces = pieces.read(kStart), of_wholes = wholes.read(kStart);
  for (std::size_t i = 0; i < traffic::kFeatureCount; ++i)
    EXPECT_NEAR(of_pieces.values[i], of_wholes.values[i], 1e-5 * of_wholes.values[i]) << i;
  EXPECT_EQ(of_pieces[FeatureId::kMessagesPerMinute], 4);

  UserFeatures later;  // its end comes when its beginning is in another bucket
  later.learn(message(100), kStart, false);
  Event rest = message(1000);
  rest.kind = EventKind::kContinued;
  rest.counted = 100;
  later.learn(rest, kStart + seconds{20}, false);
  EXPECT_EQ(later.read(kStart + seconds{20})[FeatureId::kAvgMessageSize], 1000);
}

TEST(UserFeatures, AFailedMessageIsAMessageAndAnErrorAndARefusedOneOnlyAViolation) {
  UserFeatures user;
  Event failed = message();
  failed.error = true;
  user.learn(failed, kStart, false);
  Event refused = message();
  refused.kind = EventKind::kRateLimited;
  user.learn(refused, kStart, false);
  user.learn(message(), kStart, true);

  EXPECT_EQ(user.read(FeatureId::kMessagesPerMinute, kStart), 2);
  EXPECT_EQ(user.read(FeatureId::kErrorRate, kStart), .5F);
  EXPECT_EQ(user.read(FeatureId::kRateLimitViolations, kStart), 2);
}

TEST(UserFeatures, AViolationCountsOnceEvenIfTwoSaySo) {
  UserFeatures user;
  Event refused = message();
  refused.kind = EventKind::kRateLimited;
  user.learn(refused, kStart, true);
  EXPECT_EQ(user.read(FeatureId::kRateLimitViolations, kStart), 1);
}

TEST(UserFeatures, NoHashIsNoEvidenceOfRepetition) {
  UserFeatures user;
  for (int i = 0; i < 10; ++i) user.learn(message(), kStart, false);
  EXPECT_EQ(user.read(FeatureId::kSameContentRatio, kStart), 0);
  for (std::uint64_t i = 0; i < 10; ++i) {
    Event spam = message();
    spam.content_hash = i % 2;
    user.learn(spam, kStart, false);
  }
  EXPECT_FLOAT_EQ(user.read(FeatureId::kSameContentRatio, kStart), .8F);
}

TEST(UserFeatures, TheFirstConnectionIsNoReconnect) {
  UserFeatures user;
  for (std::uint64_t id = 1; id <= 5; ++id) {
    user.learn(connection(EventKind::kConnect, id), kStart, false);
    user.learn(connection(EventKind::kDisconnect, id), kStart, false);
  }
  EXPECT_EQ(user.read(FeatureId::kReconnectsPerMinute, kStart), 4);
  EXPECT_EQ(user.read(FeatureId::kOpenConnections, kStart), 0);
}

TEST(UserFeatures, WhatWasNotServedIsNoReconnect) {
  UserFeatures user;
  user.learn(connection(EventKind::kConnect, 1), kStart, false);
  user.learn(connection(EventKind::kDisconnect, 1), kStart, false);
  user.learn(connection(EventKind::kConnect, 2), kStart + seconds{1}, false);
  for (std::uint64_t id = 3; id < 20; ++id) {
    const SteadyTime then = kStart + seconds{id};
    user.learn(connection(EventKind::kConnect, id), then, false);
    EXPECT_EQ(user.read(FeatureId::kReconnectsPerMinute, then), 2);
    EXPECT_EQ(user.read(FeatureId::kOpenConnections, then), 2);
    user.learn(connection(EventKind::kNotServed, id), then + seconds{1}, false);
    EXPECT_EQ(user.read(FeatureId::kReconnectsPerMinute, then + seconds{1}), 1);
  }
  EXPECT_EQ(user.read(FeatureId::kOpenConnections, kStart + seconds{21}), 1);
  // Nothing is left of what was never counted.
  UserFeatures newcomer;
  newcomer.learn(connection(EventKind::kConnect, 1), kStart, false);
  newcomer.learn(connection(EventKind::kNotServed, 1), kStart, false);
  EXPECT_EQ(newcomer.read(FeatureId::kReconnectsPerMinute, kStart), 0);
}

TEST(UserFeatures, DurationIsThatOfTheOldestOpenConnection) {
  UserFeatures user;
  user.learn(connection(EventKind::kConnect, 1), kStart, false);
  user.learn(connection(EventKind::kConnect, 2), kStart + seconds{60}, false);
  const SteadyTime now = kStart + seconds{100};
  EXPECT_NEAR(user.read(FeatureId::kConnectionDuration, now), 100, .14);
  user.learn(connection(EventKind::kDisconnect, 1), now, false);
  EXPECT_NEAR(user.read(FeatureId::kConnectionDuration, now), 40, .14);
  user.learn(connection(EventKind::kDisconnect, 2), now, false);
  EXPECT_EQ(user.read(FeatureId::kConnectionDuration, now), 0);
}

TEST(Connections, ARepeatedConnectChangesNothing) {
  Connections connections;
  EXPECT_TRUE(connections.open(7, kStart));
  EXPECT_FALSE(connections.open(7, kStart + seconds{5}));
  EXPECT_EQ(connections.count(), 1u);
  EXPECT_NEAR(connections.oldest_s(kStart + seconds{10}), 10, .14);
}

TEST(Connections, ADisconnectWithoutAConnectIsIgnored) {
  Connections connections;
  connections.close(7);
  connections.close(0);
  EXPECT_EQ(connections.count(), 0u);
  connections.open(1, kStart);
  connections.close(7);
  EXPECT_EQ(connections.count(), 1u) << "somebody else's";
}

TEST(Connections, WithoutIdsAreCountedAndTheFirstOnesTimeIsKept) {
  Connections connections;
  connections.open(0, kStart);
  connections.open(0, kStart + seconds{30});
  EXPECT_EQ(connections.count(), 2u);
  EXPECT_NEAR(connections.oldest_s(kStart + seconds{60}), 60, .14);
  connections.close(0);
  EXPECT_EQ(connections.count(), 1u);
  connections.close(0);
  EXPECT_EQ(connections.oldest_s(kStart + seconds{60}), 0);
}

TEST(Connections, ADisconnectWithoutAnIdClosesTheYoungest) {
  Connections connections;
  connections.open(1, kStart);
  connections.open(2, kStart + seconds{30});
  connections.close(0);
  EXPECT_EQ(connections.count(), 1u);
  EXPECT_NEAR(connections.oldest_s(kStart + seconds{60}), 60, .14);
}

TEST(Connections, AreCountedBeyondTheThreeThatAreTracked) {
  Connections connections;
  for (std::uint64_t id = 1; id <= 10; ++id)
    connections.open(id, kStart + seconds{static_cast<int>(id)});
  EXPECT_EQ(connections.count(), 10u);
  for (std::uint64_t id = 1; id <= 3; ++id) connections.close(id);
  EXPECT_EQ(connections.count(), 7u);
  EXPECT_NEAR(connections.oldest_s(kStart + seconds{64}), 60, .14);
  for (std::uint64_t id = 4; id <= 10; ++id) connections.close(id);
  EXPECT_EQ(connections.count(), 0u);
  EXPECT_EQ(connections.oldest_s(kStart + seconds{64}), 0);
}

TEST(Connections, OpenedAtATimeThatIsYetToComeHaveNoDuration) {
  Connections connections;
  connections.open(1, kStart);
  EXPECT_EQ(connections.oldest_s(kStart - hours{1}), 0);
}

TEST(UserFeatures, AnHourIsUnusualUntilTheUserIsUsedToIt) {
  UserFeatures user;
  for (int day = 0; day < 10; ++day) {
    for (const int hour : {9, 10, 11})
      user.learn(message(), kStart + hours{24 * day + hour}, false);
  }
  const SteadyTime night = kStart + hours{24 * 10 + 3};
  EXPECT_EQ(user.read(FeatureId::kUnusualHoursRatio, night - hours{24} + hours{7}), 0);
  EXPECT_EQ(user.read(FeatureId::kUnusualHoursRatio, night), 1);
  user.learn(message(), night, false);
  EXPECT_EQ(user.read(FeatureId::kUnusualHoursRatio, night + minutes{30}), 1)
      << "an hour does not make itself usual";
}

TEST(UserFeatures, ForgettingTheSessionKeepsTheHabits) {
  UserFeatures user;
  for (int day = 0; day < 10; ++day) user.learn(message(), kStart + hours{24 * day + 9}, false);
  user.learn(connection(EventKind::kConnect, 1), kStart + hours{24 * 9 + 9}, false);
  const SteadyTime night = kStart + hours{24 * 9 + 22};

  user.forget_session();

  traffic::Features wanted;
  wanted[FeatureId::kUnusualHoursRatio] = 1;
  EXPECT_EQ(user.read(night), wanted);
  user.learn(connection(EventKind::kConnect, 2), night, false);
  EXPECT_EQ(user.read(FeatureId::kReconnectsPerMinute, night), 0);
}

TEST(UserFeatures, OfNobodyAreZero) {
  EXPECT_EQ(UserFeatures{}.read(kStart), traffic::Features{});
  EXPECT_FALSE(UserFeatures{}.seen());
}

TEST(UserFeatures, WorkFromTheFirstSecondOfTime) {
  UserFeatures user;
  user.learn(message(), SteadyTime{}, false);
  user.learn(message(), SteadyTime{seconds{1}}, false);
  EXPECT_EQ(user.read(FeatureId::kMessagesPerMinute, SteadyTime{seconds{1}}), 2);
  EXPECT_TRUE(user.seen());
}

}  // namespace
}  // namespace liminal::features
