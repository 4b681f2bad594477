#include "server/registry/columns.hpp"

#include "io/json/value.hpp"
#include "io/json/writer.hpp"

namespace liminal::registry {
namespace {

double number_of(const json::Value& value) {
  if (const auto* real = value.as<double>()) return *real;
  if (const auto* whole = value.as<std::int64_t>()) return static_cast<double>(*whole);
  return 0;
}

}  // namespace

std::string list_json(const std::vector<std::string>& texts) {
  json::Writer out;
  out.begin_array();
  for (const std::string& text : texts) out.value(text);
  out.end_array();
  return out.take();
}

std::string figures_json(const learn::NamedFigures& figures) {
  json::Writer out;
  out.begin_object();
  for (const auto& [name, value] : figures) out.field(name, value);
  out.end_object();
  return out.take();
}

std::string board_json(const std::vector<learn::JobLine>& lines) {
  json::Writer out;
  out.begin_array();
  for (const learn::JobLine& line : lines) {
    out.begin_array();
    out.value(line.recipe);
    out.value(line.score);
    out.value(line.fits);
    out.value(line.cost_s);
    out.value(line.us_row);
    out.value(line.memory_bytes);
    out.end_array();
  }
  out.end_array();
  return out.take();
}

std::vector<std::string> list_of(std::string_view text) {
  std::vector<std::string> list;
  const auto value = json::parse(text);
  const auto* array = value ? value->as<json::Value::Array>() : nullptr;
  if (array == nullptr) return list;
  for (const json::Value& each : *array)
    if (const auto* word = each.as<std::string>()) list.push_back(*word);
  return list;
}

learn::NamedFigures figures_of(std::string_view text) {
  learn::NamedFigures figures;
  const auto value = json::parse(text);
  const auto* object = value ? value->as<json::Value::Object>() : nullptr;
  if (object == nullptr) return figures;
  for (const auto& [name, each] : *object)
    if (each.as<std::nullptr_t>() == nullptr) figures.emplace_back(name, number_of(each));
  return figures;
}

std::vector<learn::JobLine> board_of(std::string_view text) {
  std::vector<learn::JobLine> lines;
  const auto value = json::parse(text);
  const auto* array = value ? value->as<json::Value::Array>() : nullptr;
  if (array == nullptr) return lines;
  for (const json::Value& each : *array) {
    const auto* parts = each.as<json::Value::Array>();
    if (parts == nullptr || (parts->size() != 4 && parts->size() != 6)) continue;
    const auto* recipe = (*parts)[0].as<std::string>();
    lines.push_back({recipe == nullptr ? "" : *recipe,
                     number_of((*parts)[1]),
                     static_cast<std::uint32_t>(number_of((*parts)[2])),
                     number_of((*parts)[3])});
    if (parts->size() == 4) continue;  // kept before costs of a row were
    lines.back().us_row = number_of((*parts)[4]);
    lines.back().memory_bytes = number_of((*parts)[5]);
  }
  return lines;
}

}  // namespace liminal::registry
