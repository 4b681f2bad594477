#include "core/traffic/alert.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace liminal::traffic {
namespace {

constexpr std::array<std::string_view, 2> kStatusNames{"open", "resolved"};
constexpr std::array<std::string_view, 4> kFeedbackNames{
    "none", "true_positive", "false_positive", "expected"};

/// Three significant digits, never in scientific form below a billion.
std::string number(float value) {
  if (!std::isfinite(value)) return value > 0 ? "unlimited" : "unknown";
  char buffer[64];
  const float magnitude = std::abs(value);
  const int decimals = magnitude >= 100 || value == std::floor(value) ? 0 : magnitude >= 10 ? 1 : 2;
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed, decimals).ptr;
  return {buffer, end};
}

std::string phrase(const Evidence& line) {
  std::string text(name(line.signal));
  text += ' ';
  text += number(line.observed);
  if (line.expected_high > 0 || line.expected_low > 0) {
    const bool at_most = line.observed > line.expected_high || line.expected_low <= 0;
    text += at_most ? " (expected at most " : " (expected at least ";
    text += number(at_most ? line.expected_high : line.expected_low);
    text += ')';
  }
  return text;
}

}  // namespace

std::string_view name(AlertStatus status) { return kStatusNames[static_cast<std::size_t>(status)]; }
std::string_view name(FeedbackVerdict verdict) {
  return kFeedbackNames[static_cast<std::size_t>(verdict)];
}

std::optional<FeedbackVerdict> feedback_by_name(std::string_view name) {
  for (std::size_t i = 1; i < kFeedbackNames.size(); ++i) {
    if (kFeedbackNames[i] == name) return FeedbackVerdict{static_cast<std::uint8_t>(i)};
  }
  return std::nullopt;
}

std::string alert_id(ShardId shard, std::uint64_t number) {
  std::string id = std::to_string(index(shard));
  id += '-';
  return id += std::to_string(number);
}

std::string alert_id(const Alert& alert) { return alert_id(alert.shard, alert.number); }

std::optional<std::pair<ShardId, std::uint64_t>> parse_alert_id(std::string_view id) {
  const auto dash = id.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  std::uint32_t shard = 0;
  std::uint64_t number = 0;
  const char* middle = id.data() + dash;
  const char* end = id.data() + id.size();
  const auto first = std::from_chars(id.data(), middle, shard);
  const auto second = std::from_chars(middle + 1, end, number);
  if (first.ec != std::errc{} || first.ptr != middle || second.ec != std::errc{} ||
      second.ptr != end || shard > index(kOfGateways) || number > kAlertNumberMax)
    return std::nullopt;
  return std::pair{ShardId{static_cast<std::uint8_t>(shard)}, number};
}

std::string explanation(const Finding& finding) {
  std::array<Evidence, kEvidenceMax> lines = finding.evidence;
  auto end = lines.begin() + finding.evidence_count;
  std::stable_sort(lines.begin(), end, [](const Evidence& a, const Evidence& b) {
    return a.contribution > b.contribution;
  });
  // A model has a line for every feature: most of them say little.
  constexpr std::ptrdiff_t kLinesInWords = 4;
  if (finding.detector == Detector::kModel) end = std::min(end, lines.begin() + kLinesInWords);
  std::string text(info(finding.type).meaning);
  const char* separator = ": ";
  for (auto line = lines.begin(); line != end; ++line) {
    text += separator + phrase(*line);
    separator = ", ";
  }
  text += " [";
  text += name(finding.detector);
  text += ", " + number(finding.score) + " of the alarm line]";
  return text;
}

}  // namespace liminal::traffic
