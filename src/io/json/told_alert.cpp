#include "io/json/told_alert.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "core/traffic/event.hpp"
#include "io/json/traffic_writer.hpp"

namespace liminal::json {
namespace {

using traffic::Alert;
using traffic::Evidence;
using traffic::Finding;

constexpr float kFloatMax = std::numeric_limits<float>::max();
/// Its shortest decimal, which is a little more.
constexpr double kMost = 3.4028235e38;
constexpr float kNothing = std::numeric_limits<float>::quiet_NaN();

void write(const Evidence& line, Writer& out) {
  out.begin_object();
  out.field("signal", name(line.signal));
  out.field("observed", line.observed);
  out.field("expected_low", line.expected_low);
  out.field("expected_high", line.expected_high);
  out.field("contribution", line.contribution);
  out.end_object();
}

float number_in(Fields& in, std::string_view name, double low = -kMost, double high = kMost) {
  const double number = in.number(name, Need::kRequired, low, high).value_or(0);
  return static_cast<float>(std::clamp<double>(number, -kFloatMax, kFloatMax));
}

/// What the writer could not write as a number is null.
float number_or_nothing(Fields& in, std::string_view name) {
  return in.is_null(name) ? kNothing : number_in(in, name);
}

Evidence read_evidence(Fields in) {
  Evidence line;
  line.signal = in.one_of("signal", Need::kRequired, traffic::signal_by_name, "a signal")
                    .value_or(line.signal);
  line.observed = number_or_nothing(in, "observed");
  line.expected_low = number_or_nothing(in, "expected_low");
  line.expected_high = number_or_nothing(in, "expected_high");
  line.contribution = number_or_nothing(in, "contribution");
  in.finish();
  return line;
}

std::optional<traffic::AlertStatus> status_by_name(std::string_view name) {
  for (const auto status : {traffic::AlertStatus::kOpen, traffic::AlertStatus::kResolved})
    if (traffic::name(status) == name) return status;
  return std::nullopt;
}

SteadyTime read_time(Fields& in, std::string_view name) {
  const auto at = in.time(name, Need::kRequired);
  return at ? SteadyTime{at->time_since_epoch()} : SteadyTime{};
}

Finding read_finding(Fields& in) {
  Finding finding;
  finding.type = in.one_of("type", Need::kRequired, traffic::finding_by_name, "a type of finding")
                     .value_or(finding.type);
  finding.severity =
      in.one_of(
            "severity", Need::kRequired, traffic::severity_by_name, "low, medium, high or critical")
          .value_or(finding.severity);
  finding.mode =
      in.one_of("mode", Need::kRequired, traffic::mode_by_name, "observe, shadow or enforce")
          .value_or(finding.mode);
  finding.detector = in.one_of("detector", Need::kRequired, traffic::detector_by_name, "a detector")
                         .value_or(finding.detector);
  finding.action = in.one_of("recommended_action",
                             Need::kRequired,
                             traffic::action_by_name,
                             "watch, limit, drop, close or investigate")
                       .value_or(finding.action);
  finding.score = number_in(in, "score", 0);
  finding.confidence = number_in(in, "confidence", 0, 1);
  const auto* lines = in.array("evidence", Need::kRequired, 0, traffic::kEvidenceMax);
  for (std::size_t i = 0; lines != nullptr && i < lines->size(); ++i)
    finding.add(read_evidence(in.element("evidence", i, (*lines)[i])));
  return finding;
}

void read_judgement(Fields& in, SteadyTime latest, traffic::JudgedAlert& told) {
  told.alert.feedback = in.one_of("verdict",
                                  Need::kRequired,
                                  traffic::feedback_by_name,
                                  "true_positive, false_positive or expected")
                            .value_or(told.alert.feedback);
  told.judged = std::min(read_time(in, "time"), latest);
  told.note = in.text("note", Need::kOptional, 0, traffic::kNoteBytesMax).value_or("");
  in.finish();
}

}  // namespace

void write(const traffic::JudgedAlert& told, Writer& out) {
  const Alert& alert = told.alert;
  const Finding& worst = alert.worst;
  out.begin_object();
  out.field("id", alert_id(alert));
  out.field("user_id", alert.user);
  out.key("ip_address");
  out.value_or_null(alert.address);
  out.field("type", info(alert.type).name);
  out.field("severity", name(alert.severity));
  out.field("status", name(alert.status));
  out.field("mode", name(worst.mode));
  out.field("detector", name(worst.detector));
  out.field("recommended_action", name(worst.action));
  out.field("score", std::isfinite(worst.score) ? std::max(0.F, worst.score) : 0.F);
  out.field("confidence",
            std::isfinite(worst.confidence) ? std::clamp(worst.confidence, 0.F, 1.F) : 0.F);
  out.field("detectors", std::max<std::uint32_t>(1, alert.detectors_agreeing));
  out.field("first_seen", alert.first_seen);
  out.field("last_seen", alert.last_seen);
  out.field("count", alert.count);
  out.key("features");
  write(alert.features, out);
  out.key("evidence");
  out.begin_array();
  for (const Evidence& line : worst.lines()) write(line, out);
  out.end_array();
  out.key("feedback");
  if (alert.feedback == traffic::FeedbackVerdict::kNone) {
    out.null();
  } else {
    out.begin_object();
    out.field("verdict", name(alert.feedback));
    out.field("time", told.judged);
    out.field("note", told.note);
    out.end_object();
  }
  out.end_object();
}

traffic::JudgedAlert read_told_alert(Fields& in, const std::string& gateway, SteadyTime latest) {
  traffic::JudgedAlert told;
  Alert& alert = told.alert;
  const auto id =
      in.one_of("id", Need::kRequired, traffic::parse_alert_id, "an alert's id, as 17-42");
  // A cluster tells no cluster: what it was told would come back under another id.
  if (id && (id->first == kOfGateways || id->second == 0))
    in.wrong("id", "must be that of an alert which the gateway raised itself");
  if (id) alert.origin = {gateway, id->first, id->second};
  alert.shard = kOfGateways;
  alert.user = in.text("user_id", Need::kRequired, 1, traffic::kUserBytesMax).value_or("");
  if (!in.is_null("ip_address"))
    alert.address =
        in.text("ip_address", Need::kRequired, 1, traffic::kAddressBytesMax).value_or("");
  alert.worst = read_finding(in);
  alert.first = alert.worst;
  alert.type = alert.worst.type;
  alert.severity = alert.worst.severity;
  alert.status = in.one_of("status", Need::kRequired, status_by_name, "open or resolved")
                     .value_or(alert.status);
  alert.detectors_agreeing = static_cast<std::uint8_t>(
      in.whole("detectors", Need::kRequired, 1, traffic::kDetectors).value_or(1));
  alert.first_seen = read_time(in, "first_seen");
  alert.last_seen = read_time(in, "last_seen");
  if (alert.last_seen < alert.first_seen) in.wrong("last_seen", "lies before first_seen");
  alert.count = in.whole("count", Need::kRequired, 1, std::uint64_t{1} << 53).value_or(1);
  if (auto features = in.object("features", Need::kRequired)) {
    alert.features = read_features(*features);
    features->finish();
  } else if (in.is_null("features")) {
    in.wrong("features", "must be a JSON object");
  }
  if (!in.is_null("feedback")) {
    if (auto said = in.object("feedback", Need::kRequired)) read_judgement(*said, latest, told);
  }
  in.finish();
  return told;
}

void write_word(const traffic::JudgedAlert& word, Writer& out) {
  const Alert::Origin& origin = word.alert.origin;
  out.begin_object();
  out.field("id", traffic::alert_id(origin.shard, origin.number));
  out.field("first_seen", word.alert.first_seen);
  out.field("verdict", name(word.alert.feedback));
  out.field("time", word.judged);
  out.field("note", word.note);
  out.end_object();
}

traffic::JudgedAlert read_word(Fields& in) {
  traffic::JudgedAlert word;
  const auto id =
      in.one_of("id", Need::kRequired, traffic::parse_alert_id, "an alert's id, as 17-42");
  if (id) std::tie(word.alert.shard, word.alert.number) = *id;
  word.alert.first_seen = read_time(in, "first_seen");
  read_judgement(in, SteadyTime::max(), word);
  return word;
}

traffic::Features read_features(Fields& in) {
  traffic::Features features;
  for (const traffic::FeatureInfo& feature : traffic::feature_schema())
    features[feature.id] =
        number_in(in, feature.name, double{feature.low}, std::min(double{feature.high}, kMost));
  return features;
}

}  // namespace liminal::json
