#include <charconv>
#include <exception>

#include "server/api/call.hpp"
#include "server/api/model_answers.hpp"
#include "server/api/models_port.hpp"

namespace liminal::api {
namespace {

constexpr std::size_t kListMax = 1000;
/// Larger requests are worked on where they hold up nobody.
constexpr std::size_t kInlineBytesMax = 64 * 1024;

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

PredictRequest read_predict(json::Fields& in, const json::Value& body) {
  using json::Need;
  PredictRequest request;
  request.model = in.text("model_name", Need::kRequired, 1, 64).value_or("");
  if (const auto version = in.whole("version", Need::kOptional, 1))
    request.version = static_cast<std::uint32_t>(*version);
  request.user = in.text("user_id", Need::kOptional, 1, 128).value_or("");
  request.explain = in.flag("explain", Need::kOptional).value_or(false);
  if (const auto* members = body.as<json::Value::Object>()) {
    for (const auto& [name, value] : *members)
      if (name == "features") request.features = &value;
  }
  request.single =
      request.features != nullptr && request.features->as<json::Value::Object>() != nullptr;
  if (request.single) {
    (void)in.is_null("features");  // read below, with the model's features at hand
  } else {
    (void)in.array(
        "features", Need::kRequired, 1, request.explain ? kExplainRowsMax : kPredictRowsMax);
  }
  return request;
}

}  // namespace

ModelsPort* Service::models_of(const CallPtr& call) {
  Query query(call->query);
  if (!right(*call, query)) return nullptr;
  if (models_ == nullptr) call->answer(problem(503, "models are not there"));
  return models_;
}

/// Does what may wait for a disk elsewhere.
void Service::with_models(const CallPtr& call, std::function<void(ModelsPort&)> work) {
  ModelsPort* const port = models_of(call);
  if (port == nullptr) return;
  later(
      call,
      [port](auto task) { return port->run(std::move(task)); },
      [port, work = std::move(work)] { work(*port); });
}

void Service::list_models(const CallPtr& call) {
  with_models(call, [call](ModelsPort& port) {
    json::Writer out;
    out.begin_object();
    out.key("models");
    out.begin_array();
    for (const learn::ModelState& state : port.models()) write(state, out);
    out.end_array();
    out.end_object();
    call->answer(json_response(std::move(out)));
  });
}

void Service::get_model(const CallPtr& call) {
  with_models(call, [call](ModelsPort& port) {
    for (const learn::ModelState& state : port.models()) {
      if (state.definition.name != call->captured[0]) continue;
      json::Writer out;
      write(state, out);
      return call->answer(json_response(std::move(out)));
    }
    call->answer(problem(404, "there is no such model"));
  });
}

void Service::get_model_history(const CallPtr& call) {
  Query query(call->query);
  const auto limit = static_cast<std::size_t>(query.whole("limit", 100, 1, kListMax));
  if (!right(*call, query)) return;
  call->query.clear();
  with_models(call, [call, limit](ModelsPort& port) {
    const auto changes = port.history(call->captured[0], limit);
    if (!changes) return call->answer(problem(changes.error()));
    json::Writer out;
    out.begin_object();
    out.key("history");
    out.begin_array();
    for (const learn::AliasChange& change : *changes) write(change, out);
    out.end_array();
    out.field("count", changes->size());
    out.end_object();
    call->answer(json_response(std::move(out)));
  });
}

void Service::get_model_report(const CallPtr& call) {
  with_models(call, [call](ModelsPort& port) {
    const auto number = number_of(call->captured[1]);
    for (const learn::ModelState& state : port.models()) {
      if (state.definition.name != call->captured[0]) continue;
      for (const learn::ModelVersion& version : state.versions) {
        if (number != version.number) continue;
        json::Writer out;
        out.raw(version.report.empty() ? "{}" : version.report);
        return call->answer(json_response(std::move(out)));
      }
    }
    call->answer(problem(404, "there is no such version"));
  });
}

void Service::load_model(const CallPtr& call) {
  std::optional<std::uint32_t> version;
  const auto read = [&](json::Fields& in) {
    if (const auto given = in.whole("version", json::Need::kOptional, 1))
      version = static_cast<std::uint32_t>(*given);
  };
  if (call->request.body.empty()) call->request.body = "{}";
  if (!read_body(*call, read)) return;
  with_models(call, [call, version](ModelsPort& port) {
    const auto loaded = port.load(call->captured[0], version);
    if (!loaded) return call->answer(problem(loaded.error()));
    json::Writer out;
    out.begin_object();
    out.field("model", call->captured[0]);
    out.field("version", *loaded);
    out.field("status", "champion");
    out.end_object();
    call->answer(json_response(std::move(out)));
  });
}

void Service::train_model(const CallPtr& call) {
  auto request = std::make_shared<learn::TrainRequest>();
  if (!read_body(*call, [&](json::Fields& in) { *request = read_train_request(in); })) return;
  with_models(call, [call, request](ModelsPort& port) {
    const auto job = port.train(*request);
    if (!job) return call->answer(problem(job.error()));
    json::Writer out;
    out.begin_object();
    out.field("job_id", std::to_string(job->id));
    out.end_object();
    http::Response response = json_response(std::move(out), 202);
    response.headers.push_back({"Location", "/ml/jobs/" + std::to_string(job->id)});
    call->answer(std::move(response));
  });
}

void Service::list_jobs(const CallPtr& call) {
  Query query(call->query);
  const auto limit = static_cast<std::size_t>(query.whole("limit", 50, 1, kListMax));
  if (!right(*call, query)) return;
  call->query.clear();
  with_models(call, [call, limit](ModelsPort& port) {
    const auto jobs = port.jobs(limit);
    json::Writer out;
    out.begin_object();
    out.key("jobs");
    out.begin_array();
    for (const learn::TrainingJob& job : jobs) write(job, out);
    out.end_array();
    out.field("count", jobs.size());
    out.end_object();
    call->answer(json_response(std::move(out)));
  });
}

void Service::answer_job(const CallPtr& call, bool cancel) {
  const auto id = number_of(call->captured[0]);
  if (!id) return call->answer(problem(404, "there is no such job"));
  with_models(call, [call, id = *id, cancel](ModelsPort& port) {
    const auto job = cancel ? port.cancel(id) : port.job(id);
    if (!job) return call->answer(problem(job.error()));
    json::Writer out;
    write(*job, out);
    call->answer(json_response(std::move(out)));
  });
}

void Service::get_job(const CallPtr& call) { answer_job(call, false); }
void Service::cancel_job(const CallPtr& call) { answer_job(call, true); }

void Service::predict(const CallPtr& call) {
  ModelsPort* const port = models_of(call);
  if (port == nullptr) return;
  const auto work = [this, call, port] {
    auto body = json::parse(call->request.body);
    PredictRequest request;
    // Read once more by `read_body`, which answers whatever is wrong.
    const json::Value nothing;
    if (!read_body(*call,
                   [&](json::Fields& in) { request = read_predict(in, body ? *body : nothing); }))
      return;
    const auto by = port->predictor(request.model, request.version, request.user);
    if (!by) return call->answer(problem(by.error()));
    Problems problems;
    const std::vector<float> rows = read_feature_rows(request, by->model->metadata, problems);
    if (!problems.empty()) return call->answer(invalid("body", problems));
    answer_predictions(call, request, *by, rows);
  };
  const bool explained = call->request.body.find("\"explain\"") != std::string::npos;
  if (call->request.body.size() <= kInlineBytesMax && !explained) return work();
  later(
      call, [port](auto task) { return port->run(std::move(task)); }, work);
}

void Service::answer_predictions(const CallPtr& call,
                                 const PredictRequest& request,
                                 const Predictor& by,
                                 std::span<const float> rows) {
  const std::size_t width = by.model->metadata.features.size();
  std::vector<models::Prediction> said(rows.size() / width);
  const auto begun = clock_();
  by.evaluator->predict_batch(rows, said);
  models_->predicted({request.model, by, rows, said, request.user, clock_() - begun});
  json::Writer out;
  out.begin_object();
  if (request.single) {
    write_prediction(*by.model, rows, said[0], request.explain, out);
  } else {
    out.key("predictions");
    out.begin_array();
    for (std::size_t i = 0; i < said.size(); ++i) {
      out.begin_object();
      write_prediction(*by.model, rows.subspan(i * width, width), said[i], request.explain, out);
      out.end_object();
    }
    out.end_array();
  }
  out.field("model", request.model);
  out.field("version", by.version);
  out.end_object();
  call->answer(json_response(std::move(out)));
}

}  // namespace liminal::api
