#include <cmath>
#include <limits>

#include "server/api/call.hpp"
#include "server/api/models_port.hpp"

namespace liminal::api {
namespace {

std::optional<double> finite(double value) {
  return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

/// What a plot of the index shows: each bin with its share at training and lately.
void write_bins(const learn::Drift& drift, json::Writer& out) {
  const learn::Reference& reference = drift.reference();
  const auto edges = reference.edges();
  const auto counts = drift.counts();
  out.key("bins");
  out.begin_array();
  for (std::size_t b = 0; b < counts.size(); ++b) {
    std::optional<double> low, high;
    if (b >= 2) low = edges[b - 2];
    if (b >= 1 && b - 1 < edges.size()) high = edges[b - 1];
    out.begin_object();
    out.field("missing", b == 0);
    out.field("low", low);
    out.field("high", high);
    out.field("expected", reference.share(b));
    out.field("observed", drift.rows() > 0 ? finite(counts[b] / drift.rows()) : std::nullopt);
    out.end_object();
  }
  out.end_array();
}

void write_line(const std::string& name, const learn::Drift& drift, json::Writer& out) {
  out.begin_object();
  out.field("name", name);
  out.field("drifted", drift.drifted());
  out.field("score", drift.score());
  out.field("psi", drift.stability());
  out.field("psi_line", finite(drift.stability_line()));
  out.field("cusum", drift.cusum());
  out.field("cusum_line", drift.cusum_line());
  out.field("reference_rows", drift.reference().rows());
  out.field("dependence", drift.reference().dependence());
  write_bins(drift, out);
  out.end_object();
}

void write_decay(const learn::Decay& decay, json::Writer& out) {
  const learn::Interval excess = decay.excess();
  out.key("decay");
  out.begin_object();
  out.field("decayed", decay.decayed());
  out.field("rows", decay.rows());
  out.field("error", decay.rows() > 0 ? finite(decay.error()) : std::nullopt);
  out.field("reference_rows", decay.reference().rows);
  out.field("reference_error",
            decay.reference().rows > 0 ? finite(decay.reference().mean) : std::nullopt);
  out.field("excess_low", finite(excess.low));
  out.field("excess_high", finite(excess.high));
  out.end_object();
}

void write_watch(const std::optional<learn::Watch>& watch, json::Writer& out) {
  out.key("drift");
  if (!watch) {
    out.null();
    out.key("decay");
    out.null();
    return;
  }
  out.begin_object();
  out.field("score", watch->drift());
  out.field("rows", watch->rows());
  out.key("features");
  out.begin_array();
  for (const learn::Watch::Line& line : watch->features()) write_line(line.name, line.drift, out);
  out.end_array();
  out.key("model_score");
  write_line("the score", watch->score(), out);
  out.end_object();
  write_decay(watch->decay(), out);
}

std::string_view state_of(const learn::LearningView& view) {
  if (!view.from_traffic) return "by_people";
  if (view.under_way) return "training";
  return view.failures > 0 ? "backing_off" : "waiting";
}

void write(const learn::LearningView& view, json::Writer& out) {
  out.begin_object();
  out.field("name", view.model);
  out.field("state", state_of(view));
  out.field("next_run", view.from_traffic ? view.next : std::nullopt);
  out.field("not_before", view.not_before);
  out.key("last");
  if (view.last) {
    out.begin_object();
    out.key("job_id");
    out.value_or_null(view.job == 0 ? "" : std::to_string(view.job));
    out.field("began", view.began);
    out.field("time", view.last);
    out.key("trigger");
    out.value_or_null(view.why ? learn::name(view.why->trigger) : "");
    out.key("reason");
    out.value_or_null(view.why ? view.why->reason : "");
    out.key("refusal");
    out.value_or_null(view.refusal);
    out.end_object();
  } else {
    out.null();
  }
  out.field("failures", view.failures);
  out.field("feedback", view.feedback);
  out.field("champion", view.version == 0 ? std::nullopt : std::optional(view.version));
  write_watch(view.watch, out);
  out.end_object();
}

}  // namespace

void Service::list_learning(const CallPtr& call) {
  with_models(call, [call](ModelsPort& port) {
    json::Writer out;
    out.begin_object();
    out.key("models");
    out.begin_array();
    for (const learn::LearningView& view : port.learning()) write(view, out);
    out.end_array();
    out.end_object();
    call->answer(json_response(std::move(out)));
  });
}

}  // namespace liminal::api
