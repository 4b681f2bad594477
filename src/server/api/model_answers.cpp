#include "server/api/model_answers.hpp"

#include <algorithm>
#include <cmath>

#include "core/base/hex.hpp"
#include "server/api/problem.hpp"

namespace liminal::api {
namespace {

constexpr double kBudgetMax_s = 6 * 3600.;

unsigned status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kMissing:
      return 404;
    case ErrorCode::kConflict:
    case ErrorCode::kChecksum:  // of a version's file: another one can be loaded
      return 409;
    case ErrorCode::kOutOfRange:
    case ErrorCode::kUnsupported:
    case ErrorCode::kMalformed:
      return 422;
    case ErrorCode::kUnavailable:
      return 503;
    default:
      return 500;
  }
}

void write_strings(const std::vector<std::string>& texts, json::Writer& out) {
  out.begin_array();
  for (const std::string& text : texts) out.value(text);
  out.end_array();
}

std::string_view status_of(const learn::ModelState& state, std::uint32_t version) {
  if (state.champion == version) return "champion";
  if (state.challenger == version) return "challenger";
  return "kept";
}

std::string report_path(const std::string& model, std::uint32_t version) {
  return "/ml/models/" + model + "/versions/" + std::to_string(version) + "/report";
}

void write(const learn::ModelState& state, const learn::ModelVersion& version, json::Writer& out) {
  out.begin_object();
  out.field("version", version.number);
  out.field("status", status_of(state, version.number));
  out.field("created", version.created);
  out.field("trainer", version.trainer);
  out.key("job_id");
  out.value_or_null(version.job == 0 ? "" : std::to_string(version.job));
  out.field("parent", version.parent);
  out.key("metrics");
  out.begin_object();
  for (const auto& [name, value] : version.metrics) out.field(name, value);
  out.end_object();
  out.key("features");
  write_strings(version.features, out);
  out.field("report", report_path(version.model, version.number));
  out.field("onnx_sha256", version.sha256);
  out.field("onnx_bytes", version.bytes);
  out.key("data_fingerprint");
  out.value_or_null(version.fingerprint);
  out.key("feature_schema");
  out.value_or_null(version.schema == 0 ? "" : hex(version.schema));
  out.key("for_batches");
  if (version.batches) {
    out.begin_object();
    out.field("onnx_sha256", version.batches->sha256);
    out.field("onnx_bytes", version.batches->bytes);
    out.field("us_a_row", version.batches->us_row);
    out.end_object();
  } else {
    out.null();
  }
  out.end_object();
}

void write_explanation(const models::Metadata& metadata,
                       const models::Explanation& why,
                       json::Writer& out) {
  out.key("explanation");
  out.begin_object();
  out.field("margin", why.margin);
  out.field("expectation", why.expectation);
  out.field("exactness", models::name(why.exactness));
  out.key("contributions");
  out.begin_object();
  for (std::size_t i = 0; i < why.contributions.size(); ++i)
    out.field(metadata.features[i].name, why.contributions[i]);
  out.end_object();
  out.end_object();
}

/// All that a refusal says, in one line.
std::string words(const learn::Refusal& refusal) {
  std::string text = refusal.text;
  for (const Problem& each : refusal.problems)
    text += (text.empty() ? "" : "; ") + each.key + " " + each.text;
  return text;
}

void read_row(const json::Value& value,
              const std::string& path,
              const models::Metadata& metadata,
              std::vector<float>& row,
              Problems& problems) {
  const auto* object = value.as<json::Value::Object>();
  if (object == nullptr) {
    problems.push_back({path, "must be an object of features"});
    return;
  }
  const auto& features = metadata.features;
  std::vector<bool> seen(features.size());
  std::vector<std::string_view> names;
  for (const models::Feature& feature : features) names.push_back(feature.name);
  for (const auto& [name, each] : *object) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) {
      problems.push_back({path + "." + name, "is no feature of the model"});
      continue;
    }
    const auto place = static_cast<std::size_t>(found - names.begin());
    if (seen[place]) problems.push_back({path + "." + name, "is given twice"});
    seen[place] = true;
    row[place] = models::kMissing;
    if (each.as<std::nullptr_t>() != nullptr) continue;
    const double number = json::as_number(each).value_or(HUGE_VAL);
    if (std::abs(number) > 3e38)
      problems.push_back({path + "." + name, "must be a number, or null when it is not known"});
    row[place] = static_cast<float>(number);
  }
  for (std::size_t i = 0; i < features.size(); ++i)
    if (!seen[i]) problems.push_back({path + "." + features[i].name, "is missing"});
}

}  // namespace

