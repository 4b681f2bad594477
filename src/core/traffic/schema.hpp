#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace liminal::traffic {

/// The features of one user. Their order is part of stored rows and of models: append only.
enum class FeatureId : std::uint8_t {
  kMessagesPerMinute,
  kBytesPerMinute,
  kAvgMessageSize,
  kMessageSizeSpread,
  kErrorRate,
  kRateLimitViolations,
  kConnectionDuration,
  kOpenConnections,
  kChannelsCount,
  kNewChannelsPerMinute,
  kBurstiness,
  kReconnectsPerMinute,
  kDistinctAddresses,
  kSameContentRatio,
  kUnusualHoursRatio,
  kMessagesPerMinute5m,
  kMessagesPerMinute1h,
};
inline constexpr std::size_t kFeatureCount = 17;

/// What a feature is: the one table from which JSON names, documentation and model metadata come.
struct FeatureInfo {
  FeatureId id;
  std::string_view name;
  std::string_view unit;
  float low;   ///< smallest possible value
  float high;  ///< largest possible value; infinity when unbounded
  std::string_view meaning;
};

[[nodiscard]] std::span<const FeatureInfo, kFeatureCount> feature_schema();
[[nodiscard]] const FeatureInfo& info(FeatureId id);
[[nodiscard]] std::optional<FeatureId> feature_by_name(std::string_view name);

/// Changes when the schema does: stored with rows and models, so that they are never mixed up.
[[nodiscard]] std::uint64_t schema_hash();

/// One value a feature, in the schema's order.
struct Features {
  std::array<float, kFeatureCount> values{};
  float& operator[](FeatureId id) { return values[static_cast<std::size_t>(id)]; }
  float operator[](FeatureId id) const { return values[static_cast<std::size_t>(id)]; }
  friend bool operator==(const Features&, const Features&) = default;
};

}  // namespace liminal::traffic
