#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "io/prometheus/exposition.hpp"
#include "io/prometheus/families.hpp"
#include "io/prometheus/snapshot.hpp"

namespace liminal::prometheus {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

/// The golden list: dashboards and rules rest on these names, labels and types.
constexpr std::string_view kGolden = R"(
gauge liminal_build_info{version}
gauge liminal_start_time_seconds
gauge liminal_engine_time_seconds
gauge liminal_engine_ahead_seconds
gauge liminal_users
gauge liminal_active_users
gauge liminal_address_entropy
gauge liminal_address_users_max
gauge liminal_address_connections_per_minute_max
gauge liminal_channel_messages_per_minute_max
counter liminal_users_evicted_total
gauge liminal_engine_memory_bytes
counter liminal_events_total{kind}
counter liminal_events_late_total
counter liminal_events_early_total
counter liminal_events_rejected_total
histogram liminal_step_seconds
histogram liminal_exchange_seconds
histogram liminal_inference_seconds{model}
counter liminal_model_scores_total{result}
counter liminal_findings_total{type,severity}
counter liminal_alerts_total{type,severity}
gauge liminal_alerts_open{severity}
counter liminal_feedback_total{verdict}
counter liminal_shadow_total{action,reason}
gauge liminal_overrides{kind}
gauge liminal_queue_depth{queue}
counter liminal_queue_dropped_total{queue}
counter liminal_store_rows_total{table}
counter liminal_store_rows_thinned_total
counter liminal_store_errors_total
gauge liminal_store_bytes
histogram liminal_store_commit_seconds
histogram liminal_snapshot_seconds
counter liminal_snapshot_errors_total
gauge liminal_snapshot_age_seconds
gauge liminal_journal_bytes
counter liminal_webhook_deliveries_total{result}
gauge liminal_cluster_up
counter liminal_cluster_rows_total{kind,result}
counter liminal_cluster_champions_total
counter liminal_config_reloads_total{result}
counter liminal_api_requests_total{method,route,status}
histogram liminal_api_request_seconds{route}
gauge websocket_connections
counter websocket_connections_total
counter websocket_connection_rejections_total{reason}
histogram websocket_connection_duration_seconds
counter websocket_closes_total{reason}
counter websocket_messages_total{type,direction}
counter websocket_message_bytes_total{direction}
counter websocket_rate_limit_total{reason}
counter websocket_delays_exceeded_total{action}
counter websocket_slow_readers_total
gauge websocket_upstream_up{upstream}
gauge websocket_upstream_draining{upstream}
gauge websocket_upstream_connections{upstream}
counter websocket_upstream_errors_total{upstream}
counter websocket_upstream_messages_total{upstream,direction}
counter websocket_upstream_bytes_total{upstream,direction}
counter websocket_upstream_error_answers_total{upstream}
histogram websocket_upstream_answer_seconds{upstream}
histogram websocket_handshake_seconds
histogram websocket_message_seconds
gauge liminal_hub_channels
gauge liminal_hub_subscriptions
counter liminal_hub_messages_total{result}
gauge liminal_scaling_services
counter liminal_scaling_services_evicted_total
gauge liminal_scaling_memory_bytes
counter liminal_scaling_rows_total{result}
counter liminal_scaling_advices_total{action}
counter liminal_scaling_errors_total{operation}
gauge liminal_scaling_recommended_replicas{service}
gauge liminal_scaling_peak_load{service,quantile}
counter process_cpu_seconds_total
gauge process_resident_memory_bytes
gauge process_virtual_memory_bytes
gauge process_start_time_seconds
gauge process_open_fds
gauge process_max_fds
counter liminal_metric_rows_total
counter liminal_metric_rows_late_total
counter liminal_metric_anomalies_total
gauge liminal_metric_series
gauge liminal_metric_memory_bytes
counter liminal_metric_sources_evicted_total
counter liminal_metric_series_evicted_total
gauge liminal_metric_score{source,metric}
gauge liminal_metric_value{source,metric}
gauge liminal_metric_expected_low{source,metric}
gauge liminal_metric_expected_high{source,metric}
gauge liminal_metric_forecast{source,metric,horizon_s,quantile}
gauge liminal_metric_forecast_series
gauge liminal_metric_forecast_memory_bytes
counter liminal_metric_forecast_refits_total
counter liminal_metric_forecast_refits_failed_total
counter liminal_metric_forecast_refit_seconds_total
counter liminal_metric_forecast_refused_total
counter liminal_remote_write_samples_total{result}
counter liminal_grpc_calls_total{method,result}
gauge liminal_grpc_streams
counter liminal_scaling_actions_total{service,result}
gauge liminal_data_free_bytes
gauge liminal_certificate_expiry_seconds
gauge liminal_metric_limit_probability_ratio{source,metric}
gauge liminal_metric_limit_seconds{source,metric}
counter liminal_training_runs_total{model,status}
histogram liminal_training_seconds{model}
counter liminal_learning_triggers_total{model,trigger}
counter liminal_learning_refusals_total{model}
gauge liminal_model_drift_score{model}
gauge liminal_model_training_age_seconds{model}
)";

