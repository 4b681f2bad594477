#include "io/sqlite/encoding.hpp"

#include "core/base/codec.hpp"

namespace liminal::sqlite {
namespace {

using traffic::Evidence;
using traffic::Finding;

constexpr std::uint8_t kFindingVersion = 1;

template <class T>
void get_below(Reader& in, T& value, std::size_t bound, bool& in_range) {
  value = in.get<T>();
  in_range = in_range && static_cast<std::size_t>(value) < bound;
}

}  // namespace

std::string encode(const Finding& finding) {
  Writer out;
  out.put(kFindingVersion);
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
  return out.take();
}

Result<Finding> decode_finding(std::string_view bytes) {
  Reader in(bytes);
  if (in.get<std::uint8_t>() != kFindingVersion)
    return failure(bytes.empty() ? ErrorCode::kTruncated : ErrorCode::kUnsupported);
  Finding finding;
  bool in_range = true;
  get_below(in, finding.type, traffic::kFindingTypes, in_range);
  get_below(in, finding.detector, traffic::kDetectors, in_range);
  get_below(in, finding.severity, 4, in_range);
  get_below(in, finding.mode, 3, in_range);
  get_below(in, finding.action, 5, in_range);
  in.get(finding.rule);
  in.get(finding.score);
  in.get(finding.confidence);
  get_below(in, finding.evidence_count, traffic::kEvidenceMax + 1, in_range);
  if (!in_range) return failure(ErrorCode::kOutOfRange, in.position());
  for (std::uint8_t i = 0; i < finding.evidence_count; ++i) {
    Evidence& line = finding.evidence[i];
    get_below(in, line.signal, traffic::kSignals, in_range);
    in.get(line.observed);
    in.get(line.expected_low);
    in.get(line.expected_high);
    in.get(line.contribution);
  }
  if (!in_range) return failure(ErrorCode::kOutOfRange, in.position());
  return in.finish().map([&] { return finding; });
}

std::string encode(const traffic::Features& features) {
  Writer out;
  for (const float value : features.values) out.put(value);
  return out.take();
}

FeatureMapping FeatureMapping::by_names(std::string_view names) {
  FeatureMapping mapping;
  while (!names.empty()) {
    const std::size_t end = std::min(names.find('\n'), names.size());
    const auto feature = traffic::feature_by_name(names.substr(0, end));
    mapping.targets_.push_back(feature ? static_cast<int>(*feature) : -1);
    names.remove_prefix(std::min(end + 1, names.size()));
  }
  return mapping;
}

Result<traffic::Features> FeatureMapping::decode(std::string_view bytes) const {
  if (bytes.size() != targets_.size() * sizeof(float))
    return failure(ErrorCode::kTruncated, bytes.size());
  Reader in(bytes);
  traffic::Features features;
  for (const int target : targets_) {
    const auto value = in.get<float>();
    if (target >= 0) features.values[static_cast<std::size_t>(target)] = value;
  }
  return features;
}

std::string feature_names() {
  std::string names;
  for (const traffic::FeatureInfo& feature : traffic::feature_schema())
    names.append(feature.name).push_back('\n');
  return names;
}

}  // namespace liminal::sqlite
