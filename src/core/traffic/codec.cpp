#include "core/traffic/codec.hpp"

namespace liminal::traffic {

namespace {

template <class T>
bool get_enum(Reader& in, T& value, std::size_t count) {
  const auto raw = in.get<std::uint8_t>();
  if (raw >= count) return false;
  value = T{raw};
  return true;
}

}  // namespace

void save(const Finding& finding, Writer& out) {
  out.put(finding.type);
  out.put(finding.detector);
  out.put(finding.severity);
  out.put(finding.mode);
  out.put(finding.action);
  out.put(finding.rule);
  out.put(finding.score);
  out.put(finding.confidence);
  out.put(finding.evidence_count);
  for (const Evidence& line : finding.lines()) {
    out.put(line.signal);
    out.put(line.observed);
    out.put(line.expected_low);
    out.put(line.expected_high);
    out.put(line.contribution);
  }
  if (finding.detector == Detector::kModel) out.put(finding.model_version);
}

bool load(Finding& finding, Reader& in) {
  if (!get_enum(in, finding.type, kFindingTypes)) return false;
  if (!get_enum(in, finding.detector, kDetectors)) return false;
  if (!get_enum(in, finding.severity, 4) || !get_enum(in, finding.mode, 3)) return false;
  if (!get_enum(in, finding.action, 5)) return false;
  in.get(finding.rule);
  in.get(finding.score);
  in.get(finding.confidence);
  in.get(finding.evidence_count);
  if (finding.evidence_count > kEvidenceMax) return false;
  for (std::size_t i = 0; i < finding.evidence_count; ++i) {
    Evidence& line = finding.evidence[i];
    if (!get_enum(in, line.signal, kSignals)) return false;
    in.get(line.observed);
    in.get(line.expected_low);
    in.get(line.expected_high);
    in.get(line.contribution);
  }
  if (finding.detector == Detector::kModel) in.get(finding.model_version);
  return in.ok();
}

void save(const Alert& alert, Writer& out) {
  out.put(alert.shard);
  out.put_varint(alert.number);
  out.put_text(alert.user);
  out.put_text(alert.address);
  out.put(alert.type);
  out.put(alert.severity);
  out.put(alert.status);
  out.put(alert.feedback);
  put_time(alert.first_seen, out);
  put_time(alert.last_seen, out);
  out.put_varint(alert.count);
  save(alert.first, out);
  save(alert.worst, out);
  out.put(alert.detectors_agreeing);
  for (const float value : alert.features.values) out.put(value);
  out.put_varint(alert.input);
}

bool load(Alert& alert, Reader& in) {
  if (!get_enum(in, alert.shard, kShards)) return false;
  alert.number = in.get_varint();
  alert.user = in.get_text();
  alert.address = in.get_text();
  if (!get_enum(in, alert.type, kFindingTypes)) return false;
  if (!get_enum(in, alert.severity, 4) || !get_enum(in, alert.status, 2)) return false;
  if (!get_enum(in, alert.feedback, 4)) return false;
  alert.first_seen = get_time(in);
  alert.last_seen = get_time(in);
  alert.count = in.get_varint();
  if (!load(alert.first, in) || !load(alert.worst, in)) return false;
  in.get(alert.detectors_agreeing);
  for (float& value : alert.features.values) in.get(value);
  alert.input = in.get_varint();
  return in.ok();
}

void save(const Override& decision, Writer& out) {
  out.put_text(decision.user);
  out.put(decision.kind);
  out.put(decision.messages_per_second);
  out.put(decision.burst);
  out.put_text(decision.reason);
  put_time(decision.created, out);
  out.put(decision.expires.has_value());
  put_time(decision.expires.value_or(SteadyTime{}), out);
}

bool load(Override& decision, Reader& in) {
  decision.user = in.get_text();
  if (!get_enum(in, decision.kind, 3)) return false;
  in.get(decision.messages_per_second);
  in.get(decision.burst);
  decision.reason = in.get_text();
  decision.created = get_time(in);
  const bool expires = in.get<std::uint8_t>() != 0;
  const SteadyTime when = get_time(in);
  decision.expires = expires ? std::optional(when) : std::nullopt;
  return in.ok();
}

}  // namespace liminal::traffic
