#include "app/salience/events.hpp"

#include <fmt/core.h>

#include "io/csv/number.hpp"

namespace liminal::app {
namespace {

constexpr std::uint64_t kComplaintsMax = 10;

bool is_text(std::string_view name) {
  return name == "type" || name == "source" || name == "user_id";
}

/// A field of a row as JSON has it.
json::Value value_of(std::string_view name, std::string_view field) {
  if (is_text(name)) {
    if (field.empty()) return {};
    return {std::string(field)};
  }
  if (csv::is_missing(field)) return {};
  if (const auto number = csv::number(field)) return {*number};
  return {std::string(field)};
}

class EventReader {
 public:
  EventReader(TableFile& file, std::FILE* complaints) : file_(file), complaints_(complaints) {}

  SalienceEvents read() {
    if (file_.holds_json()) {
      read_lines();
    } else {
      read_table();
    }
    return std::move(out_);
  }

 private:
  void complain(const std::string& text) {
    if (++out_.wrong <= kComplaintsMax) fmt::print(complaints_, "{}\n", text);
  }

  [[nodiscard]] bool full() {
    out_.too_many = out_.events.size() + out_.left_out.size() == kSalienceEventsMax;
    return out_.too_many;
  }

  void leave_out(std::string why) { out_.left_out.push_back({out_.events.size(), std::move(why)}); }

  /// False when there is no room for another one.
  bool leave_out(std::uint64_t line, const Problems& problems) {
    if (full()) return false;
    std::string why;
    for (const Problem& problem : problems) {
      const std::string text = problem.key + (problem.key.empty() ? "" : " ") + problem.text;
      complain(fmt::format("{}:{}: {}", file_.name, line, text));
      why += (why.empty() ? "" : "; ") + text;
    }
    leave_out(std::move(why));
    return true;
  }

  /// The same.
  bool add(const json::Value& value, std::uint64_t line) {
    if (full()) return false;
    Problems problems;
    json::SalienceEvent event = json::read_salience_event(value, "", out_.ignored, problems);
    if (!problems.empty()) return leave_out(line, problems);
    out_.events.push_back(std::move(event));
    return true;
  }

  void read_lines() {
    std::string line;
    for (std::uint64_t number = 1; std::getline(*file_.in, line); ++number) {
      if (line.empty() || line == "\r") continue;
      const Result<json::Value> value = json::parse(line);
      if (!(value ? add(*value, number) : leave_out(number, {{"", "this is no JSON"}}))) return;
    }
  }

  void read_table() {
    auto table = csv::Table::open(*file_.in, {.header = csv::Header::kPresent});
    if (!table) {
      if (table.error().code != ErrorCode::kMissing) complain(csv::text(table.error(), file_.name));
      return;
    }
    for (;;) {
      const auto more = table->next();
      if (!more) {
        if (full()) return;
        complain(csv::text(more.error(), file_.name));
        return leave_out(csv::text(more.error(), file_.name));
      }
      if (!*more) return;
      json::Value::Object members;
      for (std::size_t i = 0; i < table->names().size(); ++i) {
        const std::string& name = table->names()[i];
        members.emplace_back(name, value_of(name, table->field(i)));
      }
      if (!add({std::move(members)}, table->line())) return;
    }
  }

  TableFile& file_;
  std::FILE* complaints_;
  SalienceEvents out_;
};

}  // namespace

SalienceEvents read_salience_events(TableFile& file, std::FILE* complaints) {
  return EventReader(file, complaints).read();
}

}  // namespace liminal::app
