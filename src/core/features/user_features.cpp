#include "core/features/user_features.hpp"

#include <algorithm>
#include <limits>

#include "core/base/hash.hpp"
#include "core/base/math.hpp"

namespace liminal::features {
namespace {

using traffic::Event;
using traffic::EventKind;
using traffic::FeatureId;
using traffic::Features;

constexpr int kTickBits = 16;  // 65.5 µs; ticks wrap after 78 h
constexpr double kTick_s = double{1 << kTickBits} * 1e-9;
/// Contents of messages further apart have nothing to do with each other.
constexpr double kContentPause_s = 600;

std::uint32_t tick(SteadyTime now) {
  return static_cast<std::uint32_t>(static_cast<std::uint64_t>(nanoseconds(now)) >> kTickBits);
}

double ratio(double part, double whole) { return whole > 0 ? std::min(part / whole, 1.) : 0; }

}  // namespace

Learnt UserFeatures::learn(const Event& event, SteadyTime now, bool violation) {
  using Use = decltype(addresses_)::Use;
  Learnt learnt{.seen_before = seen(), .last_seen = last_seen()};
  advance(now);
  if (!event.address.empty())
    learnt.first_from_address = addresses_.add(event.address.hash) != Use::kAgain;
  for (const traffic::Name& channel : event.channels) {
    if (channels_.add(channel.hash) == decltype(channels_)::Use::kNew) new_channels_.add(1);
  }
  if (violation || event.kind == EventKind::kRateLimited) violations_.add(1);
  switch (event.kind) {
    case EventKind::kMessage:
      learn_message(event, now);
      break;
    case EventKind::kConnect:
      learn_connect(event, now);
      break;
    case EventKind::kDisconnect:
      connections_.close(event.connection);
      break;
    case EventKind::kNotServed:
      connections_.close(event.connection);
      take_back_reconnect();
      break;
    case EventKind::kFailed:
      if (errors_[0] != std::numeric_limits<std::uint16_t>::max()) errors_.add(1);
      break;
    case EventKind::kContinued:
      learn_rest(event);
      break;
    case EventKind::kSubscribe:
    case EventKind::kRateLimited:
      break;
  }
  return learnt;
}

void UserFeatures::advance(SteadyTime now) {
  const std::uint64_t bucket = kBucket.bucket(now);
  if (bucket > bucket_) roll(bucket);
  flags_ |= kSeen;
}

void UserFeatures::roll(std::uint64_t bucket) {
  const std::uint64_t before = bucket_;
  bytes_.advance(bucket - before);
  size_squares_.advance(bucket - before);
  messages_.advance(bucket - before);
  errors_.advance(bucket - before);
  violations_.advance(bucket - before);
  reconnects_.advance(bucket - before);
  new_channels_.advance(bucket - before);
  repeats_.advance(bucket - before);
  bucket_ = static_cast<std::uint32_t>(bucket);
  if (bucket / kPerMinute == before / kPerMinute) return;

  messages_5m_.advance(bucket / kPerMinute - before / kPerMinute);
  const std::uint64_t epochs = bucket / kPerFiveMinutes - before / kPerFiveMinutes;
  messages_1h_.advance(bucket / kPerTenMinutes - before / kPerTenMinutes);
  channels_.advance(epochs);
  addresses_.advance(epochs);
  if (bucket / kPerHour == before / kPerHour || !seen()) return;

  // An hour is learnt when it is over, so that it does not make itself usual.
  hours_.add(static_cast<unsigned>(before / kPerHour % stats::HourProfile::kHours));
  constexpr std::uint64_t kPerDay = kPerHour * stats::HourProfile::kHours;
  hours_.pass_days(bucket / kPerDay - before / kPerDay);
}

void UserFeatures::learn_message(const Event& event, SteadyTime now) {
  learn_gap(now);
  if (event.content_hash && *event.content_hash != traffic::kSignalContent)
    learn_content(*event.content_hash);
  messages_5m_.add(1);
  messages_1h_.add(1);
  if (messages_[0] == std::numeric_limits<std::uint16_t>::max()) return;
  learn_size(event.bytes);
  messages_.add(1);
  if (event.error) errors_.add(1);
}

/// Welford's update with the sum instead of the mean: (x·n − Σ)² / (n·(n + 1)).
void UserFeatures::learn_size(std::uint32_t bytes) {
  if (const double n = messages_[0]; n > 0) {
    const double deviation = n * bytes - bytes_[0];
    size_squares_.add(static_cast<float>(deviation * deviation / (n * (n + 1))));
  }
  bytes_.add(bytes);
}

/// The last message is larger than it was counted: x + r among the n sizes in place of x adds
/// 2r(x − mean) + r²(1 − 1/n) to their squares around the mean. Of a message in an earlier bucket
/// only the bytes are known here.
void UserFeatures::learn_rest(const Event& event) {
  if (messages_[0] == std::numeric_limits<std::uint16_t>::max()) return;
  if (const double n = messages_[0]; n > 0) {
    const double r = event.rest(), deviation = event.counted - bytes_[0] / n;
    const double more = r * (2 * deviation + r * (1 - 1 / n));
    size_squares_.add(static_cast<float>(std::max<double>(more, -size_squares_[0])));
  }
  bytes_.add(event.rest());
}

void UserFeatures::learn_gap(SteadyTime now) {
  const std::uint32_t tick_now = tick(now);
  if (messages_1h_[0] == 0 && messages_1h_.empty()) {  // no message for an hour: another story
    gaps_.clear();
    contents_ = {};
  } else if (const std::uint32_t ticks = tick_now - last_message_;
             ticks <= std::numeric_limits<std::uint32_t>::max() / 2) {
    const double gap_s = ticks * kTick_s;
    gaps_.add(gap_s);
    if (gap_s > kContentPause_s) contents_ = {};
  } else {  // time went back
    gaps_.add(0);
    return;
  }
  last_message_ = tick_now;
}

void UserFeatures::learn_content(std::uint64_t content_hash) {
  auto fingerprint = static_cast<std::uint16_t>(mix64(content_hash));
  if (fingerprint == 0) fingerprint = 1;
  const auto same = std::find(contents_.begin(), contents_.end(), fingerprint);
  repeats_.add(same != contents_.end());
  const auto gone = std::min(same, contents_.end() - 1);
  std::move_backward(contents_.begin(), gone, gone + 1);
  contents_[0] = fingerprint;
}

void UserFeatures::learn_connect(const Event& event, SteadyTime now) {
  if (!connections_.open(event.connection, now)) return;
  if ((flags_ & kConnected) != 0) reconnects_.add(1);
  flags_ |= kConnected;
}

/// The latest of the window's: whose it was is not kept, and their sum is what counts.
void UserFeatures::take_back_reconnect() {
  for (std::size_t age = 0; age < decltype(reconnects_)::kBuckets; ++age) {
    if (reconnects_[age] == 0) continue;
    --reconnects_[age];
    return;
  }
}

double UserFeatures::size_spread(stats::WindowPosition at) const {
  constexpr std::size_t kOldest = Window60s<float>::kBuckets - 1;
  if (at.later > kOldest) return 0;
  const std::size_t oldest = kOldest - static_cast<std::size_t>(at.later);
  double count = 0, sum = 0, squares = 0;
  for (std::size_t age = 0; age <= oldest; ++age) {
    if (messages_[age] == 0) continue;
    const double weight = age == oldest ? 1 - at.elapsed : 1;
    const double bytes = bytes_[age];
    count += weight * messages_[age];
    sum += weight * bytes;
    squares += weight * (size_squares_[age] + bytes * bytes / messages_[age]);
  }
  if (count <= 0) return 0;
  const double mean = sum / count;
  return sqrt(std::max(squares / count - mean * mean, 0.));
}

double UserFeatures::hour_unusual(SteadyTime now) const {
  if (!seen()) return 0;
  const std::uint64_t hour = std::max<std::uint64_t>(kBucket.bucket(now), bucket_) / kPerHour;
  return hours_.unusual(static_cast<unsigned>(hour % stats::HourProfile::kHours));
}

double UserFeatures::value(FeatureId id, SteadyTime now, stats::WindowPosition at) const {
  switch (id) {
    case FeatureId::kMessagesPerMinute:
      return messages_.sum(at);
    case FeatureId::kBytesPerMinute:
      return bytes_.sum(at);
    case FeatureId::kAvgMessageSize: {
      const double messages = messages_.sum(at);
      return messages > 0 ? bytes_.sum(at) / messages : 0;
    }
    case FeatureId::kMessageSizeSpread:
      return size_spread(at);
    case FeatureId::kErrorRate:
      return ratio(errors_.sum(at), messages_.sum(at));
    case FeatureId::kRateLimitViolations:
      return violations_.sum(at);
    case FeatureId::kConnectionDuration:
      return connections_.oldest_s(now);
    case FeatureId::kOpenConnections:
      return connections_.count();
    case FeatureId::kChannelsCount:
      return channels_.count(kFiveMinutes.position(bucket_ / kPerFiveMinutes, now).later);
    case FeatureId::kNewChannelsPerMinute:
      return new_channels_.sum(at);
    case FeatureId::kBurstiness:
      return gaps_.burstiness();
    case FeatureId::kReconnectsPerMinute:
      return reconnects_.sum(at);
    case FeatureId::kDistinctAddresses:
      return addresses_.count(kFiveMinutes.position(bucket_ / kPerFiveMinutes, now).later);
    case FeatureId::kSameContentRatio:
      return repeats_.ratio(at);
    case FeatureId::kUnusualHoursRatio:
      return hour_unusual(now);
    case FeatureId::kMessagesPerMinute5m:
      return messages_5m_.sum(kMinute.position(bucket_ / kPerMinute, now)) / 5;
    case FeatureId::kMessagesPerMinute1h:
      return messages_1h_.sum(kTenMinutes.position(bucket_ / kPerTenMinutes, now)) / 60;
  }
  return 0;
}

Features UserFeatures::read(SteadyTime now) const {
  const Reading reading = at(now);
  Features all;
  for (std::size_t i = 0; i < traffic::kFeatureCount; ++i)
    all.values[i] = reading(FeatureId{static_cast<std::uint8_t>(i)});
  return all;
}

void UserFeatures::forget_session() {
  UserFeatures kept;
  kept.hours_ = hours_;
  kept.bucket_ = bucket_;
  kept.flags_ = flags_ & kSeen;
  *this = kept;
}

void UserFeatures::save(Writer& out) const {
  out.put(flags_);
  out.put(bucket_);
  hours_.save(out);
  bytes_.save(out);
  size_squares_.save(out);
  messages_.save(out);
  errors_.save(out);
  violations_.save(out);
  reconnects_.save(out);
  new_channels_.save(out);
  repeats_.save(out);
  messages_5m_.save(out);
  messages_1h_.save(out);
  channels_.save(out);
  addresses_.save(out);
  gaps_.save(out);
  out.put(last_message_);
  for (const std::uint16_t content : contents_) out.put(content);
  connections_.save(out);
}

Result<UserFeatures> UserFeatures::load(Reader& in) {
  UserFeatures user;
  in.get(user.flags_);
  in.get(user.bucket_);
  user.hours_.load(in);
  user.bytes_.load(in);
  user.size_squares_.load(in);
  user.messages_.load(in);
  user.errors_.load(in);
  user.violations_.load(in);
  user.reconnects_.load(in);
  user.new_channels_.load(in);
  user.repeats_.load(in);
  user.messages_5m_.load(in);
  user.messages_1h_.load(in);
  user.channels_.load(in);
  user.addresses_.load(in);
  user.gaps_.load(in);
  in.get(user.last_message_);
  for (std::uint16_t& content : user.contents_) in.get(content);
  user.connections_.load(in);
  constexpr auto kBucketMax =
      static_cast<std::uint64_t>(Duration::max().count() / kBucket.width.count());
  if (user.bucket_ > kBucketMax) in.fail();
  if (!in.ok()) return failure(ErrorCode::kMalformed, in.position());
  return user;
}

}  // namespace liminal::features
