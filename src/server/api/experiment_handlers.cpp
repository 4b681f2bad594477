#include <charconv>

#include "server/api/call.hpp"
#include "server/api/model_answers.hpp"
#include "server/api/models_port.hpp"

namespace liminal::api {
namespace {

using Mode = learn::ExperimentOptions::Mode;

std::optional<Mode> mode_by_name(std::string_view word) {
  if (word == "shadow") return Mode::kShadow;
  if (word == "split") return Mode::kSplit;
  return std::nullopt;
}

std::optional<std::string> guard_by_name(std::string_view word) {
  if (word == "alarm_ratio" || word == "latency_us") return std::string(word);
  return std::nullopt;
}

learn::ExperimentRequest read_experiment(json::Fields& in) {
  using json::Need;
  learn::ExperimentRequest request;
  learn::ExperimentOptions& options = request.options;
  request.model = in.text("model_name", Need::kRequired, 1, 64).value_or("");
  if (const auto version = in.whole("challenger", Need::kOptional, 1))
    request.challenger = static_cast<std::uint32_t>(*version);
  options.mode =
      in.one_of("mode", Need::kRequired, &mode_by_name, "shadow or split").value_or(Mode::kShadow);
  options.share = in.number("share", Need::kOptional, .01, .99).value_or(options.share);
  options.alpha = in.number("alpha", Need::kOptional, .0001, .5).value_or(options.alpha);
  const auto effect = in.number("effect", Need::kOptional, 1e-9, 1e9);
  const auto effect_ratio = in.number("effect_ratio", Need::kOptional, 1e-4, 1);
  request.usual_effect = !effect && !effect_ratio;
  options.effect = effect.value_or(options.effect);
  options.effect_ratio = effect ? 0 : effect_ratio.value_or(0);
  options.rows_min = in.number("rows_min", Need::kOptional, 20, 1e9).value_or(options.rows_min);
  options.guards = {{"alarm_ratio", .05}, {"latency_us", 5}};
  request.usual_guards = true;
  if (const auto* guards = in.array("guards", Need::kOptional, 0, 16)) {
    request.usual_guards = false;
    options.guards.clear();
    for (std::size_t i = 0; i < guards->size(); ++i) {
      json::Fields guard = in.element("guards", i, (*guards)[i]);
      const auto name =
          guard.one_of("name", Need::kRequired, &guard_by_name, "alarm_ratio or latency_us");
      const auto tolerance = guard.number("tolerance", Need::kRequired, 0, 1e9);
      guard.finish();
      options.guards.push_back({name.value_or(""), tolerance.value_or(0)});
    }
  }
  return request;
}

void write_interval(const std::optional<double>& low,
                    const std::optional<double>& high,
                    json::Writer& out) {
  out.key("interval");
  if (!low || !high) return out.null();
  out.begin_object();
  out.field("low", *low);
  out.field("high", *high);
  out.end_object();
}

void write(const learn::ExperimentView::Decision& decision, json::Writer& out) {
  out.begin_object();
  out.field("time", decision.time);
  out.field("state", decision.state);
  out.field("difference", decision.difference);
  write_interval(decision.low, decision.high, out);
  out.field("rows", decision.rows);
  out.field("text", decision.text);
  out.end_object();
}

template <class T>
void write_arms(std::string_view name, const T (&values)[2], json::Writer& out) {
  out.key(name);
  out.begin_object();
  out.field("champion", values[0]);
  out.field("challenger", values[1]);
  out.end_object();
}

}  // namespace

void write(const learn::ExperimentView& view, json::Writer& out) {
  const bool split = view.options.mode == Mode::kSplit;
  out.begin_object();
  out.field("experiment_id", std::to_string(view.id));
  out.field("model_name", view.model);
  out.field("mode", split ? "split" : "shadow");
  out.field("champion", view.champion);
  out.field("challenger", view.challenger);
  out.field("state", view.state);
  out.field("created", view.created);
  out.field("ended", view.ended);
  out.field("alpha", view.options.alpha);
  out.field("effect", view.effect);
  out.field(
      "effect_ratio",
      view.options.effect_ratio > 0 ? std::optional(view.options.effect_ratio) : std::nullopt);
  out.key("guards");
  out.begin_array();
  for (const learn::GuardRail& guard : view.options.guards) {
    out.begin_object();
    out.field("name", guard.name);
    out.field("tolerance", guard.tolerance);
    out.end_object();
  }
  out.end_array();
  write_arms("judged", view.judged, out);
  out.field("difference", view.difference);
  write_interval(view.interval ? std::optional(view.interval->low) : std::nullopt,
                 view.interval ? std::optional(view.interval->high) : std::nullopt,
                 out);
  out.field("scored", view.scored);
  out.key("agreement");
  if (split || view.scored == 0) {
    out.null();
  } else {
    out.value(view.agreement);
  }
  write_arms("latency_us", view.latency_us, out);
  out.key("sample_ratio");
  if (split) {
    out.begin_object();
    out.field("wanted", view.options.share);
    out.field("observed", view.share_observed);
    out.field("mismatch", view.ratio_mismatch);
    out.end_object();
  } else {
    out.null();
  }
  out.key("decisions");
  out.begin_array();
  for (const auto& decision : view.decisions) write(decision, out);
  out.end_array();
  out.end_object();
}

void Service::list_experiments(const CallPtr& call) {
  with_models(call, [call](ModelsPort& port) {
    const auto views = port.experiments();
    json::Writer out;
    out.begin_object();
    out.key("experiments");
    out.begin_array();
    for (const learn::ExperimentView& view : views) write(view, out);
    out.end_array();
    out.field("count", views.size());
    out.end_object();
    call->answer(json_response(std::move(out)));
  });
}

void Service::begin_experiment(const CallPtr& call) {
  auto request = std::make_shared<learn::ExperimentRequest>();
  if (!read_body(*call, [&](json::Fields& in) { *request = read_experiment(in); })) return;
  with_models(call, [call, request](ModelsPort& port) {
    const auto begun = port.begin_experiment(*request);
    if (!begun) return call->answer(problem(begun.error()));
    json::Writer out;
    write(*begun, out);
    http::Response response = json_response(std::move(out), 201);
    response.headers.push_back({"Location", "/ml/experiments/" + std::to_string(begun->id)});
    call->answer(std::move(response));
  });
}

void Service::answer_experiment(const CallPtr& call, bool stop) {
  const std::string& text = call->captured[0];
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc{} || end != text.data() + text.size())
    return call->answer(problem(404, "there is no such experiment"));
  with_models(call, [call, id, stop](ModelsPort& port) {
    const auto view = stop ? port.stop_experiment(id) : port.experiment(id);
    if (!view) return call->answer(problem(view.error()));
    json::Writer out;
    write(*view, out);
    call->answer(json_response(std::move(out)));
  });
}

void Service::get_experiment(const CallPtr& call) { answer_experiment(call, false); }
void Service::stop_experiment(const CallPtr& call) { answer_experiment(call, true); }

}  // namespace liminal::api
