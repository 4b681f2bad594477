#include "convert.hpp"

#include <cmath>

#include "io/json/time_text.hpp"

namespace liminal::python {

void raise_value(std::string_view field, std::string_view text) {
  std::string words(field);
  if (!words.empty()) words += ": ";
  words += text;
  throw nb::value_error(words.c_str());
}

void raise_key(std::string_view field, std::string_view value) {
  std::string words(field);
  words.append(": '").append(value).append("' is not known");
  throw nb::key_error(words.c_str());
}

void raise_error(std::string_view what, const Error& error) {
  raise_value(what, std::string(name(error.code)) + " (at " + std::to_string(error.position) + ")");
}

void raise_if_any(const Problems& problems) {
  if (problems.empty()) return;
  std::string words;
  for (const Problem& problem : problems) {
    if (!words.empty()) words += "; ";
    words += problem.key + (problem.key.empty() ? "" : ": ") + problem.text;
  }
  raise_value("", words);
}

nb::object from_json(std::string_view json) {
  return nb::module_::import_("json").attr("loads")(nb::str(json.data(), json.size()));
}

std::string to_json(nb::handle value) {
  const nb::object text =
      nb::module_::import_("json").attr("dumps")(value, nb::arg("allow_nan") = false);
  return nb::cast<nb::str>(text).c_str();
}

EventTime event_time(double seconds_since_epoch) {
  if (!(seconds_since_epoch >= 0 && seconds_since_epoch <= static_cast<double>(json::kSecondsMax)))
    raise_value("timestamp", "must be seconds since the epoch, from 1970 to 2200");
  const double whole = std::floor(seconds_since_epoch);
  return EventTime{std::chrono::seconds{static_cast<std::int64_t>(whole)} +
                   from_seconds(seconds_since_epoch - whole)};
}

EventTime event_time(nb::handle time) {
  if (!PyFloat_Check(time.ptr()) && !PyLong_Check(time.ptr()) && nb::hasattr(time, "timestamp"))
    return event_time(time.attr("timestamp")());
  const double value = PyFloat_AsDouble(time.ptr());
  if (value == -1 && PyErr_Occurred() != nullptr) {
    PyErr_Clear();
    raise_value("timestamp", "must be seconds since the epoch or a datetime");
  }
  return event_time(value);
}

double seconds_of(SteadyTime time) { return seconds(time.time_since_epoch()); }

}  // namespace liminal::python
