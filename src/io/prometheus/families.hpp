#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace liminal::prometheus {

enum class Type : std::uint8_t { kCounter, kGauge, kHistogram };

/// Every family of metrics that Liminal exposes. Dashboards and alerting rules rest on the names:
/// one is never changed, and its labels have few values that do not come from outside (a user's id
/// is none).
enum class Family : std::uint8_t {
  kBuildInfo,
  kStartTime,
  kEngineTime,
  kEngineAhead,
  kUsers,
  kActiveUsers,
  kAddressEntropy,
  kAddressUsersMax,
  kAddressConnectionsMax,
  kChannelRateMax,
  kUsersEvicted,
  kEngineMemory,
  kEvents,
  kEventsLate,
  kEventsEarly,
  kEventsRejected,
  kStepSeconds,
  kExchangeSeconds,
  kInferenceSeconds,
  kModelScores,
  kFindings,
  kAlerts,
  kAlertsOpen,
  kFeedback,
  kShadow,
  kOverrides,
  kQueueDepth,
  kQueueDropped,
  kStoreRows,
  kStoreThinned,
  kStoreErrors,
  kStoreBytes,
  kStoreCommitSeconds,
  kSnapshotSeconds,
  kSnapshotErrors,
  kSnapshotAge,
  kJournalBytes,
  kWebhookDeliveries,
  kClusterUp,
  kClusterRows,
  kClusterChampions,
  kReloads,
  kApiRequests,
  kApiSeconds,
  kConnections,
  kConnectionsAccepted,
  kConnectionRejections,
  kConnectionSeconds,
  kCloses,
  kMessages,
  kMessageBytes,
  kRateLimit,
  kDelaysExceeded,
  kSlowReaders,
  kUpstreamUp,
  kUpstreamDraining,
  kUpstreamConnections,
  kUpstreamErrors,
  kUpstreamMessages,
  kUpstreamBytes,
  kUpstreamErrorAnswers,
  kUpstreamAnswerSeconds,
  kHandshakeSeconds,
  kMessageSeconds,
  kHubChannels,
  kHubSubscriptions,
  kHubMessages,
  kScalingServices,
  kScalingEvicted,
  kScalingMemory,
  kScalingRows,
  kScalingAdvices,
  kScalingErrors,
  kScalingReplicas,
  kScalingLoad,
  kProcessCpu,
  kProcessResident,
  kProcessVirtual,
  kProcessStart,
  kProcessFds,
  kProcessFdsMax,
  kMetricRows,
  kMetricRowsLate,
  kMetricAnomalies,
  kMetricSeries,
  kMetricMemory,
  kMetricSourcesEvicted,
  kMetricSeriesEvicted,
  kMetricScore,
  kMetricValue,
  kMetricExpectedLow,
  kMetricExpectedHigh,
  kMetricForecast,
  kForecastSeries,
  kForecastMemory,
  kForecastRefits,
  kForecastRefitsFailed,
  kForecastRefitSeconds,
  kForecastRefused,
  kRemoteWrite,
  kGrpcCalls,
  kGrpcStreams,
  kScalingActions,
  kDataFree,
  kCertificateExpiry,
  kLimitProbability,
  kLimitSeconds,
  kTrainingRuns,
  kTrainingSeconds,
  kLearningTriggers,
  kLearningRefusals,
  kModelDrift,
  kTrainingAge,
};
inline constexpr std::size_t kFamilies = static_cast<std::size_t>(Family::kTrainingAge) + 1;
inline constexpr std::size_t kLabelsMax = 4;

struct FamilyInfo {
  Family id;
  std::string_view name;
  Type type;
  std::string_view help;
  std::array<std::string_view, kLabelsMax> labels{};  ///< empty ones are none

  [[nodiscard]] std::size_t label_count() const;
};

[[nodiscard]] std::span<const FamilyInfo, kFamilies> family_table();
[[nodiscard]] const FamilyInfo& info(Family family);

}  // namespace liminal::prometheus
