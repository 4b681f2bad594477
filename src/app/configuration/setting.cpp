#include "app/configuration/setting.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <type_traits>

#include "app/configuration/configuration.hpp"
#include "app/configuration/quantity.hpp"
#include "app/configuration/suggestion.hpp"

namespace liminal::app {
namespace {

template <class... Ts>
struct Overload : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overload(Ts...) -> Overload<Ts...>;

using Trouble = std::optional<std::string>;

const std::string* text_of(const Written& written) {
  return std::get_if<std::string>(&written.value);
}

std::optional<double> number_of(const Written& written) {
  if (const auto* whole = std::get_if<std::int64_t>(&written.value))
    return static_cast<double>(*whole);
  if (const auto* real = std::get_if<double>(&written.value)) return *real;
  if (const std::string* text = text_of(written); text && written.from_text) {
    double number = 0;
    const char* const last = text->data() + text->size();
    const auto [end, error] = std::from_chars(text->data(), last, number);
    if (error == std::errc{} && end == last) return number;
  }
  return std::nullopt;
}

bool within(const Setting& setting, double value) {
  return value >= setting.low && value <= setting.high;
}

/// A number in the setting's unit.
std::string number_text(const Setting& setting, double value, bool is_duration) {
  if (is_duration) return format_duration(from_seconds(value));
  if (setting.unit == Unit::kBytes) return format_bytes(static_cast<std::uint64_t>(value));
  return fmt::format("{}", value);
}

std::string bounds(const Setting& setting, bool is_duration) {
  return fmt::format("{} to {}",
                     number_text(setting, setting.low, is_duration),
                     number_text(setting, setting.high, is_duration));
}

std::string outside(const Setting& setting, bool is_duration) {
  return fmt::format("must be {}", bounds(setting, is_duration));
}

Trouble put(const Setting&, const Written& written, bool* slot) {
  if (const bool* value = std::get_if<bool>(&written.value)) {
    *slot = *value;
    return {};
  }
  const std::string* text = text_of(written);
  if (text && written.from_text && (*text == "true" || *text == "false")) {
    *slot = *text == "true";
    return {};
  }
  return "must be true or false";
}

template <class T>
Trouble put_number(const Setting& setting, const Written& written, T* slot) {
  if (setting.unit == Unit::kBytes) {
    const std::string* text = text_of(written);
    const auto bytes = text ? parse_bytes(*text) : std::nullopt;
    if (!bytes) return "must be a size with its unit, as \"64 KiB\"";
    if (!within(setting, static_cast<double>(*bytes))) return outside(setting, false);
    *slot = static_cast<T>(*bytes);
    return {};
  }
  const auto number = number_of(written);
  if (!number) return std::is_integral_v<T> ? "must be a whole number" : "must be a number";
  if (std::is_integral_v<T> && std::round(*number) != *number) return "must be a whole number";
  if (!within(setting, *number)) return outside(setting, false);
  *slot = static_cast<T>(*number);
  return {};
}

Trouble put(const Setting& setting, const Written& written, Duration* slot) {
  const std::string* text = text_of(written);
  const auto duration = text ? parse_duration(*text) : std::nullopt;
  if (!duration) return "must be a time with its unit, as \"10 s\" or \"5 min\"";
  if (!within(setting, seconds(*duration))) return outside(setting, true);
  *slot = *duration;
  return {};
}

Trouble put(const Setting&, const Written& written, std::string* slot) {
  const std::string* text = text_of(written);
  if (!text) return "must be text";
  *slot = *text;
  return {};
}

Trouble put(const Setting&, const Written& written, std::vector<std::string>* slot) {
  if (const auto* list = std::get_if<std::vector<std::string>>(&written.value)) {
    *slot = *list;
    return {};
  }
  const std::string* text = text_of(written);
  if (!text || !written.from_text) return "must be a list of texts";
  slot->clear();
  for (std::size_t start = 0; start < text->size();) {
    const std::size_t comma = std::min(text->find(',', start), text->size());
    if (comma > start) slot->push_back(text->substr(start, comma - start));
    start = comma + 1;
  }
  return {};
}

Trouble put(const Setting&, const Written& written, const Choice& choice) {
  const std::string* text = text_of(written);
  if (text && std::find(choice.words.begin(), choice.words.end(), *text) != choice.words.end()) {
    choice.set(*text);
    return {};
  }
  std::string trouble = fmt::format("must be one of {}", fmt::join(choice.words, ", "));
  if (text) {
    if (const auto meant = suggestion(*text, choice.words))
      trouble += fmt::format("; did you mean {}?", *meant);
  }
  return trouble;
}

}  // namespace

std::string toml_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::optional<std::string> assign(const Setting& setting,
                                  Configuration& configuration,
                                  const Written& written) {
  return std::visit(
      Overload{[&](std::uint32_t* slot) { return put_number(setting, written, slot); },
               [&](std::uint64_t* slot) { return put_number(setting, written, slot); },
               [&](std::int64_t* slot) { return put_number(setting, written, slot); },
               [&](float* slot) { return put_number(setting, written, slot); },
               [&](double* slot) { return put_number(setting, written, slot); },
               [&](const auto& slot) { return put(setting, written, slot); }},
      setting.slot(configuration));
}

std::string value_text(const Setting& setting, const Configuration& configuration) {
  const auto number = [&](auto* slot) {
    return setting.unit == Unit::kBytes ? toml_text(format_bytes(static_cast<std::uint64_t>(*slot)))
                                        : fmt::format("{}", *slot);
  };
  // A slot gives access for writing too; here it is only read.
  return std::visit(Overload{[](bool* slot) { return std::string(*slot ? "true" : "false"); },
                             [&](std::uint32_t* slot) { return number(slot); },
                             [&](std::uint64_t* slot) { return number(slot); },
                             [&](std::int64_t* slot) { return number(slot); },
                             [&](float* slot) { return number(slot); },
                             [&](double* slot) { return number(slot); },
                             [](Duration* slot) { return toml_text(format_duration(*slot)); },
                             [](std::string* slot) { return toml_text(*slot); },
                             [](std::vector<std::string>* slot) {
                               std::vector<std::string> quoted;
                               for (const std::string& text : *slot)
                                 quoted.push_back(toml_text(text));
                               return fmt::format("[{}]", fmt::join(quoted, ", "));
                             },
                             [](const Choice& choice) { return toml_text(choice.get()); }},
                    setting.slot(const_cast<Configuration&>(configuration)));
}

std::string type_text(const Setting& setting) {
  const std::string_view number = setting.unit == Unit::kBytes   ? "size"
                                  : setting.unit == Unit::kRatio ? "ratio"
                                                                 : "number";
  Configuration fresh;
  return std::visit(Overload{[](bool*) { return std::string("true or false"); },
                             [](Duration*) { return std::string("time"); },
                             [](std::string*) { return std::string("text"); },
                             [](std::vector<std::string>*) { return std::string("list of texts"); },
                             [](const Choice& choice) {
                               return fmt::format("{}", fmt::join(choice.words, ", "));
                             },
                             [&](auto*) { return std::string(number); }},
                    setting.slot(fresh));
}

std::string bounds_text(const Setting& setting) {
  if (setting.low == 0 && setting.high == 0) return {};
  Configuration fresh;
  return bounds(setting, std::holds_alternative<Duration*>(setting.slot(fresh)));
}

std::string environment_name(const Setting& setting) {
  std::string name = "LIMINAL_";
  for (const char c : setting.key) {
    name += c == '.' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  }
  return name;
}

}  // namespace liminal::app