std::string line(const FamilyInfo& family) {
  std::string text = family.type == Type::kCounter ? "counter "
                     : family.type == Type::kGauge ? "gauge "
                                                   : "histogram ";
  text += family.name;
  char separator = '{';
  for (std::size_t i = 0; i < family.label_count(); ++i) {
    text.append(1, separator).append(family.labels[i]);
    separator = ',';
  }
  return text + (family.label_count() > 0 ? "}\n" : "\n");
}

TEST(Families, AreTheGoldenList) {
  std::string text = "\n";
  for (const FamilyInfo& family : family_table()) text += line(family);
  EXPECT_EQ(text, kGolden);
}

TEST(Families, FollowPrometheusConventions) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kFamilies; ++i) {
    const FamilyInfo& family = family_table()[i];
    EXPECT_EQ(static_cast<std::size_t>(family.id), i) << family.name;
    EXPECT_TRUE(names.insert(family.name).second) << family.name;
    EXPECT_EQ(family.name.ends_with("_total"), family.type == Type::kCounter) << family.name;
    EXPECT_EQ(family.help.back(), '.') << family.name;
    for (const std::string_view label : family.labels) {
      EXPECT_NE(label, "user");
      EXPECT_NE(label, "user_id");
    }
  }
}

/// The row of docs/metrics.md.
std::string row(const FamilyInfo& family) {
  const std::string text = line(family);
  std::string labels;
  for (std::size_t i = 0; i < family.label_count(); ++i)
    labels.append(i > 0 ? ", " : "").append(family.labels[i]);
  return "| `" + std::string(family.name) + "` | " + text.substr(0, text.find(' ')) + " | " +
         labels + (labels.empty() ? "" : " ") + "| " + std::string(family.help) + " |";
}

TEST(Families, AreDocumented) {
  std::ifstream file(LIMINAL_SOURCE_DIR "/docs/metrics.md");
  std::vector<std::string> rows;
  for (std::string text; std::getline(file, text);) {
    if (text.starts_with("| `")) rows.push_back(text);
  }
  std::vector<std::string> expected;
  for (const FamilyInfo& family : family_table()) expected.push_back(row(family));
  EXPECT_EQ(rows, expected);
}

Snapshot some() {
  Snapshot snapshot;
  snapshot.add(Family::kEvents, 3, {"message"});
  snapshot.add(Family::kEvents, 0, {"connect"});
  snapshot.add(Family::kUsers, 12);
  snapshot.add(Family::kUpstreamUp, 1, {"a\"b\\c\n"});
  Histogram histogram;
  histogram.observe(2us);
  histogram.observe(1ms);
  snapshot.add(Family::kStepSeconds, histogram);
  return snapshot;
}

