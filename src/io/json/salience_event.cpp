#include "io/json/salience_event.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "io/json/fields.hpp"

namespace liminal::json {
namespace {

using salience::Field;

constexpr std::string_view kWords = "info, low, medium, warning, high, error, critical or fatal";

std::string shown(double number) {
  char buffer[40];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, number).ptr};
}

bool is_time(Field field) { return field == Field::kResponseTime || field == Field::kDuration; }

/// What is wrong with a value of a field; empty when nothing is.
std::string read_number(Field field, const Value& value, SalienceEvent& event) {
  const std::optional<double> number = as_number(value);
  if (!number) return "must be a number";
  if (!std::isfinite(*number) || *number > kSalienceNumberMax)
    return "must be at most " + shown(kSalienceNumberMax);
  if (*number < 0) return "must not be negative";
  event.fields[field] = *number;
  if (!is_time(field) && *number > 1) event.clipped.set(static_cast<std::size_t>(field));
  return {};
}

std::string read_severity(const Value& value, SalienceEvent& event) {
  if (const auto* word = value.as<std::string>()) {
    const std::optional<double> log_odds = salience::severity_log_odds(*word);
    if (!log_odds) return "must be " + std::string(kWords) + ", or a number";
    event.severity = *word;
    event.fields[Field::kSeverity] = *log_odds;
    return {};
  }
  if (std::string problem = read_number(Field::kSeverity, value, event); !problem.empty())
    return problem == "must be a number" ? "must be a word or a number" : problem;
  event.fields[Field::kSeverity] = salience::severity_log_odds(event.fields[Field::kSeverity]);
  return {};
}

std::string read_text(const Value& value, std::string& text) {
  const auto* given = value.as<std::string>();
  if (given == nullptr) return "must be text";
  if (given->size() > kSalienceTextBytesMax)
    return "must be at most " + std::to_string(kSalienceTextBytesMax) + " bytes";
  text = *given;
  return {};
}

/// The text that a name of the event stands for; null for another name.
std::string* text_of(SalienceEvent& event, std::string_view name) {
  if (name == "type") return &event.type;
  if (name == "source") return &event.source;
  if (name == "user_id") return &event.user;
  return nullptr;
}

void write_line(std::string_view term, double log_odds, const std::string& text, Writer& out) {
  out.begin_object();
  out.field("term", term);
  out.field("log_odds", log_odds);
  out.field("text", text);
  out.end_object();
}

std::string text_of(const SalienceEvent& event, Field field) {
  const bool clipped = event.clipped.test(static_cast<std::size_t>(field));
  std::string text(name(field));
  if (field == Field::kSeverity) {
    if (!event.severity.empty()) return text + " " + event.severity;
    return text + " as a number" + (clipped ? ", counted as 1" : "");
  }
  text += " " + shown(event.fields[field]) + (is_time(field) ? " s" : "");
  return text + (clipped ? ", counted as 1" : "");
}

std::string text_of(const salience::Judgement& judgement) {
  const salience::Terms& terms = judgement.terms;
  return "history of alerts: rarity " + shown(terms.rarity) + ", of the type " +
         shown(terms.type_rarity) + ", rare things near " + shown(terms.neighbourhood) +
         ", surprise of volume " + shown(terms.surprise) + ", breadth " + shown(terms.breadth) +
         ", feedback " + shown(terms.feedback) +
         (terms.offset != 0 ? ", as learnt, offset " + shown(terms.offset) : "") + ", weighted " +
         shown(judgement.history_weight);
}

}  // namespace

SalienceEvent read_salience_event(const Value& value,
                                  const std::string& path,
                                  std::vector<std::string>& ignored,
                                  Problems& problems) {
  SalienceEvent event;
  const auto* members = value.as<Value::Object>();
  if (members == nullptr) {
    problems.push_back({path, "must be a JSON object"});
    return event;
  }
  for (auto member = members->begin(); member != members->end(); ++member) {
    const std::string& name = member->first;
    std::string problem;
    const std::optional<Field> field = salience::field_by_name(name);
    std::string* const text = text_of(event, name);
    const bool known = field.has_value() || text != nullptr;
    if (known && std::any_of(members->begin(), member, [&](const auto& earlier) {
          return earlier.first == name;
        })) {
      problem = "given twice";
    } else if (!known) {
      if (ignored.size() < kIgnoredMax &&
          std::find(ignored.begin(), ignored.end(), name) == ignored.end())
        ignored.push_back(name);
    } else if (member->second.as<std::nullptr_t>() != nullptr) {
      continue;
    } else if (text != nullptr) {
      problem = read_text(member->second, *text);
    } else if (field == Field::kSeverity) {
      problem = read_severity(member->second, event);
    } else {
      problem = read_number(*field, member->second, event);
    }
    if (!problem.empty())
      problems.push_back({path.empty() ? name : path + "." + name, std::move(problem)});
  }
  return event;
}

void write_explanation(const SalienceEvent& event,
                       const salience::Judgement& judgement,
                       Writer& out) {
  out.begin_array();
  write_line("base", salience::prior({}).log_odds, "an event that says nothing", out);
  for (const salience::PriorTerm& term : judgement.prior.lines())
    write_line(name(term.field), term.log_odds, text_of(event, term.field), out);
  if (judgement.history_weight > 0)
    write_line("history", judgement.history, text_of(judgement), out);
  out.end_array();
}

}  // namespace liminal::json
