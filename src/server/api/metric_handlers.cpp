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
  const bool taken = port->run([call, port] {
    try {
      score_rows(call, *port);
    } catch (const std::exception&) {
      call->answer(problem(500, "this request could not be worked on"));
    }
  });
  if (!taken) call->answer(problem({ErrorCode::kUnavailable, 0}, "the source"));
}

void Service::put_series(const CallPtr& call) {
  AnomalyPort* const port = anomalies_of(call);
  if (port == nullptr) return;
  if (call->captured[0].size() > kMetricNameBytesMax)
    return call->answer(invalid("path", {{"source", "must be at most 128 bytes long"}}));
  if (call->captured[1].size() > kRemoteSeriesBytesMax)
    return call->answer(invalid("path", {{"metric", "must be at most 1024 bytes long"}}));
  novelty::SeriesSettings settings;
  const auto read = [&settings](json::Fields& in) {
    using json::Need;
    const auto end = [&in](std::string_view name) {
      return in.is_null(name) ? std::nullopt
                              : in.number(name, Need::kOptional, -kMetricValueMax, kMetricValueMax);
    };
    const auto low = end("min"), high = end("max");
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
  };
  if (!read_body(*call, read)) return;
  const std::string source = call->captured[0], metric = call->captured[1];
  port->declare(source, metric, settings, Call::then<bool>(call, "the series", [=](bool created) {
                  json::Writer out;
                  out.begin_object();
                  out.field("source", source);
                  out.field("metric", metric);
                  out.key("min");
                  if (settings.range) {
                    out.value(settings.range->low);
                  } else {
                    out.null();
                  }
                  out.key("max");
                  if (settings.range) {
                    out.value(settings.range->high);
                  } else {
                    out.null();
                  }
                  out.field("alarms_per_week", settings.alarms_per_week);
                  out.field("kind", settings.counter ? "counter" : "gauge");
                  out.end_object();
                  call->answer(json_response(std::move(out), created ? 201 : 200));
                }));
}

}  // namespace liminal::api