http::Response problem(const learn::Refusal& refusal) {
  const unsigned status = status_of(refusal.code);
  if (status == 409 && !refusal.problems.empty())
    return problem(status, refusal.text, [&](json::Writer& out) {
      out.key("differences");
      out.begin_array();
      for (const Problem& each : refusal.problems) {
        out.begin_object();
        out.field("feature", each.key);
        out.field("difference", each.text);
        out.end_object();
      }
      out.end_array();
    });
  if (!refusal.problems.empty()) return invalid("body", refusal.problems);
  if (refusal.rows_missing > 0)
    return problem(status, refusal.text, [&](json::Writer& out) {
      out.field("rows_missing", refusal.rows_missing);
    });
  http::Response response = problem(status, refusal.text);
  if (status == 503) response.headers.push_back({"Retry-After", "1"});
  return response;
}

void write(const learn::ModelState& state, json::Writer& out) {
  out.begin_object();
  out.field("name", state.definition.name);
  out.field("task", models::name(state.definition.task));
  out.key("features");
  write_strings(state.definition.features, out);
  out.key("target");
  out.value_or_null(state.definition.target);
  out.field("champion", state.champion);
  out.field("challenger", state.challenger);
  out.key("not_loaded");
  out.begin_object();
  if (!state.champion_trouble.empty()) out.field("champion", state.champion_trouble);
  if (!state.challenger_trouble.empty()) out.field("challenger", state.challenger_trouble);
  out.end_object();
  out.key("versions");
  out.begin_array();
  for (const learn::ModelVersion& version : state.versions) write(state, version, out);
  out.end_array();
  out.end_object();
}

void write(const learn::AliasChange& change, json::Writer& out) {
  out.begin_object();
  out.field("time", change.time);
  out.field("alias", learn::name(change.alias));
  out.field("version", change.version);
  out.field("previous", change.previous);
  out.field("actor", change.actor);
  out.field("reason", change.reason);
  out.end_object();
}

void write(const learn::TrainingJob& job, json::Writer& out) {
  const learn::TrainRequest& request = job.request;
  out.begin_object();
  out.field("job_id", std::to_string(job.id));
  out.field("model_name", request.model);
  out.field("data_source", learn::name(request.source));
  out.key("file");
  out.value_or_null(request.file);
  out.field("trainer", request.trainer);
  out.field("time_budget_s", request.budget_s);
  out.field("fits_max", request.fits_max);
  out.field("seed", request.seed);
  out.field("auto_deploy", request.auto_deploy);
  out.field("unsupervised", request.unsupervised);
  out.field("leave_out_incidents", request.leave_out_incidents);
  out.field("injected_abuse", request.injected_abuse);
  out.field("distributed", request.distributed);
  out.field("workers", request.workers);
  out.field("state", learn::name(job.state));
  out.field("created", job.created);
  out.field("started", job.started);
  out.field("finished", job.finished);
  out.field("progress", job.progress);
  out.key("leaderboard");
  out.begin_array();
  for (const learn::JobLine& line : job.leaderboard) {
    out.begin_object();
    out.field("recipe", line.recipe);
    out.field("score", line.score);
    out.field("fits", line.fits);
    out.field("cost_s", line.cost_s);
    out.field("us_a_row", line.us_row);
    out.field("memory_bytes", line.memory_bytes);
    out.end_object();
  }
  out.end_array();
  out.key("result");
  if (job.version) {
    out.begin_object();
    out.field("version", *job.version);
    out.key("alias");
    out.value_or_null(job.alias ? learn::name(*job.alias) : "");
    out.key("reasons");
    write_strings(job.reasons, out);
    out.field("report", report_path(request.model, *job.version));
    out.end_object();
  } else {
    out.null();
  }
  out.key("problem");
  out.value_or_null(job.problem);
  out.end_object();
}

