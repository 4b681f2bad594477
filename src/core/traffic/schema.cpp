#include "core/traffic/schema.hpp"

#include <limits>
#include <string>

#include "core/base/check.hpp"
#include "core/base/hash.hpp"

namespace liminal::traffic {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
using enum FeatureId;

constexpr std::array<FeatureInfo, kFeatureCount> kSchema{{
    {kMessagesPerMinute, "messages_per_minute", "1/min", 0, kInfinity, "messages in the last 60 s"},
    {kBytesPerMinute,
     "bytes_per_minute",
     "B/min",
     0,
     kInfinity,
     "payload bytes of the messages in the last 60 s"},
    {kAvgMessageSize,
     "avg_message_size",
     "B",
     0,
     kInfinity,
     "mean payload of the messages in the last 60 s; 0 without any"},
    {kMessageSizeSpread,
     "message_size_spread",
     "B",
     0,
     kInfinity,
     "standard deviation of the payload over the last 60 s"},
    {kErrorRate,
     "error_rate",
     "ratio",
     0,
     1,
     "share of the messages in the last 60 s that failed; 0 without any"},
    {kRateLimitViolations,
     "rate_limit_violations",
     "1",
     0,
     kInfinity,
     "messages in the last 60 s that a limit refused, or would have refused in shadow"},
    {kConnectionDuration,
     "connection_duration",
     "s",
     0,
     kInfinity,
     "time since the oldest open connection was opened; 0 without one"},
    {kOpenConnections, "open_connections", "1", 0, kInfinity, "connections open now"},
    {kChannelsCount,
     "channels_count",
     "1",
     0,
     kInfinity,
     "distinct channels used in the last hour"},
    {kNewChannelsPerMinute,
     "new_channels_per_minute",
     "1/min",
     0,
     kInfinity,
     "channels first used in the last 60 s"},
    {kBurstiness,
     "burstiness",
     "ratio",
     -1,
     1,
     "(s - m)/(s + m) of the gaps between recent messages: -1 like a clock, 0 random, 1 in bursts"},
    {kReconnectsPerMinute,
     "reconnects_per_minute",
     "1/min",
     0,
     kInfinity,
     "connections opened in the last 60 s, the user's first not counted"},
    {kDistinctAddresses,
     "distinct_addresses",
     "1",
     0,
     kInfinity,
     "distinct addresses used in the last hour"},
    {kSameContentRatio,
     "same_content_ratio",
     "ratio",
     0,
     1,
     "share of the messages with a content hash in the last 60 s whose content was sent shortly "
     "before"},
    {kUnusualHoursRatio,
     "unusual_hours_ratio",
     "ratio",
     0,
     1,
     "how unusual this hour of the day is for this user: 0 usual or not yet known, 1 never seen"},
    {kMessagesPerMinute5m,
     "messages_per_minute_5m",
     "1/min",
     0,
     kInfinity,
     "messages a minute over the last 5 min"},
    {kMessagesPerMinute1h,
     "messages_per_minute_1h",
     "1/min",
     0,
     kInfinity,
     "messages a minute over the last hour"},
}};

}  // namespace

std::span<const FeatureInfo, kFeatureCount> feature_schema() { return kSchema; }

const FeatureInfo& info(FeatureId id) {
  LIMINAL_DCHECK(static_cast<std::size_t>(id) < kFeatureCount);
  return kSchema[static_cast<std::size_t>(id)];
}

std::optional<FeatureId> feature_by_name(std::string_view name) {
  for (const FeatureInfo& feature : kSchema) {
    if (feature.name == name) return feature.id;
  }
  return std::nullopt;
}

std::uint64_t schema_hash() {
  std::string text;
  for (const FeatureInfo& feature : kSchema) {
    text.append(feature.name).push_back('/');
    text.append(feature.unit).push_back('\n');
  }
  return hash64(text);
}

}  // namespace liminal::traffic
