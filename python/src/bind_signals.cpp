#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>

#include <cmath>
#include <limits>

#include "bind.hpp"
#include "core/limits/gcra.hpp"
#include "core/novelty/metric_series.hpp"
#include "core/salience/judgement.hpp"
#include "io/json/salience_event.hpp"

namespace liminal::python {
namespace {

using namespace nb::literals;

// --- GCRA ----------------------------------------------------------------------------------------

class Limiter {
 public:
  Limiter(double per_second, std::uint32_t burst, bool bytes)
      : policy_(bytes ? limits::GcraPolicy::bytes(per_second, burst)
                      : limits::GcraPolicy::messages(per_second, burst)) {}

  [[nodiscard]] const limits::GcraPolicy& policy() const { return policy_; }
  limits::GcraVerdict take(double now, std::uint32_t cost) {
    return gcra_.take(policy_, time_of(now), cost);
  }
  [[nodiscard]] Duration excess(double now, std::uint32_t cost) const {
    return gcra_.excess(policy_, time_of(now), cost);
  }
  static bool valid(double now) { return now >= 0 && now <= kSecondsMax; }

 private:
  static constexpr double kSecondsMax = 4e9;
  static SteadyTime time_of(double now) {
    const double whole = std::floor(now);
    return SteadyTime{std::chrono::seconds{static_cast<std::int64_t>(whole)} +
                      from_seconds(now - whole)};
  }

