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

double number(nb::handle value, std::string_view field) {
  const double taken = PyFloat_AsDouble(value.ptr());
  if (taken == -1 && PyErr_Occurred() != nullptr) {
    PyErr_Clear();
    raise_value(field, "must be a number");
  }
  return taken;
}

std::int64_t whole_number(nb::handle value,
                          std::int64_t low,
                          std::int64_t high,
                          std::string_view field) {
  const auto index = nb::steal<nb::object>(PyNumber_Index(value.ptr()));
  int beyond = 1;
  const long long taken = index.is_valid() ? PyLong_AsLongLongAndOverflow(index.ptr(), &beyond) : 0;
  PyErr_Clear();
  if (beyond != 0 || taken < low || taken > high) {
    raise_value(
        field,
        "must be a whole number from " + std::to_string(low) + " to " + std::to_string(high));
  }
  return taken;
}

namespace {

/// Values as they are where NumPy's type and layout are those wanted, else what `made` makes of
/// them.
template <class T, class F>
Column<T> column_of(nb::handle values, F made) {
  Column<T> taken;
  if (PyObject_CheckBuffer(values.ptr()) != 0 && nb::try_cast(values, taken, false)) return taken;
  return nb::cast<Column<T>>(made(nb::module_::import_("liminal._columns")));
}

}  // namespace

Column<double> numbers(nb::handle values, const char* field) {
  return column_of<double>(
      values, [&](const nb::object& columns) { return columns.attr("floats")(values, field); });
}

Column<std::uint32_t> whole_numbers(nb::handle values, const char* field) {
  return column_of<std::uint32_t>(values, [&](const nb::object& columns) {
    return columns.attr("numbers")(values, nb::module_::import_("numpy").attr("uint32"), field);
  });
}

Column<double> times(nb::handle values, const char* field) {
  if (values.is_none()) raise_value(field, "must be seconds since the epoch, or datetime64");
  return column_of<double>(
      values, [&](const nb::object& columns) { return columns.attr("seconds")(values, field); });
}

EventTime event_time(double seconds_since_epoch) {
  if (!(seconds_since_epoch >= 0 && seconds_since_epoch <= static_cast<double>(json::kSecondsMax)))
    raise_value("timestamp", "must be seconds since the epoch, from 1970 to 2200");
  const double whole = std::floor(seconds_since_epoch);
  return EventTime{std::chrono::seconds{static_cast<std::int64_t>(whole)} +
                   from_seconds(seconds_since_epoch - whole)};
}

EventTime event_time(nb::handle time) {
  if (!PyFloat_Check(time.ptr()) && !PyLong_Check(time.ptr()) && nb::hasattr(time, "timestamp")) {
    nb::object moment = nb::borrow(time);
    if (nb::getattr(time, "tzinfo", nb::none()).is_none()) {
      const nb::object utc = nb::module_::import_("datetime").attr("timezone").attr("utc");
      moment = time.attr("replace")(nb::arg("tzinfo") = utc);
    }
    return event_time(number(moment.attr("timestamp")(), "timestamp"));
  }
  const double value = PyFloat_AsDouble(time.ptr());
  if (value == -1 && PyErr_Occurred() != nullptr) {
    PyErr_Clear();
    raise_value("timestamp", "must be seconds since the epoch or a datetime");
  }
  return event_time(value);
}

double seconds_of(SteadyTime time) { return seconds(time.time_since_epoch()); }

}  // namespace liminal::python
