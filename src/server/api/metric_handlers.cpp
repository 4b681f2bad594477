#include "server/api/call.hpp"
#include "server/api/metric_rows.hpp"
#include "server/api/remote_rows.hpp"

namespace liminal::api {
namespace {

/// A larger body would hold up the others on this thread.
constexpr std::size_t kAtOnceBytesMax = 16 * 1024;

http::Response refusal(const Error& error) {
  if (error.code == ErrorCode::kTooLarge)
    return invalid("body", {{"metrics", "the source would have too many metrics"}});
  if (error.code == ErrorCode::kConflict)
    return invalid(
        "body",
        {{"metrics", "row after row lies before the last one of this source: send them in order"}});
  return problem(error, "the source");
}

void score_rows(const std::shared_ptr<Call>& call, AnomalyPort& port) {
  const Result<json::Value> body = json::parse(call->request.body);
  call->request.body = {};
  if (!body) {
    return call->answer(problem(400,
                                body.error().code == ErrorCode::kTooLarge
                                    ? "the body is nested too deep"
                                    : "the body is not valid JSON"));
  }
  Problems problems;
  const MetricRows rows = read_metric_rows(*body, port.now(), problems);
  if (!problems.empty()) return call->answer(invalid("body", problems));
  const auto scores = port.score(rows.batch);
  if (!scores) return call->answer(refusal(scores.error()));
  json::Writer out;
  out.begin_object();
  out.key("anomalies");
  out.begin_array();
  for (const novelty::RowScore& row : *scores) write(row, rows.batch, out);
  out.end_array();
  out.key("ignored");
  out.begin_array();
  for (const std::string& name : rows.ignored) out.value(name);
  out.end_array();
  out.field("model", "metric_novelty");
  out.end_object();
  call->answer(json_response(std::move(out)));
}

/// What an owner tells of a series; gives the limit, if there is one.
std::optional<stats::Limit> read_series(json::Fields& in, novelty::SeriesSettings& settings) {
  using json::Need;
  using Side = stats::Trend::Side;
  const auto number = [&in](std::string_view name) {
    return in.is_null(name) ? std::nullopt
                            : in.number(name, Need::kOptional, -kMetricValueMax, kMetricValueMax);
  };
  const auto low = number("min"), high = number("max");
  if (low.has_value() != high.has_value())
    in.wrong(low ? "max" : "min", "must be told when the other end is");
  if (low && high) settings.range = novelty::Range{*low, *high};
  if (low && high && !(*low < *high)) in.wrong("max", "must be above min");
  settings.alarms_per_week = in.number("alarms_per_week", Need::kOptional, 0, 10'000).value_or(0);
  const auto yes_or_no = [](std::string_view word) -> std::optional<bool> {
    if (word == "counter") return true;
    return word == "gauge" ? std::optional(false) : std::nullopt;
  };
  settings.counter =
      in.one_of("kind", Need::kOptional, yes_or_no, "gauge or counter").value_or(false);
  const auto lower = number("lower_limit"), upper = number("upper_limit");
  if (lower && upper) in.wrong("upper_limit", "is told beside lower_limit: one of them counts");
  if (upper) return stats::Limit{*upper, Side::kAbove};
  return lower ? std::optional(stats::Limit{*lower, Side::kBelow}) : std::nullopt;
}

void write_series(std::string_view source,
                  std::string_view metric,
                  const novelty::SeriesSettings& settings,
                  const std::optional<stats::Limit>& limit,
                  json::Writer& out) {
  using Side = stats::Trend::Side;
  const auto& range = settings.range;
  const auto limit_on = [&](Side side) {
    return limit && limit->side == side ? std::optional(limit->value) : std::nullopt;
  };
  out.field("source", source);
  out.field("metric", metric);
  out.field("min", range ? std::optional(range->low) : std::nullopt);
  out.field("max", range ? std::optional(range->high) : std::nullopt);
  out.field("alarms_per_week", settings.alarms_per_week);
  out.field("kind", settings.counter ? "counter" : "gauge");
  out.field("lower_limit", limit_on(Side::kBelow));
  out.field("upper_limit", limit_on(Side::kAbove));
}

}  // namespace

AnomalyPort* Service::anomalies_of(const CallPtr& call) {
  Query query(call->query);
  if (!right(*call, query)) return nullptr;
  if (anomalies_ == nullptr) call->answer(problem(503, "nobody judges metrics here"));
  return anomalies_;
}

void Service::post_anomaly(const CallPtr& call) {
  AnomalyPort* const port = anomalies_of(call);
  if (port == nullptr) return;
  if (call->request.body.size() <= kAtOnceBytesMax) return score_rows(call, *port);
  later(
      call,
      [port](auto task) { return port->run(std::move(task)); },
      [call, port] { score_rows(call, *port); });
}

bool Service::series_of(const CallPtr& call) {
  Problems problems;
  if (call->captured[0].size() > kMetricNameBytesMax)
    problems.push_back({"source", "must be at most 128 bytes long"});
  if (call->captured[1].size() > kRemoteSeriesBytesMax)
    problems.push_back({"metric", "must be at most 1024 bytes long"});
  if (problems.empty()) return true;
  call->answer(invalid("path", problems));
  return false;
}

void Service::put_series(const CallPtr& call) {
  AnomalyPort* const port = anomalies_of(call);
  if (port == nullptr || !series_of(call)) return;
  novelty::SeriesSettings settings;
  std::optional<stats::Limit> limit;
  const auto read = [&](json::Fields& in) { limit = read_series(in, settings); };
  if (!read_body(*call, read)) return;
  const std::string source = call->captured[0], metric = call->captured[1];
  port->declare(
      source, metric, settings, limit, Call::then<bool>(call, "the series", [=](bool created) {
        json::Writer out;
        out.begin_object();
        write_series(source, metric, settings, limit, out);
        out.end_object();
        call->answer(json_response(std::move(out), created ? 201 : 200));
      }));
}

void Service::get_series(const CallPtr& call) {
  AnomalyPort* const port = anomalies_of(call);
  if (port == nullptr || !series_of(call)) return;
  const std::string &source = call->captured[0], &metric = call->captured[1];
  const Result<SeriesView> series = port->series(source, metric);
  if (!series) return call->answer(problem(series.error(), "the series"));
  json::Writer out;
  out.begin_object();
  write_series(source, metric, series->settings, series->limit, out);
  out.field("points", series->points);
  out.key("expected");
  if (series->expected) {
    out.begin_array();
    out.value(series->expected->low);
    out.value(series->expected->high);
    out.end_array();
  } else {
    out.null();
  }
  out.key("reached");
  if (series->passage) {
    out.begin_object();
    out.field("expected_s", series->passage->expected_s);
    out.field("within_s", series->within_s);
    out.field("probability", series->passage->probability);
    out.end_object();
  } else {
    out.null();
  }
  out.end_object();
  call->answer(json_response(std::move(out)));
}

}  // namespace liminal::api