  limits::GcraPolicy policy_;
  limits::Gcra gcra_;
};
using Gcra = Guarded<Limiter>;

void check_now(double now) {
  if (!Limiter::valid(now)) raise_value("now", "must be 0 to 4e9 seconds");
}

std::uint32_t cost_of(std::int64_t cost) {
  if (cost < 0 || cost > std::numeric_limits<std::uint32_t>::max())
    raise_value("cost", "must be 0 to 4294967295");
  return static_cast<std::uint32_t>(cost);
}

Array<bool> allow_batch(Gcra& gcra, nb::handle nows, nb::handle costs) {
  const Column<double> now = numbers(nows, "now");
  std::optional<Column<std::uint32_t>> cost;
  if (!costs.is_none()) cost = whole_numbers(costs, "cost");
  const std::size_t count = now.shape(0);
  if (cost && cost->shape(0) != count) raise_value("cost", "must be as long as now");
  for (std::size_t i = 0; i < count; ++i) check_now(now.data()[i]);
  auto* allowed = new bool[count == 0 ? 1 : count];
  nb::capsule owner(allowed, [](void* p) noexcept { delete[] static_cast<bool*>(p); });
  gcra.without_interpreter([&](Limiter& limiter) {
    for (std::size_t i = 0; i < count; ++i)
      allowed[i] = limiter.take(now.data()[i], cost ? cost->data()[i] : 1).allowed;
  });
  return Array<bool>(allowed, {count}, owner);
}

double seconds_or_never(Duration duration) {
  return duration == Duration::max() ? std::numeric_limits<double>::infinity() : seconds(duration);
}

void bind_gcra(nb::module_& module) {
  nb::class_<Gcra>(module, "GCRA", R"(A rate limit with a burst, by the generic cell rate algorithm.

per_second: units a second, 1e-5 to 1e9 (of bytes 1 to 1e9), or 0 for no limit. burst: units that may
come at once, 1 to what the rate allows in a day. unit: "messages", or "bytes" for rates up to a
gigabyte a second. Times are seconds, from any zero, 0 to 4e9; one that goes back neither grants nor
costs anything. Exact to a nanosecond. Thread-safe.)")
      .def(
          "__init__",
          [](Gcra* self, nb::handle rate, nb::handle most_at_once, std::string_view unit) {
            const double per_second = number(rate, "per_second");
            const std::int64_t burst =
                whole_number(most_at_once, 1, std::numeric_limits<std::uint32_t>::max(), "burst");
            if (unit != "messages" && unit != "bytes")
              raise_value("unit", "must be messages or bytes");
            const bool bytes = unit == "bytes";
            const double least = bytes ? 1 : 1e-5;
            if (per_second != 0 && !(per_second >= least && per_second <= 1e9))
              raise_value("per_second",
                          bytes ? "must be 0 or 1 to 1e9" : "must be 0 or 1e-5 to 1e9");
            constexpr double kDay = 86'400;
            const double most = per_second == 0 ? 4'294'967'295. : std::max(1., per_second * kDay);
            if (static_cast<double>(burst) > most)
              raise_value("burst", "must be 1 to what the rate allows in a day");
            new (self) Gcra(per_second, static_cast<std::uint32_t>(burst), bytes);
          },
          "per_second"_a.none(),
          "burst"_a.none(),
          nb::kw_only(),
          "unit"_a = "messages")
      .def(
          "allow",
          [](Gcra& gcra, double now, std::int64_t cost) {
            check_now(now);
            const std::uint32_t units = cost_of(cost);
            return gcra.with([&](Limiter& limiter) { return limiter.take(now, units).allowed; });
          },
          "now"_a,
          "cost"_a = 1,
          "Decides on an event and, when it is allowed, counts it.")
      .def(
          "retry_after",
          [](Gcra& gcra, double now, std::int64_t cost) {
            check_now(now);
            const std::uint32_t units = cost_of(cost);
            return gcra.with(
                [&](Limiter& limiter) { return seconds_or_never(limiter.excess(now, units)); });
          },
          "now"_a,
          "cost"_a = 1,
          "Seconds after which it would be allowed, inf for never (more than the burst), 0 for "
          "now. "
          "Counts nothing.")
      .def("allow_batch",
           &allow_batch,
           "now"_a.none(),
           "cost"_a.none() = nb::none(),
           nb::sig("def allow_batch(self, now: numpy.typing.ArrayLike,"
                   " cost: numpy.typing.ArrayLike | None = None)"
                   " -> numpy.typing.NDArray[numpy.bool_]"),
           "Decides on events in order: float64 and uint32 of shape (n,) to bool of shape (n,). "
           "Lists, pandas and Arrow are copied. The interpreter is free meanwhile.")
      .def_prop_ro("per_second", [](Gcra& gcra) {
        return gcra.with([](Limiter& limiter) { return limiter.policy().per_second(); });
      });
}

// --- MetricDetector ------------------------------------------------------------------------------

using Series = Guarded<novelty::MetricSeries>;

nb::dict as_dict(const novelty::SeriesScore& score) {
  nb::dict out;
  out["is_anomaly"] = score.score >= 1;
  out["score"] = score.score;
  out["rarity"] = score.rarity;
  out["novelty"] = score.novelty;
  out["state"] = name(score.state);
  return out;
}

novelty::SeriesSettings series_settings(std::optional<std::pair<double, double>> range,
                                        double alarms_per_week,
                                        bool counter) {
  novelty::SeriesSettings settings;
  if (range) settings.range = novelty::Range{range->first, range->second};
  settings.alarms_per_week = alarms_per_week;
  settings.counter = counter;
  Problems problems = novelty::validate(settings);
  for (Problem& problem : problems) {
    if (problem.key == "min" || problem.key == "max") problem.key = "range";
  }
  raise_if_any(problems);
  return settings;
}

nb::dict step_batch(Series& series, nb::handle given, nb::handle timestamps) {
  const Column<double> values = numbers(given, "values");
  const std::size_t count = values.shape(0);
  std::vector<EventTime> at;
  if (!timestamps.is_none()) {
    const Column<double> told = times(timestamps, "timestamps");
    if (told.shape(0) != count) raise_value("timestamps", "must be as long as values");
    at.reserve(count);
    for (std::size_t i = 0; i < count; ++i) at.push_back(event_time(told.data()[i]));
  }
  std::vector<float> score(count), rarity(count), novelty(count);
  std::vector<std::uint8_t> state(count);
  series.without_interpreter([&](novelty::MetricSeries& one) {
    constexpr std::chrono::seconds kApart{1};
    const std::optional<EventTime> last = one.last();
    EventTime next = last ? *last + kApart : EventTime{};
    for (std::size_t i = 0; i < count; ++i, next += kApart) {
      const novelty::SeriesScore said = one.step(values.data()[i], at.empty() ? next : at[i]);
      score[i] = said.score;
      rarity[i] = said.rarity;
      novelty[i] = said.novelty;
      state[i] = static_cast<std::uint8_t>(said.state);
    }
  });
  nb::dict out;
  out["score"] = to_array(std::move(score));
  out["rarity"] = to_array(std::move(rarity));
  out["novelty"] = to_array(std::move(novelty));
  out["state"] = to_array(std::move(state));
  return out;
}

nb::bytes save(Series& series) {
  Writer out;
  series.with([&](novelty::MetricSeries& one) { one.save(out); });
  return nb::bytes(out.bytes().data(), out.bytes().size());
}

void load(Series& series, const nb::bytes& bytes) {
  Reader in(std::string_view(bytes.c_str(), bytes.size()));
  const Result<void> read = series.with([&](novelty::MetricSeries& one) { return one.load(in); });
  if (!read) raise_error("bytes", read.error());
}

void bind_metric_detector(nb::module_& module) {
  nb::class_<Series>(
      module,
      "MetricDetector",
      R"(Finds what is new in one metric, point by point, without a threshold to choose.

range: ``(low, high)`` in which its values lie, if known. alarms_per_week: how often it may alarm; 0
for the line that suits every series. counter: it only grows until it is reset, and its rate a second
is judged. A point is scored before it is learnt; NaN is a missing one. Thread-safe.)")
      .def(
          "__init__",
          [](Series* self,
             std::optional<std::pair<double, double>> range,
             double alarms_per_week,
             bool counter) { new (self) Series(series_settings(range, alarms_per_week, counter)); },
          nb::kw_only(),
          "range"_a.none() = nb::none(),
          "alarms_per_week"_a = 0.,
          "counter"_a = false)
      .def(
          "step",
          [](Series& series, nb::handle value, nb::handle timestamp) {
            const double point = number(value, "value");
            const EventTime at = event_time(timestamp);
            return as_dict(
                series.with([&](novelty::MetricSeries& one) { return one.step(point, at); }));
          },
          "value"_a.none(),
          "timestamp"_a.none(),
          nb::sig("def step(self, value: float, timestamp: float | datetime.datetime)"
                  " -> dict[str, typing.Any]"),
          R"(Scores a point, then learns it.

Returns ``{"is_anomaly", "score", "rarity", "novelty", "state"}``: score is what is emitted (0 while
there is nothing new to say, 1 the alarm line), rarity the same whether or not it is news, novelty raw,
state "learning", "normal", "new" or "ongoing".)")
      .def(
          "step_batch",
          &step_batch,
          "values"_a.none(),
          "timestamps"_a.none() = nb::none(),
          nb::sig("def step_batch(self, values: numpy.typing.ArrayLike,"
                  " timestamps: numpy.typing.ArrayLike | None = None)"
                  " -> dict[str, numpy.typing.NDArray[typing.Any]]"),
          R"(Scores and learns points in order: float64 of shape (n,) each; without times a second apart.

The first of all is then at second 0, and a later batch goes on after the last point: in parts a series
is what it is as a whole. Times may be datetime64. Lists, pandas and Arrow are copied.
Returns arrays of shape (n,) by name: score, rarity, novelty (float32), state (uint8: 0 learning, 1
normal, 2 new, 3 ongoing). The interpreter is free meanwhile.)")
      .def(
          "expected",
          [](Series& series) -> std::optional<std::pair<double, double>> {
            const auto range =
                series.with([](novelty::MetricSeries& one) { return one.expected(); });
            if (!range) return std::nullopt;
            return std::pair{range->low, range->high};
          },
          "The ordinary values around the last point; None while learning.")
      .def_prop_ro("points",
                   [](Series& series) {
                     return series.with([](novelty::MetricSeries& one) { return one.points(); });
                   })
      .def_prop_ro(
          "trust",
          [](Series& series) {
            return series.with([](novelty::MetricSeries& one) { return one.trust(); });
          },
          "How far the detector is trusted, 0 to 1: grows with the points seen.")
      .def("save", &save, "What was learnt, as bytes.")
      .def("load", &load, "bytes"_a);
}

// --- Salience ------------------------------------------------------------------------------------

/// What an event may say in a field. Where the API has a line that tells of a share that was
/// clipped, a column of scores has none: percents are refused.
void check_field(salience::Field id, const std::string& field, const Column<double>& column) {
  const bool is_time = id == salience::Field::kResponseTime || id == salience::Field::kDuration;
  const double most = is_time ? json::kSalienceNumberMax : 1;
  for (std::size_t i = 0; i < column.shape(0); ++i) {
    const double value = column.data()[i];
    if (std::isnan(value) || (value >= 0 && value <= most)) continue;
    raise_value(field + "[" + std::to_string(i) + "]",
                is_time ? "must be 0 to 1e12 seconds" : "must be 0 to 1");
  }
}

/// Scores of events given as columns of their numeric fields.
Array<double> salience_scores(const nb::object& table) {
  const auto columns =
      nb::cast<nb::dict>(nb::isinstance<nb::dict>(table)
                             ? table
                             : nb::module_::import_("liminal._tables").attr("columns_of")(table));
  std::optional<std::size_t> count;
  std::vector<std::pair<salience::Field, Column<double>>> known;
  for (const auto [key, value] : columns) {
    std::string field;
    if (!nb::try_cast(key, field)) raise_value("columns", "must have names that are text");
    const auto id = salience::field_by_name(field);
    if (!id) raise_value(field, "is no field of an event that has a number");
    const Column<double> column = numbers(value, field.c_str());
    if (count && column.shape(0) != *count) raise_value(field, "must be as long as the others");
    check_field(*id, field, column);
    count = column.shape(0);
    known.emplace_back(*id, column);
  }
  std::vector<double> scores(count.value_or(0));
  {
    nb::gil_scoped_release release;
    for (std::size_t i = 0; i < scores.size(); ++i) {
      salience::Fields fields;
      for (const auto& [id, column] : known) {
        const double value = column.data()[i];
        fields[id] = id == salience::Field::kSeverity && !std::isnan(value)
                         ? salience::severity_log_odds(value)
                         : value;
      }
      scores[i] = salience::judge(fields).salience();
    }
  }
  return to_array(std::move(scores));
}

}  // namespace

void bind_signals(nb::module_& module) {
  bind_gcra(module);
  bind_metric_detector(module);
  module.def(
      "salience_scores",
      &salience_scores,
      "columns"_a,
      nb::sig("def salience_scores(columns: typing.Any) -> numpy.typing.NDArray[numpy.float64]"),
      R"(How salient events are by what they say of themselves, 0 to 1: float64 of shape (n,).

columns: numbers of shape (n,) by the name of a field, as a dictionary, a DataFrame or an Arrow table; NaN
where an event does not say. response_time and duration are seconds, all others, severity too, 0 to 1:
what lies outside is refused. Raises ValueError that names the field and the row.)");
}

}  // namespace liminal::python