learn::TrainRequest read_train_request(json::Fields& in) {
  using json::Need;
  learn::TrainRequest request;
  request.model = in.text("model_name", Need::kRequired, 1, 64).value_or("");
  request.source = in.one_of("data_source",
                             Need::kRequired,
                             &learn::data_source_by_name,
                             "recent_features, store or file")
                       .value_or(learn::DataSource::kStore);
  request.file = in.text("file", Need::kOptional, 1, 255).value_or("");
  const auto trainer = [](std::string_view word) -> std::optional<std::string> {
    for (const std::string_view known : {"builtin", "kenning", "ray"})
      if (word == known) return std::string(known);
    return std::nullopt;
  };
  request.trainer =
      in.one_of("trainer", Need::kOptional, trainer, "builtin, kenning or ray").value_or("builtin");
  request.budget_s = in.number("time_budget_s", Need::kOptional, 1, kBudgetMax_s).value_or(60);
  request.fits_max =
      static_cast<std::uint32_t>(in.whole("fits_max", Need::kOptional, 8, 100'000).value_or(0));
  request.seed = in.whole("seed", Need::kOptional, 0).value_or(1);
  const auto truth = in.flag("auto_deploy", Need::kOptional);
  request.auto_deploy = truth.value_or(true);
  request.unsupervised = in.flag("unsupervised", Need::kOptional).value_or(false);
  request.leave_out_incidents = in.flag("leave_out_incidents", Need::kOptional).value_or(false);
  request.injected_abuse = in.flag("injected_abuse", Need::kOptional).value_or(false);
  request.distributed = in.flag("distributed", Need::kOptional).value_or(false);
  request.workers =
      static_cast<std::uint32_t>(in.whole("workers", Need::kOptional, 1, 64).value_or(0));
  if (request.workers > 0 && !request.distributed)
    in.wrong("workers", "is for a distributed training");
  if (request.source == learn::DataSource::kFile && request.file.empty())
    in.wrong("file", "is needed when data_source is file");
  if (request.source != learn::DataSource::kFile && !request.file.empty())
    in.wrong("file", "is for data_source file alone");
  if (request.source == learn::DataSource::kFile && request.model == learn::kAllModels)
    in.wrong("data_source", "must be store or recent_features for all: a file is of one model");
  return request;
}

http::Response train_all(ModelsPort& port, const learn::TrainRequest& request) {
  learn::Refusal none;
  bool begun = false;
  json::Writer out;
  out.begin_object();
  out.key("jobs");
  out.begin_array();
  for (const learn::ModelDefinition& definition : learn::first_models()) {
    learn::TrainRequest one = request;
    one.model = definition.name;
    // Of what is for classes alone.
    one.injected_abuse &= definition.task == models::Task::kClassification;
    const auto job = port.train(one);
    out.begin_object();
    out.field("model_name", one.model);
    out.key("job_id");
    out.value_or_null(job ? std::to_string(job->id) : "");
    out.key("problem");
    out.value_or_null(job ? "" : words(job.error()));
    out.field("rows_missing", job ? 0 : job.error().rows_missing);
    out.end_object();
    begun = begun || job;
    if (job) continue;
    none.code = none.text.empty() ? job.error().code : none.code;
    none.text += (none.text.empty() ? "" : "; ") + one.model + ": " + words(job.error());
    // They learn from the same rows.
    none.rows_missing = std::max(none.rows_missing, job.error().rows_missing);
  }
  out.end_array();
  out.end_object();
  return begun ? json_response(std::move(out), 202) : problem(none);
}

std::vector<float> read_feature_rows(const PredictRequest& request,
                                     const models::Metadata& metadata,
                                     Problems& problems) {
  constexpr std::size_t kProblemsMax = 100;
  const std::size_t width = metadata.features.size();
  std::vector<float> rows;
  std::vector<float> row(width);
  if (request.single) {
    read_row(*request.features, "features", metadata, row, problems);
    return row;
  }
  const auto& list = *request.features->as<json::Value::Array>();
  for (std::size_t i = 0; i < list.size() && problems.size() < kProblemsMax; ++i) {
    read_row(list[i], "features[" + std::to_string(i) + "]", metadata, row, problems);
    rows.insert(rows.end(), row.begin(), row.end());
  }
  return rows;
}

void write_prediction(const models::Metadata& metadata,
                      const models::Prediction& said,
                      const models::Explanation* why,
                      json::Writer& out) {
  switch (metadata.task) {
    case models::Task::kClassification:
    case models::Task::kAnomaly:
      out.field("prediction", said.score);
      out.field("positive", said.score >= static_cast<double>(metadata.line));
      break;
    case models::Task::kRegression:
      out.field("prediction", said.score);
      if (const auto half = models::half_width(metadata)) {
        out.key("interval");
        out.begin_object();
        out.field("coverage", .9);
        out.field("low", said.score - *half);
        out.field("high", said.score + *half);
        out.end_object();
      }
      break;
    case models::Task::kClustering:
      out.field("prediction", said.cluster);
      out.field("distance", said.score);
      if (const auto words = fact(metadata, "cluster." + std::to_string(said.cluster));
          !words.empty())
        out.field("description", words);
      break;
  }
  if (why != nullptr) write_explanation(metadata, *why, out);
}

http::Response unanswered(const Error& error) {
  if (error.code == ErrorCode::kOutOfRange)
    return problem(422,
                   "the model gives no number (of classes: no probability) for row " +
                       std::to_string(error.position) + ": does it take missing values?");
  return problem(503, "the model failed to answer");
}

}  // namespace liminal::api
