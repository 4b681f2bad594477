#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <limits>

#include "backend.hpp"
#include "bind.hpp"
#include "core/base/hex.hpp"
#include "engine_options.hpp"
#include "io/json/traffic_writer.hpp"
#include "rules.hpp"
#include "server/api/answers.hpp"
#include "server/api/engine_views.hpp"
#include "tracking.hpp"

namespace liminal::python {
namespace {

using namespace nb::literals;

EngineOptions options_of(std::string_view clock,
                         std::string_view profile,
                         std::string_view mode,
                         std::int64_t buffer_size,
                         nb::handle detection_rules) {
  EngineOptions options;
  if (clock != "system" && clock != "events" && clock != "member")
    raise_value("clock", "must be system, events or member");
  options.clock = clock == "system"   ? Clock::kSystem
                  : clock == "events" ? Clock::kEvents
                                      : Clock::kMember;
  if (buffer_size < 1 || buffer_size > 10'000'000)
    raise_value("buffer_size", "must be 1 to 10000000");
  options.rows_max = static_cast<std::size_t>(buffer_size);
  options.engine = engine_options(profile, mode, detection_rules);
  return options;
}

nb::object alerts_of(Engine& engine, const std::vector<traffic::Alert>& alerts) {
  const SalienceOf salience(engine.salience());
  json::Writer out;
  out.begin_array();
  for (const traffic::Alert& alert : alerts) api::write(alert, salience, out);
  out.end_array();
  return from_json(out.text());
}

nb::object analyze(Engine& engine, const std::string& user) {
  const auto found = engine.look([&](const engine::LocalEngine& local) {
    return api::judged_now(local.shard_of_user(user), user);
  });
  if (!found) raise_key("user_id", user);
  return alerts_of(engine, *found);
}

nb::object recent_alerts(Engine& engine, std::int64_t limit, std::string_view min_severity) {
  const auto severity = traffic::severity_by_name(min_severity);
  if (!severity) raise_value("min_severity", "must be low, medium, high or critical");
  if (limit < 1 || limit > 10'000) raise_value("limit", "must be 1 to 10000");
  return alerts_of(engine, engine.alerts(static_cast<std::size_t>(limit), *severity));
}

nb::object feedback(Engine& engine, std::string_view id, std::string_view verdict) {
  const auto said = traffic::feedback_by_name(verdict);
  if (!said) raise_value("verdict", "must be true_positive, false_positive or expected");
  const auto alert_id = traffic::parse_alert_id(id);
  const auto judged =
      alert_id ? engine.feedback(alert_id->first, alert_id->second, *said) : std::nullopt;
  if (!judged) raise_key("alert_id", id);
  return alerts_of(engine, {judged->alert}).attr("__getitem__")(0);
}

std::vector<traffic::FeatureRow> rows_of(const Engine& engine,
                                         std::int64_t limit,
                                         std::optional<std::string_view> user) {
  if (limit < 1 || limit > 10'000'000) raise_value("limit", "must be 1 to 10000000");
  return engine.rows(static_cast<std::size_t>(limit), user.value_or(""));
}

nb::object recent_features(const Engine& engine,
                           std::int64_t limit,
                           std::optional<std::string_view> user) {
  json::Writer out;
  out.begin_array();
  for (const traffic::FeatureRow& row : rows_of(engine, limit, user)) json::write(row, out);
  out.end_array();
  return from_json(out.text());
}

/// Rows as arrays: users, times, and a row of features each.
nb::tuple feature_matrix(const Engine& engine,
                         std::int64_t limit,
                         std::optional<std::string_view> user) {
  const auto rows = rows_of(engine, limit, user);
  nb::list users;
  std::vector<double> times;
  std::vector<float> values;
  times.reserve(rows.size());
  values.reserve(rows.size() * traffic::kFeatureCount);
  for (const traffic::FeatureRow& row : rows) {
    users.append(nb::str(row.user.data(), row.user.size()));
    times.push_back(seconds_of(row.time));
    values.insert(values.end(), row.features.values.begin(), row.features.values.end());
  }
  return nb::make_tuple(users,
                        to_array(std::move(times)),
                        to_rows(std::move(values), rows.size(), traffic::kFeatureCount));
}

nb::object features_of(Engine& engine, const std::string& user) {
  const auto view = engine.look(
      [&](const engine::LocalEngine& local) { return local.shard_of_user(user).view(user); });
  if (!view) raise_key("user_id", user);
  json::Writer out;
  json::write(view->features, out);
  return from_json(out.text());
}

nb::dict clean_up(Engine& engine, double max_age_hours) {
  if (!(max_age_hours >= 0 && max_age_hours <= 87'600))
    raise_value("max_age_hours", "must be 0 to 87600");
  const Engine::Cleanup did = engine.clean_up(from_seconds(max_age_hours * 3600));
  nb::dict report;
  report["removed_users"] = did.removed_users;
  report["remaining_users"] = did.remaining_users;
  report["removed_rows"] = did.removed_rows;
  report["max_age_hours"] = max_age_hours;
  return report;
}

void set_rules(Engine& engine, nb::handle rules) {
  Problems problems;
  engine::Options options = engine.settings()->options;
  options.detect.rules = read_rules(to_json(rules), problems);
  raise_if_any(problems);
  engine.set_options(std::move(options));
}

std::string policies_text(const limits::Options& limits) {
  json::Writer out;
  api::write_policies(limits, out);
  return std::string(out.text());
}

std::size_t active_users(Engine& engine) {
  return engine.look([](const engine::LocalEngine& local) {
    std::size_t count = 0;
    for (std::uint32_t i = 0; i < kShards; ++i)
      count += local.shard(ShardId{static_cast<std::uint8_t>(i)}).active_users();
    return count;
  });
}

nb::bytes save(const Engine& engine) {
  std::string bytes;
  {
    nb::gil_scoped_release release;
    bytes = engine.save();
  }
  return nb::bytes(bytes.data(), bytes.size());
}

void load(Engine& engine, const nb::bytes& bytes) {
  Result<void> read;
  const std::string_view view(bytes.c_str(), bytes.size());
  {
    nb::gil_scoped_release release;
    read = engine.load(view);
  }
  if (!read) raise_error("bytes", read.error());
}

void bind_verdict(nb::module_& module) {
  using traffic::Verdict;
  nb::class_<Verdict>(module, "Verdict", R"(What to do about one event.

``decision`` is what to do: "allow", "delay", "drop" or "close". ``shadow`` is what would be done if
everything enforced; the two differ in the modes observe and shadow.)")
      .def_prop_ro(
          "allowed",
          [](const Verdict& v) { return v.decision <= traffic::Decision::kDelay; },
          "Whether the event may pass, at once or after ``retry_after_s``.")
      .def_prop_ro("decision", [](const Verdict& v) { return traffic::name(v.decision); })
      .def_prop_ro("shadow", [](const Verdict& v) { return traffic::name(v.shadow); })
      .def_prop_ro(
          "reason",
          [](const Verdict& v) {
            return v.reason == traffic::Reason::kFinding ? traffic::info(v.finding).name
                                                         : traffic::name(v.reason);
          },
          "The limit or the finding that decided; \"none\" when nothing did.")
      .def_prop_ro(
          "retry_after_s",
          [](const Verdict& v) {
            return v.retry_after == Duration::max() ? std::numeric_limits<double>::infinity()
                                                    : seconds(v.retry_after);
          },
          "Seconds after which the same would be allowed; inf for never, 0 when allowed.")
      .def("__repr__", [](const Verdict& v) {
        return "Verdict(decision='" + std::string(traffic::name(v.decision)) + "', shadow='" +
               std::string(traffic::name(v.shadow)) + "')";
      });
}

}  // namespace

void bind_engine(nb::module_& module) {
  bind_verdict(module);
  nb::list names;
  for (const traffic::FeatureInfo& feature : traffic::feature_schema())
    names.append(nb::str(feature.name.data(), feature.name.size()));
  module.attr("FEATURE_NAMES") = nb::tuple(names);

  module.def("encode",
             &encode,
             "texts"_a,
             "Texts as ``(distinct, codes)``: a list, and an int32 array of places in it; None is "
             "-1.");

  nb::class_<Engine>(
      module, "Engine", R"(The whole engine: what every user does, judged event by event.

clock: "system" (events without a timestamp happen now) or "events" (time is the events' own; for
replays and notebooks); "member" is for one of several engines that share the shards (``Commons``).
profile: "chat", "game" or "telemetry", where the population's statistics
start. mode: "observe", "shadow" or "enforce". buffer_size: recent feature rows kept, 1 to 10,000,000.
detection_rules: as ``AnomalyDetector.detection_rules``.

Thread-safe. Raises ValueError that names the argument.)")
      .def(
          "__init__",
          [](Engine* self,
             std::string_view clock,
             std::string_view profile,
             std::string_view mode,
             std::int64_t buffer_size,
             nb::handle rules) {
            new (self) Engine(options_of(clock, profile, mode, buffer_size, rules));
          },
          nb::kw_only(),
          "clock"_a = "system",
          "profile"_a = "chat",
          "mode"_a = "shadow",
          "buffer_size"_a = 1'000,
          "detection_rules"_a.none() = nb::none())
      .def("track_user_activity",
           &track,
           "user_id"_a.none(),
           "message_size"_a.none() = 0,
           "channels"_a.none() = nb::none(),
           "ip_address"_a.none() = nb::none(),
           nb::kw_only(),
           "kind"_a.none() = "message",
           "timestamp"_a.none() = nb::none(),
           "error"_a.none() = false,
           "content_hash"_a.none() = nb::none(),
           nb::sig("def track_user_activity(self, user_id: str, message_size: int = 0,"
                   " channels: str | collections.abc.Sequence[str] | None = None,"
                   " ip_address: str | None = None, *, kind: str = 'message',"
                   " timestamp: float | datetime.datetime | None = None, error: bool = False,"
                   " content_hash: int | str | None = None) -> Verdict"),
           R"(Counts one event of a user and says what to do about it.

user_id: text of 1 to 128 bytes. message_size: bytes. channels: a name or up to 64 of them.
ip_address: text. kind: "message", "error" (a message that failed), "connect", "disconnect",
"subscribe", "rate_limited" (somebody else refused it) or "failed" (a message that was counted turned
out to have failed: an error alone). timestamp: seconds since the epoch or a
datetime, of which one without a zone is UTC; without any it happens now. An engine that lives by the
machine's clock warns (UserWarning) of what is more than an hour from it. error: the message failed.
content_hash: a number of 64 bits, or text that is hashed; without one there is no evidence about the content.

Returns a Verdict. Raises ValueError that names the argument. About 1 µs.)")
      .def("_track_columns",
           &track_columns,
           "users"_a,
           "user"_a,
           "timestamp"_a.none(),
           "kind"_a.none(),
           "message_size"_a.none(),
           "error"_a.none(),
           "addresses"_a,
           "address"_a.none(),
           "channels"_a,
           "channel"_a.none(),
           "content_hash"_a.none())
      .def(
          "track_ndjson",
          &track_ndjson,
          "lines"_a,
          R"(Counts events as lines of JSON (or one array), in the words of ``POST /ml/events`` and of traces.

They happened elsewhere: nothing of them is refused, what would have been is only a violation. Returns ``{"accepted", "rejected": [{"line", "reason"}], "rejected_count"}``: good lines count even if
others are bad. Raises ValueError when an array is no JSON as a whole. Other threads run meanwhile.)")
      .def(
          "analyze_user_activity",
          &analyze,
          "user_id"_a,
          R"(What the detectors say of a user now: a list of alerts as ``POST /ml/anomalies/analyze`` gives them.

Changes nothing. An alert whose id is None was not raised (yet). Raises KeyError for a user who is not
known.)")
      .def("recent_anomalies",
           &recent_alerts,
           "limit"_a = 50,
           "min_severity"_a = "medium",
           "Alerts, the latest finding first, as ``GET /ml/anomalies/recent`` gives them.")
      .def("feedback",
           &feedback,
           "alert_id"_a,
           "verdict"_a,
           "An operator's word: \"true_positive\", \"false_positive\" or \"expected\". Moves "
           "confidence and "
           "ranking; returns the alert. Raises KeyError for an alert that is not known.")
      .def("features",
           &features_of,
           "user_id"_a,
           "The 17 features of a user now, by name. Raises KeyError for a user who is not known.")
      .def("recent_features",
           &recent_features,
           "limit"_a = 100,
           "user_id"_a.none() = nb::none(),
           "Feature rows, newest first, as ``GET /ml/features/recent`` gives them.")
      .def("feature_matrix",
           &feature_matrix,
           "limit"_a = 10'000,
           "user_id"_a.none() = nb::none(),
           "The same as ``(users, times, values)``: a list of n texts, float64 of shape (n,) in "
           "seconds "
           "since the epoch, float32 of shape (n, 17) in the order of FEATURE_NAMES.")
      .def("cleanup_old_sessions",
           &clean_up,
           "max_age_hours"_a = 24.,
           R"(Forgets sessions, windows and rows older than that, keeps what was learnt of a user.

Returns ``{"removed_users", "remaining_users", "removed_rows", "max_age_hours"}``. Raises ValueError
outside of 0 to 87,600.)")
      .def(
          "advance",
          [](Engine& engine, nb::handle timestamp) {
            engine.advance(SteadyTime{event_time(timestamp).time_since_epoch()});
          },
          "timestamp"_a,
          "Lets time pass without an event: alerts that are calm are resolved.")
      .def("_rules",
           [](const Engine& engine) {
             return from_json(rules_json(engine.settings()->options.detect.rules));
           })
      .def("_set_rules", &set_rules, "rules"_a)
      .def(
          "_has_its_policies",
          [](const Engine& engine) {
            return policies_text(engine.settings()->options.limits) ==
                   policies_text(engine.configured_limits());
          },
          "Whether its limits are those that it was made with.")
      .def_prop_ro(
          "buffer_size",
          [](const Engine& engine) { return engine.rows_max(); },
          "Recent feature rows that are kept at most.")
      .def_prop_ro("buffered", &Engine::rows_buffered, "Recent feature rows that are kept now.")
      .def_prop_ro("active_users", &active_users, "Users with a session.")
      .def_prop_ro(
          "users",
          [](Engine& engine) {
            return engine.look([](const engine::LocalEngine& local) { return local.users(); });
          },
          "Users that are remembered.")
      .def_prop_ro(
          "now",
          [](const Engine& engine) { return seconds_of(engine.now()); },
          "The engine's time, in seconds since the epoch.")
      .def_prop_ro("memory_bytes",
                   [](Engine& engine) {
                     return engine.look(
                         [](const engine::LocalEngine& local) { return local.memory_bytes(); });
                   })
      .def(
          "state_hash",
          [](Engine& engine) {
            return hex(
                engine.look([](const engine::LocalEngine& local) { return local.state_hash(); }));
          },
          "Equal for equal histories, on every machine: 16 hexadecimal digits.")
      .def("save", &save, "All that was learnt, as bytes; settings are not part of it.")
      .def("load",
           &load,
           "bytes"_a,
           "Takes the place of what was learnt. Raises ValueError, and is then as new, for bytes "
           "that make no sense.");
}

}  // namespace liminal::python
