#include <charconv>
#include <exception>
#include <limits>

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
  request.batch = in.flag("batch", Need::kOptional).value_or(false);
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

/// Whether a page is wanted rather than JSON: by the path's end, or by what is accepted first.
bool wants_page(const Call& call) {
  if (call.route.ends_with(".html")) return true;
  const std::string accept(call.request.header("Accept").value_or(""));
  return accept.find("text/html") < accept.find("application/json");
}

void answer_report(const std::shared_ptr<Call>& call,
                   ModelsPort& port,
                   const std::string& model,
                   std::uint32_t version) {
  const bool page = wants_page(*call);
  auto report = port.report(model, version, page);
  if (!report) return call->answer(problem(report.error()));
  http::Response response{200, {}, std::move(*report)};
  response.headers.push_back(
      {"Content-Type", page ? std::string("text/html; charset=utf-8") : std::string(kJsonType)});
  response.headers.push_back({"Vary", "Accept"});
  call->answer(std::move(response));
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

/// Asks the core's own models at once, foreign ones and what is for batches elsewhere.
void Service::ask(const CallPtr& call, const Predictor& by, std::function<void()> work) {
  if (by.scorer->model() != nullptr && !by.batches) return work();
  later(
      call, [this](auto task) { return models_->run_foreign(std::move(task)); }, std::move(work));
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
    if (!number || *number > UINT32_MAX)
      return call->answer(problem(404, "there is no such version"));
    answer_report(call, port, call->captured[0], static_cast<std::uint32_t>(*number));
  });
}

void Service::get_job_report(const CallPtr& call) {
  with_models(call, [call](ModelsPort& port) {
    const auto id = number_of(call->captured[0]);
    if (!id) return call->answer(problem(404, "there is no such job"));
    const auto job = port.job(*id);
    if (!job) return call->answer(problem(job.error()));
    if (job->version) return answer_report(call, port, job->request.model, *job->version);
    call->answer(
        problem(409,
                learn::ended(job->state)
                    ? "the job made no version" + (job->problem.empty() ? "" : ": " + job->problem)
                    : "the job has not ended"));
  });
}

void Service::bring_model(const CallPtr& call) {
  Query query(call->query);
  learn::Bringing bringing;
  bringing.file = query.text("file", 1, 255).value_or("a file");
  bringing.output = query.text("output", 1, 256).value_or("");
  const std::uint64_t column = query.whole("column", UINT64_MAX, 0, 1'000'000);
  if (column != UINT64_MAX) bringing.column = static_cast<std::size_t>(column);
  const double line = query.number("line", -1, 0, 1e9);
  if (line >= 0) bringing.line = static_cast<float>(line);
  if (!right(*call, query)) return;
  call->query.clear();
  with_models(call, [call, bringing](ModelsPort& port) {
    const auto version = port.bring(call->captured[0], call->request.body, bringing);
    if (!version) return call->answer(problem(version.error()));
    json::Writer out;
    out.begin_object();
    out.field("model", version->model);
    out.field("version", version->number);
    out.field("status", "challenger");
    out.field("onnx_sha256", version->sha256);
    out.end_object();
    call->answer(json_response(std::move(out), 201));
  });
}

void Service::get_model_file(const CallPtr& call) {
  Query query(call->query);
  const bool batches = query.flag("batch");
  if (!right(*call, query)) return;
  call->query.clear();
  with_models(call, [call, batches](ModelsPort& port) {
    const auto number = number_of(call->captured[1]);
    if (!number || *number > std::numeric_limits<std::uint32_t>::max())
      return call->answer(problem(404, "there is no such version"));
    auto file = port.file(call->captured[0], static_cast<std::uint32_t>(*number), batches);
    if (!file) return call->answer(problem(file.error()));
    call->answer({200, {{"Content-Type", "application/octet-stream"}}, std::move(*file)});
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
    if (request->model == learn::kAllModels) return call->answer(train_all(port, *request));
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
  const auto elsewhere = [this, call, port](std::function<void()> work) {
    later(
        call, [port](auto task) { return port->run(std::move(task)); }, std::move(work));
  };
  const auto answer = [this, call, port](PredictRequest request) {
    const auto by = request.batch ? port->batch_predictor(request.model, request.version)
                                  : port->predictor(request.model, request.version, request.user);
    if (!by) return call->answer(problem(by.error()));
    Problems problems;
    const std::vector<float> rows = read_feature_rows(request, by->scorer->metadata(), problems);
    if (!problems.empty()) return call->answer(invalid("body", problems));
    request.features = nullptr;
    ask(call, *by, [this, call, request, by = *by, rows] {
      answer_predictions(call, request, by, rows);
    });
  };
  const bool here = call->request.body.size() <= kInlineBytesMax;
  const auto work = [call, here, elsewhere, answer] {
    const auto body = std::make_shared<const Result<json::Value>>(json::parse(call->request.body));
    PredictRequest request;
    // Read once more by `read_body`, which answers whatever is wrong.
    const json::Value nothing;
    if (!read_body(*call,
                   [&](json::Fields& in) { request = read_predict(in, *body ? **body : nothing); }))
      return;
    // What is for batches may wait for a disk, and explanations take long.
    if (here && (request.batch || request.explain))
      return elsewhere([body, request, answer] { answer(request); });
    answer(std::move(request));
  };
  here ? work() : elsewhere(work);
}

void Service::answer_predictions(const CallPtr& call,
                                 const PredictRequest& request,
                                 const Predictor& by,
                                 std::span<const float> rows) {
  const std::size_t width = by.scorer->features();
  std::vector<models::Prediction> said(rows.size() / width);
  const auto begun = clock_();
  if (const auto done = by.scorer->predict(rows, said); !done)
    return call->answer(unanswered(done.error()));
  // Experiments and latencies are of what answers each message.
  if (!by.batches)
    models_->predicted({request.model, by, rows, said, request.user, clock_() - begun});
  std::vector<models::Explanation> why;
  for (std::size_t i = 0; request.explain && i < said.size(); ++i) {
    auto explained = by.scorer->explain(rows.subspan(i * width, width));
    if (!explained) return call->answer(unanswered(explained.error()));
    why.push_back(std::move(*explained));
  }
  const auto write_one = [&](std::size_t i, json::Writer& out) {
    write_prediction(by.scorer->metadata(), said[i], why.empty() ? nullptr : &why[i], out);
  };
  json::Writer out;
  out.begin_object();
  if (request.single) {
    write_one(0, out);
  } else {
    out.key("predictions");
    out.begin_array();
    for (std::size_t i = 0; i < said.size(); ++i) {
      out.begin_object();
      write_one(i, out);
      out.end_object();
    }
    out.end_array();
  }
  out.field("model", request.model);
  out.field("version", by.version);
  if (request.batch) out.field("for_batches", by.batches);
  out.end_object();
  call->answer(json_response(std::move(out)));
}

}  // namespace liminal::api
