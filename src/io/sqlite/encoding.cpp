#include "io/sqlite/encoding.hpp"

#include "core/base/codec.hpp"
#include "core/traffic/codec.hpp"

namespace liminal::sqlite {
namespace {

using traffic::Finding;

constexpr std::uint8_t kFindingVersion = 1;

}  // namespace

std::string encode(const Finding& finding) {
  Writer out;
  out.put(kFindingVersion);
  traffic::save(finding, out);
  return out.take();
}

Result<Finding> decode_finding(std::string_view bytes) {
  Reader in(bytes);
  if (in.get<std::uint8_t>() != kFindingVersion)
    return failure(bytes.empty() ? ErrorCode::kTruncated : ErrorCode::kUnsupported);
  Finding finding;
  if (traffic::load(finding, in)) return finding;
  return failure(in.ok() ? ErrorCode::kOutOfRange : ErrorCode::kTruncated, in.position());
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
