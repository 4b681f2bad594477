#include "server/api/call.hpp"
#include "server/api/metric_rows.hpp"
#include "server/api/remote_rows.hpp"

namespace liminal::api {
namespace {

/// A larger body would hold up the others on this thread.
constexpr std::size_t kAtOnceBytesMax = 16 * 1024;
/// Rows are judged, and answered, so many values at a time: half a millisecond, some 60 KiB.
constexpr std::size_t kSliceValues = 512;
/// Of less than a day a number a week says little.
constexpr double kObservedWeeksMin = 1. / 7;

http::Response refusal(const Error& error) {
  if (error.code == ErrorCode::kTooLarge)
    return invalid("body", {{"metrics", "the source would have too many metrics"}});
  if (error.code == ErrorCode::kConflict)
    return invalid(
        "body",
        {{"metrics", "row after row lies before the last one of this source: send them in order"}});
  return problem(error, "the source");
}

/// The rows of a request on their way to being judged, and the answer's text as it grows.
class JudgedRows {
 public:
  JudgedRows(MetricRows rows, AnomalyPort& port)
      : port_(port), rows_(std::move(rows.batch.rows)), ignored_(std::move(rows.ignored)) {
    slice_.source = std::move(rows.batch.source);
    slice_.metrics = std::move(rows.batch.metrics);
  }

  [[nodiscard]] bool done() const { return next_ == rows_.size(); }
  [[nodiscard]] std::string take() { return out_.take(); }

  /// Judges and learns a slice, and writes what comes of it. After an error there is nothing more.
  [[nodiscard]] Result<void> step() {
    if (next_ == 0) begin();
    take_slice();
    const auto scores = port_.score(slice_);
    if (!scores) {
      next_ = rows_.size();
      return tl::unexpected(scores.error());
    }
    for (const novelty::RowScore& row : *scores) write(row, slice_, out_);
    if (done()) end();
    return {};
  }

  /// Says why the answer ends here; the document stays open, so that it cannot be read as whole.
  void write_why(const http::Response& why) {
    out_.end_array();
    out_.key("problem");
    out_.raw(why.body);
  }

 private:
  void begin() {
    out_.begin_object();
    out_.key("anomalies");
    out_.begin_array();
  }

  void take_slice() {
    slice_.rows.clear();
    for (std::size_t values = 0; !done() && values < kSliceValues; ++next_) {
      values += 1 + rows_[next_].values.size();
      slice_.rows.push_back(std::move(rows_[next_]));
    }
  }

  void end() {
    out_.end_array();
    out_.key("ignored");
    out_.begin_array();
    for (const std::string& name : ignored_) out_.value(name);
    out_.end_array();
    out_.field("model", "metric_novelty");
    out_.end_object();
  }