TEST(Snapshot, SumsTheParts) {
  Snapshot snapshot = some();
  snapshot.add(Family::kEvents, 2, {"message"});
  snapshot.merge(some());
  EXPECT_EQ(snapshot.value(Family::kEvents, {"message"}), 8);
  EXPECT_EQ(snapshot.value(Family::kStepSeconds), 4);
  EXPECT_EQ(snapshot.value(Family::kEvents, {"subscribe"}), 0);
}

TEST(Histogram, CountsEveryDurationOnce) {
  Histogram histogram;
  for (const Duration d : {Duration{-5}, Duration{0}, Duration{1us}, Duration{1s}, Duration{1000h}})
    histogram.observe(d);
  EXPECT_EQ(histogram.counts.front(), 3U);  // a bound belongs to its bucket
  EXPECT_EQ(histogram.counts.back(), 1U);
}

TEST(Exposition, WritesTheTextFormat) {
  const std::string text = expose(some(), Format::kText);
  EXPECT_THAT(text,
              HasSubstr("# HELP liminal_events_total Events that the engine took in.\n"
                        "# TYPE liminal_events_total counter\n"
                        "liminal_events_total{kind=\"connect\"} 0\n"
                        "liminal_events_total{kind=\"message\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("liminal_step_seconds_bucket{le=\"+Inf\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("liminal_step_seconds_count 2\n"));
}

TEST(Exposition, WritesOpenMetrics) {
  const std::string text = expose(some(), Format::kOpenMetrics);
  EXPECT_THAT(text,
              HasSubstr("# TYPE liminal_events counter\n"
                        "# HELP liminal_events Events that the engine took in.\n"
                        "liminal_events_total{kind=\"connect\"} 0.0\n"
                        "liminal_events_total{kind=\"message\"} 3.0\n"));
  EXPECT_THAT(text, HasSubstr("liminal_users 12.0\n"));
  EXPECT_THAT(text, HasSubstr("websocket_upstream_up{upstream=\"a\\\"b\\\\c\\n\"} 1.0\n"));
  EXPECT_THAT(text, HasSubstr("liminal_step_seconds_bucket{le=\"1e-06\"} 0.0\n"));
  EXPECT_THAT(text, HasSubstr("liminal_step_seconds_bucket{le=\"0.001\"} 2.0\n"));
  EXPECT_THAT(text, HasSubstr("liminal_step_seconds_bucket{le=\"+Inf\"} 2.0\n"));
  EXPECT_TRUE(text.ends_with("\n# EOF\n"));
}

TEST(Exposition, IsNegotiated) {
  EXPECT_EQ(negotiate(""), Format::kText);
  EXPECT_EQ(negotiate("*/*"), Format::kText);
  EXPECT_EQ(negotiate("text/plain"), Format::kText);
  EXPECT_EQ(negotiate("application/openmetrics-text; version=1.0.0"), Format::kOpenMetrics);
  EXPECT_EQ(negotiate("application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
                      "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"),
            Format::kOpenMetrics);
  EXPECT_EQ(negotiate("application/openmetrics-text;q=0.2, text/plain;q=0.5"), Format::kText);
  EXPECT_EQ(negotiate("application/openmetrics-text;q=0"), Format::kText);
}

TEST(Process, TellsWhatTheKernelSays) {
  Snapshot snapshot;
  add_process(snapshot);
  EXPECT_GT(snapshot.value(Family::kProcessResident), 1e5);
  EXPECT_GT(snapshot.value(Family::kProcessVirtual), snapshot.value(Family::kProcessResident));
  EXPECT_GE(snapshot.value(Family::kProcessFds), 3);
  EXPECT_GT(snapshot.value(Family::kProcessStart), 1.6e9);
}

}  // namespace
}  // namespace liminal::prometheus
