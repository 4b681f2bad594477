#include "server/training/report_page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "io/json/fields.hpp"
#include "io/json/time_text.hpp"
#include "io/json/value.hpp"
#include "server/training/page_parts.hpp"

namespace liminal::training {
namespace {

using json::Value;

const Value* member(const Value* object, std::string_view name) {
  return object == nullptr ? nullptr : json::member(*object, name);
}

const Value::Array* list(const Value* value) {
  return value == nullptr ? nullptr : value->as<Value::Array>();
}

std::string number_text(double number) {
  const bool whole = number == std::floor(number) && std::abs(number) < 1e15;
  return whole ? fmt::format("{:.0f}", number) : fmt::format("{:.5g}", number);
}

/// A value in a few words; nothing of a list or an object.
std::string words(const Value* value) {
  if (value == nullptr) return {};
  if (const auto* text = value->as<std::string>()) return *text;
  if (const auto* truth = value->as<bool>()) return *truth ? "yes" : "no";
  if (const auto number = json::as_number(*value)) return number_text(*number);
  return {};
}

/// A positive number in a unit, with two digits; nothing of what is not known.
std::string rounded(const Value* value, double unit) {
  const double number = value == nullptr ? 0 : json::as_number(*value).value_or(0);
  return number > 0 ? fmt::format("{:.2g}", number / unit) : std::string();
}

/// "roc_auc" as "roc auc".
std::string spoken(std::string name) {
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

void add_strings(const char* title, const Value* value, std::string& out) {
  const auto* texts = list(value);
  if (texts == nullptr || texts->empty()) return;
  out += fmt::format("<h2>{}</h2><ul>\n", title);
  for (const Value& text : *texts) out += fmt::format("<li>{}</li>\n", svg::escaped(words(&text)));
  out += "</ul>\n";
}

void add_verdict(const Value* gate, std::string& out) {
  if (gate == nullptr) return;
  const Value* better = member(gate, "better");
  if (better != nullptr)
    out += fmt::format("<p><b>{}</b></p>\n",
                       words(better) == "yes" ? "Better than what it was compared with"
                                              : "Not shown to be better");
  add_strings("Why", member(gate, "reasons"), out);
}

/// One line a figure, of the version and of what it was compared with.
void add_figures(const Value& report, std::string& out) {
  const Value* held_out = member(&report, "held_out");
  const Value* champion = member(&report, "champion");
  const auto* figures = held_out != nullptr ? held_out->as<Value::Object>() : nullptr;
  if (figures == nullptr || figures->empty()) return;
  const bool compared = champion != nullptr && champion->as<Value::Object>() != nullptr;
  out += "<h2>Figures</h2><table><tr><th></th><th>this version</th>";
  out += compared ? "<th>compared with</th></tr>\n" : "</tr>\n";
  for (const auto& [name, value] : *figures) {
    out += fmt::format("<tr><td>{}</td><td class=n>{}</td>",
                       svg::escaped(spoken(name)),
                       svg::escaped(words(&value)));
    if (compared)
      out += fmt::format("<td class=n>{}</td>", svg::escaped(words(member(champion, name))));
    out += "</tr>\n";
  }
  out += "</table>\n";
}

void add_split(const Value& report, std::string& out) {
  const Value* split = member(&report, "split");
  if (split == nullptr) return;
  out += fmt::format(
      "<p>On {} rows that nothing was fitted to or chosen by ({}); {} were learnt "
      "from.</p>\n",
      words(member(split, "held_out_rows")),
      svg::escaped(words(member(split, "how"))),
      words(member(split, "trained_rows")));
  if (const std::string served = words(member(split, "served")); !served.empty())
    out += fmt::format("<p>{}.</p>\n", svg::escaped(served));
}

/// An object's plain members, one a line.
void add_object(const char* title, const Value* object, std::string& out) {
  const auto* members = object != nullptr ? object->as<Value::Object>() : nullptr;
  if (members == nullptr || members->empty()) return;
  out += fmt::format("<h2>{}</h2><table>\n", title);
  for (const auto& [name, value] : *members) {
    const std::string text = words(&value);
    if (!text.empty())
      out += fmt::format("<tr><td>{}</td><td class=n>{}</td></tr>\n",
                         svg::escaped(spoken(name)),
                         svg::escaped(text));
  }
  out += "</table>\n";
}

svg::Line line_of(std::string name, svg::Stroke stroke) {
  return {std::move(name), {}, {}, svg::Colour{1}, stroke, 2};
}

void add_diagonal(const char* name, svg::Chart& chart) {
  chart.lines.push_back({name, {0, 1}, {0, 1}, svg::kInk, svg::Stroke::kDotted, 1});
}

void add_curve(const Value* curve, svg::Chart chart, std::string& out) {
  const auto* points = list(curve);
  if (points == nullptr || points->size() < 2) return;
  svg::Line line = line_of("this version", svg::Stroke::kSolid);
  for (const Value& point : *points) {
    const auto* pair = point.as<Value::Array>();
    if (pair == nullptr || pair->size() != 2) return;
    line.x.push_back(json::as_number((*pair)[0]).value_or(0));
    line.y.push_back(json::as_number((*pair)[1]).value_or(0));
  }
  chart.lines.push_back(std::move(line));
  out += drawn(chart);
}

void add_plots(const Value& report, std::string& out) {
  const Value* curves = member(&report, "curves");
  svg::Chart roc = square("ROC", "false positives, share", "true positives, share");
  add_diagonal("chance", roc);
  add_curve(member(curves, "roc"), std::move(roc), out);
  add_curve(member(curves, "precision_recall"),
            square("Precision and recall", "recall", "precision"),
            out);
  const auto* bins = list(member(&report, "calibration"));
  if (bins == nullptr || bins->empty()) return;
  svg::Chart chart = square("Calibration", "probability as said", "share as it came");
  svg::Line line = line_of("ten parts of the rows", svg::Stroke::kLineAndMarks);
  for (const Value& bin : *bins) {
    const Value *said = member(&bin, "predicted"), *came = member(&bin, "observed");
    if (said == nullptr || came == nullptr) continue;
    line.x.push_back(json::as_number(*said).value_or(0));
    line.y.push_back(json::as_number(*came).value_or(0));
  }
  chart.lines.push_back(std::move(line));
  add_diagonal("as it should be", chart);
  out += drawn(chart);
}

void add_board(const Value& report, std::string& out) {
  const auto* lines = list(member(&report, "leaderboard"));
  if (lines == nullptr || lines->empty()) return;
  out +=
      "<h2>Leaderboard</h2><table><tr><th>score</th><th>recipe</th><th>fits</th><th>s</th>"
      "<th>µs a row</th><th>MiB</th></tr>\n";
  for (const Value& line : *lines)
    out += fmt::format(
        "<tr><td class=n>{}</td><td>{}</td><td class=n>{}</td><td class=n>{}</td>"
        "<td class=n>{}</td><td class=n>{}</td></tr>\n",
        svg::escaped(words(member(&line, "score"))),
        svg::escaped(words(member(&line, "recipe"))),
        svg::escaped(words(member(&line, "fits"))),
        svg::escaped(words(member(&line, "cost_s"))),
        rounded(member(&line, "us_a_row"), 1),
        rounded(member(&line, "memory_bytes"), 1024 * 1024));
  out += "</table>\n";
}

void add_tree(const Value& value, std::string& out) {
  if (const auto* object = value.as<Value::Object>()) {
    out += "<ul>\n";
    for (const auto& [name, each] : *object) {
      out += fmt::format("<li>{}: ", svg::escaped(spoken(name)));
      add_tree(each, out);
      out += "</li>\n";
    }
    out += "</ul>\n";
  } else if (const auto* array = value.as<Value::Array>()) {
    out += "<ul>\n";
    for (const Value& each : *array) {
      out += "<li>";
      add_tree(each, out);
      out += "</li>\n";
    }
    out += "</ul>\n";
  } else {
    out += svg::escaped(words(&value));
  }
}

/// What other trainers tell.
void add_the_rest(const Value& report, std::string& out) {
  constexpr std::array<std::string_view, 12> kShown{"data",
                                                    "split",
                                                    "held_out",
                                                    "champion",
                                                    "judged_by_people",
                                                    "without_rule_features",
                                                    "importance",
                                                    "calibration",
                                                    "gate",
                                                    "cost",
                                                    "leaderboard",
                                                    "curves"};
  const auto* members = report.as<Value::Object>();
  if (members == nullptr) return;
  for (const auto& [name, value] : *members) {
    if (std::find(kShown.begin(), kShown.end(), name) != kShown.end()) continue;
    out += fmt::format("<h2>{}</h2>\n", svg::escaped(spoken(name)));
    add_tree(value, out);
  }
}

}  // namespace

std::string report_page(const learn::ModelVersion& version) {
  std::string out =
      page_head(fmt::format("Training of {}, version {}", version.model, version.number));
  out += fmt::format("<p>Trained by {}", svg::escaped(version.trainer));
  if (version.job != 0) out += fmt::format(" in job {}", version.job);
  out += fmt::format(", published {}.</p>\n", json::format_time(version.created));
  auto parsed = json::parse(version.report.empty() ? "{}" : version.report);
  const Value report = parsed ? std::move(*parsed) : Value{Value::Object{}};
  add_verdict(member(&report, "gate"), out);
  add_figures(report, out);
  add_split(report, out);
  const Value* people = member(&report, "judged_by_people");
  add_object("Rows that people judged", people, out);
  add_object("On those alone", member(people, "figures"), out);
  add_object("Without what the rules look at", member(&report, "without_rule_features"), out);
  add_plots(report, out);
  add_object("Importance (what is lost without a feature)", member(&report, "importance"), out);
  add_board(report, out);
  add_object("Cost", member(&report, "cost"), out);
  const Value* data = member(&report, "data");
  add_object("Data", data, out);
  add_strings("Notes", member(data, "notes"), out);
  add_the_rest(report, out);
  return out + "</html>\n";
}

std::vector<std::string> notes_of(std::string_view report) {
  std::vector<std::string> found;
  const auto parsed = json::parse(report);
  const Value* notes = member(member(parsed ? &*parsed : nullptr, "data"), "notes");
  const auto* const texts = notes != nullptr ? notes->as<Value::Array>() : nullptr;
  if (texts == nullptr) return found;
  for (const Value& each : *texts)
    if (const auto* text = each.as<std::string>()) found.push_back(*text);
  return found;
}

std::string report_of(const learn::ModelVersion& version, bool page) {
  if (page) return report_page(version);
  return version.report.empty() ? "{}" : version.report;
}

}  // namespace liminal::training