  AnomalyPort& port_;
  novelty::Batch slice_;
  std::vector<novelty::Batch::Row> rows_;
  std::set<std::string> ignored_;
  std::size_t next_ = 0;
  json::Writer out_;
};

/// What follows the first rows of an answer. Once it has begun all its rows are learnt: when the
/// client goes, those that it did not wait for.
http::NextPiece later_rows(const std::shared_ptr<JudgedRows>& rows,
                           AnomalyPort& port,
                           const std::shared_ptr<void>& held) {
  const Runner runner = [&port](auto task) { return port.run(std::move(task)); };
  const std::shared_ptr<void> at_last(nullptr, [rows, runner, held](void*) {
    (void)runner([rows, held] {
      while (!rows->done() && rows->step()) (void)rows->take();
    });
  });
  return pieces(runner, [rows, at_last] {
    using Then = http::Piece::Then;
    if (const auto judged = rows->step(); !judged) {
      rows->write_why(refusal(judged.error()));
      return http::Piece{rows->take(), Then::kBroken};
    }
    return http::Piece{rows->take(), rows->done() ? Then::kEnd : Then::kMore};
  });
}

/// Reads the rows; answers, and gives nothing, when they cannot be judged.
std::shared_ptr<JudgedRows> read_rows(Call& call, AnomalyPort& port) {
  Result<json::Value> body = json::parse(call.request.body);
  call.request.body = {};
  if (!body) {
    call.answer(problem(400,
                        body.error().code == ErrorCode::kTooLarge ? "the body is nested too deep"
                                                                  : "the body is not valid JSON"));
    return nullptr;
  }
  Problems problems;
  MetricRows rows = read_metric_rows(*body, port.now(), problems);
  if (!problems.empty()) {
    call.answer(invalid("body", problems));
    return nullptr;
  }
  // Nothing of a batch is learnt, or answered, that would be refused in its middle.
  if (const auto admitted = port.admits(rows.batch); !admitted) {
    call.answer(refusal(admitted.error()));
    return nullptr;
  }
  return std::make_shared<JudgedRows>(std::move(rows), port);
}

void score_rows(const std::shared_ptr<Call>& call, AnomalyPort& port) {
  const auto rows = read_rows(*call, port);
  if (!rows) return;
  do {
    if (const auto judged = rows->step(); !judged) return call->answer(refusal(judged.error()));
  } while (!rows->done() && !may_be_in_pieces(*call));
  http::Response response = json_response(rows->take());
  if (!rows->done()) response.rest = later_rows(rows, port, call->held);
  call->answer(std::move(response));
}

/// What a body names of a series; of one that names nothing all that was told is erased.
SeriesChange read_series(json::Fields& in) {
  SeriesChange change;
  using json::Need;
  const auto within = [&in](std::string_view name, double low, double high) {
    return in.is_null(name) ? std::nullopt : in.number(name, Need::kOptional, low, high);
  };
  const auto number = [&](std::string_view name) {
    return within(name, -kMetricValueMax, kMetricValueMax);
  };
  const auto named = [&in](std::string_view name) { return in.is_null(name) || in.has(name); };
  const auto low = number("min"), high = number("max");
  if (low.has_value() != high.has_value())
    in.wrong(low ? "max" : "min", "must be told when the other end is");
  if (low && high && !(*low < *high)) in.wrong("max", "must be above min");
  if (named("min") || named("max")) change.range = std::optional<novelty::Range>{};
  if (low && high) change.range = novelty::Range{*low, *high};
  if (named("alarms_per_week")) change.alarms_per_week = within("alarms_per_week", 0, 10'000);
  const auto yes_or_no = [](std::string_view word) -> std::optional<bool> {
    if (word == "counter") return true;
    return word == "gauge" ? std::optional(false) : std::nullopt;
  };
  if (in.is_null("kind")) change.counter = std::optional<bool>{};
  if (in.has("kind"))
    change.counter = in.one_of("kind", Need::kOptional, yes_or_no, "gauge or counter");
  if (in.is_null("suppress_until")) change.suppress_until = std::optional<EventTime>{};
  if (in.has("suppress_until")) change.suppress_until = in.time("suppress_until", Need::kOptional);
  const auto lower = number("lower_limit"), upper = number("upper_limit");
  if (lower && upper) in.wrong("upper_limit", "is told beside lower_limit: one of them counts");
  if (named("lower_limit")) change.lower_limit = lower;
  if (named("upper_limit")) change.upper_limit = upper;
  change.erases = !change.range && !change.alarms_per_week && !change.counter &&
                  !change.suppress_until && !change.lower_limit && !change.upper_limit;
  return change;
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
  out.field("kind", settings.counter.value_or(false) ? "counter" : "gauge");
  const auto& until = settings.suppress_until;
  out.field("suppress_until",
            until ? std::optional(SteadyTime{until->time_since_epoch()}) : std::nullopt);
  out.field("lower_limit", limit_on(Side::kBelow));
  out.field("upper_limit", limit_on(Side::kAbove));
}

}  // namespace

AnomalyPort* Service::anomalies_of(const CallPtr& call) {
  Query query(call->query);
  return anomalies_of(call, query);
}

AnomalyPort* Service::anomalies_of(const CallPtr& call, Query& query) {
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
  if (call->captured.size() > 1 && call->captured[1].size() > kRemoteSeriesBytesMax)
    problems.push_back({"metric", "must be at most 1024 bytes long"});
  if (problems.empty()) return true;
  call->answer(invalid("path", problems));
  return false;
}

void Service::put_series(const CallPtr& call) {
  AnomalyPort* const port = anomalies_of(call);
  if (port == nullptr || !series_of(call)) return;
  SeriesChange change;
  const auto read = [&](json::Fields& in) { change = read_series(in); };
  if (!read_body(*call, read)) return;
  const std::string source = call->captured[0], metric = call->captured[1];
  port->declare(source, metric, change, [=](const Result<bool>& created) {
    if (!created && created.error().code == ErrorCode::kTooLarge)
      return call->answer(
          invalid("path", {{"metric", "too many series were told of: DELETE some of them"}}));
    if (!created) return call->answer(problem(created.error(), "the series"));
    // Nothing is known of one that neither sent something nor is told of any more.
    const SeriesView now = port->series(source, metric).value_or(SeriesView{});
    json::Writer out;
    out.begin_object();
    write_series(source, metric, now.status.settings, now.limit, out);
    out.end_object();
    call->answer(json_response(std::move(out), *created ? 201 : 200));
  });
}

void Service::delete_series(const CallPtr& call) {
  AnomalyPort* const port = anomalies_of(call);
  if (port == nullptr || !series_of(call)) return;
  const bool one = call->captured.size() > 1;
  port->forget(call->captured[0],
               one ? std::optional(call->captured[1]) : std::nullopt,
               Call::then<void>(call, one ? "the series" : "the source", [call] {
                 call->answer({204, {}, {}});
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
  const novelty::SeriesStatus& status = series->status;
  write_series(source, metric, status.settings, series->limit, out);
  out.field("points", status.points);
  out.field("line", status.line);
  out.key("alarms_observed");
  if (status.observed_weeks >= kObservedWeeksMin) {
    out.begin_object();
    out.field("weeks", status.observed_weeks);
    out.field("per_week", status.observed_alarms);
    out.end_object();
  } else {
    out.null();
  }
  out.field("source_alarms_per_week", status.source_alarms_per_week);
  out.field("source_line", status.source_line);
  out.key("expected");
  if (status.expected) {
    out.begin_array();
    out.value(status.expected->low);
    out.value(status.expected->high);
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
