#include "io/json/traffic_writer.hpp"

#include <algorithm>
#include <cmath>

namespace liminal::json {
namespace {

using traffic::Alert;
using traffic::Detector;
using traffic::Finding;

std::string_view decided_by(Detector detector) {
  switch (detector) {
    case Detector::kRule:
      return "rule";
    case Detector::kModel:
      return "model";
    default:
      return "baseline";
  }
}

/// A ratio a hair outside of 0 to 1 is rounding; outside of the schema it would be an error.
float ratio(float value) { return std::isnan(value) ? 0 : std::min(1.F, std::max(0.F, value)); }

void write(const traffic::Evidence& line, Writer& out) {
  out.begin_object();
  out.field("signal", name(line.signal));
  out.field("unit", unit(line.signal));
  out.field("observed", line.observed);
  out.field("expected_low", line.expected_low);
  out.field("expected_high", line.expected_high);
  out.field("contribution", line.contribution);
  out.end_object();
}

}  // namespace

void write_feature_fields(const traffic::Features& features, Writer& out) {
  for (const traffic::FeatureInfo& feature : traffic::feature_schema()) {
    const float value = features[feature.id];
    out.key(feature.name);
    // What no feature can be is what nothing was measured of.
    out.value(std::isfinite(value) ? value : 0.F);
  }
}

void write(const traffic::Features& features, Writer& out) {
  out.begin_object();
  write_feature_fields(features, out);
  out.end_object();
}

void write(const traffic::FeatureRow& row, Writer& out) {
  out.begin_object();
  out.field("user_id", row.user);
  out.key("ip_address");
  out.value_or_null(row.address);
  out.field("timestamp", row.time);
  write_feature_fields(row.features, out);
  out.end_object();
}

void write_alert_fields(const traffic::Alert& alert, Writer& out) {
  const Finding& worst = alert.worst;
  out.key("id");
  out.value_or_null(alert.number == 0 ? std::string() : alert_id(alert));
  out.field("user_id", alert.user);
  out.key("ip_address");
  out.value_or_null(alert.address);
  out.field("type", info(alert.type).name);
  out.field("severity", name(alert.severity));
  out.field("confidence", ratio(worst.confidence));
  out.field("score", std::isfinite(worst.score) ? worst.score : 0.F);
  out.field("status", name(alert.status));
  out.field("mode", name(worst.mode));
  out.field("detector", name(worst.detector));
  out.key("feedback");
  if (alert.feedback == traffic::FeedbackVerdict::kNone) {
    out.null();
  } else {
    out.value(name(alert.feedback));
  }
  out.field("first_seen", alert.first_seen);
  out.field("last_seen", alert.last_seen);
  out.field("count", alert.count);
  out.key("features");
  write(alert.features, out);
  out.field("explanation", explanation(worst));
  out.field("recommended_action", name(worst.action));
  const Alert::Origin& origin = alert.origin;
  out.key("gateway");
  out.value_or_null(origin.gateway);
  out.key("gateway_alert");
  out.value_or_null(origin.gateway.empty() ? std::string()
                                           : traffic::alert_id(origin.shard, origin.number));
}

void write(const traffic::Alert& alert, Writer& out) {
  out.begin_object();
  write_alert_fields(alert, out);
  out.end_object();
}

void write(const traffic::Alert& alert, double salience, Writer& out) {
  out.begin_object();
  write_alert_fields(alert, out);
  out.field("salience", salience);
  out.end_object();
}

void write(const Finding& finding, Writer& out) {
  out.begin_object();
  out.field("decided_by", decided_by(finding.detector));
  out.field("detector", name(finding.detector));
  out.key("rule");
  if (finding.rule == traffic::kNoRule) {
    out.null();
  } else {
    out.value(finding.rule);
  }
  out.key("model_version");
  if (finding.model_version == 0) {
    out.null();
  } else {
    out.value(finding.model_version);
  }
  out.field("severity", name(finding.severity));
  out.field("score", std::isfinite(finding.score) ? finding.score : 0.F);
  out.field("confidence", ratio(finding.confidence));
  out.field("mode", name(finding.mode));
  out.field("explanation", explanation(finding));
  out.key("evidence");
  out.begin_array();
  for (const traffic::Evidence& line : finding.lines()) write(line, out);
  out.end_array();
  out.end_object();
}

void write(const traffic::Override& decision, Writer& out) {
  const bool rate = decision.kind == traffic::Override::Kind::kRate;
  out.begin_object();
  out.field("user_id", decision.user);
  out.field("kind", name(decision.kind));
  out.field("messages_per_second",
            rate ? std::optional(decision.messages_per_second) : std::nullopt);
  out.field("burst", rate ? std::optional(decision.burst) : std::nullopt);
  out.field("reason", decision.reason);
  out.field("created", decision.created);
  out.field("expires", decision.expires);
  out.end_object();
}

}  // namespace liminal::json
