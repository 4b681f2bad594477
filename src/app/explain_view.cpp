#include "app/explain_view.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/printable.hpp"

namespace liminal::app {
namespace {

using nlohmann::json;

std::string text(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return "unknown";
  if (found->is_string()) return printable(found->get<std::string>());
  if (found->is_number()) return fmt::format("{:.4g}", found->get<double>());
  return found->dump();
}

/// "0 to 6", or "at most 6".
std::string range(const json& line) {
  const std::string low = text(line, "expected_low"), high = text(line, "expected_high");
  if (low == "unknown" && high == "unknown") return low;
  return low == "0" ? "at most " + high : low + " to " + high;
}

std::string judgement(const json& finding) {
  std::string out = fmt::format("    {} by {} ({}): {} of the alarm line, confidence {}\n",
                                text(finding, "severity"),
                                text(finding, "detector"),
                                text(finding, "decided_by"),
                                text(finding, "score"),
                                text(finding, "confidence"));
  const auto evidence = finding.find("evidence");
  if (evidence == finding.end() || evidence->empty()) return out;
  out += fmt::format(
      "    {:<24} {:>10}  {:<22} {}\n", "signal", "seen", "expected", "part of the score");
  for (const json& line : *evidence) {
    out += fmt::format("    {:<24} {:>10}  {:<22} {}\n",
                       text(line, "signal"),
                       text(line, "observed"),
                       range(line),
                       text(line, "contribution"));
  }
  return out;
}

}  // namespace

std::string render_explanation(const json& explanation) {
  const json alert = explanation.value("alert", json::object());
  std::string out = fmt::format("{} ({}) about {} at {}: {}\n",
                                text(alert, "type"),
                                text(alert, "severity"),
                                text(alert, "user_id"),
                                text(alert, "ip_address"),
                                text(explanation, "meaning"));
  out += fmt::format("{} findings from {} to {}; {}; recommended: {}\n",
                     text(alert, "count"),
                     text(alert, "first_seen"),
                     text(alert, "last_seen"),
                     text(alert, "status"),
                     text(alert, "recommended_action"));
  out += "\n  what raised it\n" + judgement(explanation.value("first", json::object()));
  out += "\n  the worst so far\n" + judgement(explanation.value("worst", json::object()));
  const json replay = explanation.value("replay", json::object());
  out += fmt::format("\n  to see the decision again\n    {}\n", text(replay, "command"));
  return out;
}

}  // namespace liminal::app
