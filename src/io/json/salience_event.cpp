#include "io/json/salience_event.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "io/json/fields.hpp"

namespace liminal::json {
namespace {

using salience::Field;

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

void ignore(const std::string& what, std::vector<std::string>& ignored) {
  if (ignored.size() < kIgnoredMax &&
      std::find(ignored.begin(), ignored.end(), what) == ignored.end())
    ignored.push_back(what);
}

/// A word that is not known says nothing: senders have their own.
std::string read_severity(const Value& value,
                          SalienceEvent& event,
                          std::vector<std::string>& ignored) {
  if (const auto* word = value.as<std::string>()) {
    if (word->size() > kSalienceTextBytesMax)
      return "must be at most " + std::to_string(kSalienceTextBytesMax) + " bytes";
    const std::optional<double> log_odds = salience::severity_log_odds(*word);
    if (!log_odds) {
      ignore("severity " + *word, ignored);
      return {};
    }
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

/// A line for each term of the history; together they are its log-odds.
void write_history(const salience::Judgement& judgement, Writer& out) {
  const salience::Terms& terms = judgement.terms;
  const std::string weighted = ", of a history that counts " + shown(judgement.history_weight);
  const auto line = [&](std::string_view term, double value, std::string_view text) {
    write_line(term,
               salience::history_log_odds(value, judgement.history_weight),
               std::string(text) + " " + shown(value) + weighted,
               out);
  };
  write_line("history_base",
             salience::history_log_odds(-salience::kNeutral, judgement.history_weight),
             "an alert of a middling history has " + shown(salience::kNeutral),
             out);
  line("rarity", terms.rarity, "rarity");
  line("type_rarity", terms.type_rarity, "rarity of the type");
  line("neighbourhood", terms.neighbourhood, "rare things near");
  line("surprise", terms.surprise, "surprise of volume");
  line("breadth", terms.breadth, "the same elsewhere");
  write_line("feedback",
             salience::history_log_odds(terms.feedback, 1),
             "what operators said of the type " + shown(terms.feedback),
             out);
  if (terms.offset != 0) line("offset", terms.offset, "offset that was learnt");
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
      ignore(name, ignored);
    } else if (member->second.as<std::nullptr_t>() != nullptr) {
      continue;
    } else if (text != nullptr) {
      problem = read_text(member->second, *text);
    } else if (field == Field::kSeverity) {
      problem = read_severity(member->second, event, ignored);
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
  if (judgement.history_weight > 0 || judgement.history != 0) write_history(judgement, out);
  if (judgement.word != 0)
    write_line("judged", judgement.word, "an operator judged this alert to be nothing", out);
  out.end_array();
}

}  // namespace liminal::json
