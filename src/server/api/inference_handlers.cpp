// The Open Inference Protocol (KServe V2) over HTTP.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "server/api/call.hpp"
#include "server/api/model_answers.hpp"
#include "server/api/models_port.hpp"

namespace liminal::api {
namespace {

constexpr std::string_view kInput = "input";
constexpr std::size_t kInlineBytesMax = 64 * 1024;

bool is_number_type(std::string_view type) {
  constexpr std::array<std::string_view, 12> kTypes{"FP16",
                                                    "FP32",
                                                    "FP64",
                                                    "INT8",
                                                    "INT16",
                                                    "INT32",
                                                    "INT64",
                                                    "UINT8",
                                                    "UINT16",
                                                    "UINT32",
                                                    "UINT64",
                                                    "BOOL"};
  return std::find(kTypes.begin(), kTypes.end(), type) != kTypes.end();
}

/// Whether a value is one that a type can hold; missing ones are.
bool holds(std::string_view type, float value) {
  if (type.starts_with("FP") || std::isnan(value)) return true;
  if (type == "BOOL") return value == 0 || value == 1;
  const bool is_unsigned = type.front() == 'U';
  const std::string_view digits = type.substr(is_unsigned ? 4 : 3);
  int bits = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  const double high = std::ldexp(1., is_unsigned ? bits : bits - 1);
  return value == std::trunc(value) && double{value} >= (is_unsigned ? 0 : -high) &&
         double{value} <= high - (bits < 32 ? 1 : 0);  // of more, a float has no last digit
}

/// One tensor of a request.
struct Tensor {
  std::string name;
  std::vector<std::uint64_t> shape;
  std::vector<float> values;
};

void flatten(const json::Value& value, std::vector<float>& to, bool& good) {
  if (const auto* list = value.as<json::Value::Array>()) {
    for (const json::Value& each : *list) flatten(each, to, good);
    return;
  }
  if (value.as<std::nullptr_t>() != nullptr) return to.push_back(models::kMissing);
  if (const auto* truth = value.as<bool>()) return to.push_back(*truth ? 1.F : 0.F);
  const double number = json::as_number(value).value_or(HUGE_VAL);
  good = good && std::abs(number) < 3e38;
  to.push_back(static_cast<float>(number));
}

Tensor read_tensor(json::Fields& in, const json::Value& value) {
  using json::Need;
  Tensor tensor;
  tensor.name = in.text("name", Need::kRequired, 1, 256).value_or("");
  const auto type = in.text("datatype", Need::kRequired, 1, 16).value_or("FP32");
  if (!is_number_type(type)) in.wrong("datatype", "must be a type of numbers, as FP32");
  if (const auto* shape = in.array("shape", Need::kRequired, 1, 2)) {
    for (const json::Value& each : *shape) {
      const auto size = json::as_whole(each);
      if (!size || *size > kPredictRowsMax * 4096)
        in.wrong("shape", "must be whole numbers of at most two axes");
      tensor.shape.push_back(size.value_or(0));
    }
  }
  (void)in.object("parameters", Need::kOptional);
  if (in.array("data", Need::kRequired, 1, kPredictRowsMax * 4096) != nullptr) {
    bool good = true;
    for (const auto& [name, data] : *value.as<json::Value::Object>())
      if (name == "data") flatten(data, tensor.values, good);
    if (!good) in.wrong("data", "must be numbers");
    if (is_number_type(type) && !std::all_of(tensor.values.begin(),
                                             tensor.values.end(),
                                             [&](float number) { return holds(type, number); }))
      in.wrong("data", "must be what " + type + " holds");
    std::uint64_t size = 1;
    for (const std::uint64_t axis : tensor.shape) size *= axis;
    if (size != tensor.values.size()) in.wrong("data", "must be as many as the shape says");
  }
  return tensor;
}

struct InferRequest {
  std::string id;
  std::vector<Tensor> inputs;
  std::vector<std::string> outputs;  ///< wanted; empty: all
};

InferRequest read_infer(json::Fields& in) {
  using json::Need;
  InferRequest request;
  request.id = in.text("id", Need::kOptional, 0, 256).value_or("");
  (void)in.object("parameters", Need::kOptional);
  if (const auto* inputs = in.array("inputs", Need::kRequired, 1, models::kColumnsMax)) {
    for (std::size_t i = 0; i < inputs->size(); ++i) {
      json::Fields each = in.element("inputs", i, (*inputs)[i]);
      if ((*inputs)[i].as<json::Value::Object>() == nullptr) continue;
      request.inputs.push_back(read_tensor(each, (*inputs)[i]));
      each.finish();
    }
  }
  if (const auto* outputs = in.array("outputs", Need::kOptional, 0, 16)) {
    for (std::size_t i = 0; i < outputs->size(); ++i) {
      json::Fields each = in.element("outputs", i, (*outputs)[i]);
      request.outputs.push_back(each.text("name", Need::kRequired, 1, 256).value_or(""));
      (void)each.object("parameters", Need::kOptional);
      each.finish();
    }
  }
  return request;
}

/// The rows of one tensor of all features, or of one tensor a feature.
std::vector<float> rows_of(const InferRequest& request,
                           const models::Metadata& metadata,
                           Problems& problems) {
  const auto& features = metadata.features;
  const std::vector<Tensor>& inputs = request.inputs;
  if (inputs.size() == 1 && inputs[0].name == kInput) {
    const auto& shape = inputs[0].shape;
    const bool right = shape.size() == 2 && shape[1] == features.size() && shape[0] >= 1 &&
                       shape[0] <= kPredictRowsMax;
    if (!right)
      problems.push_back({"inputs[0].shape",
                          "must be [rows, " + std::to_string(features.size()) + "], at most " +
                              std::to_string(kPredictRowsMax) + " rows"});
    return inputs[0].values;
  }
  std::vector<const Tensor*> columns(features.size(), nullptr);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto found = std::find_if(features.begin(), features.end(), [&](const auto& feature) {
      return feature.name == inputs[i].name;
    });
    const std::string path = "inputs[" + std::to_string(i) + "]";
    if (found == features.end()) {
      problems.push_back({path + ".name", "is neither \"input\" nor a feature of the model"});
    } else if (inputs[i].shape.size() == 2 && inputs[i].shape[1] != 1) {
      problems.push_back({path + ".shape", "must be [rows] or [rows, 1]"});
    } else {
      columns[static_cast<std::size_t>(found - features.begin())] = &inputs[i];
    }
  }
  std::vector<float> rows;
  const std::size_t count = columns[0] != nullptr ? columns[0]->values.size() : 0;
  if (count > kPredictRowsMax) problems.push_back({"inputs", "have too many rows"});
  for (std::size_t f = 0; f < features.size(); ++f) {
    if (columns[f] == nullptr) {
      problems.push_back({"inputs", "lack the feature " + features[f].name});
    } else if (columns[f]->values.size() != count) {
      problems.push_back({"inputs", "have different numbers of rows"});
    }
  }
  if (!problems.empty()) return rows;
  rows.resize(count * features.size());
  for (std::size_t f = 0; f < features.size(); ++f)
    for (std::size_t i = 0; i < count; ++i) rows[i * features.size() + f] = columns[f]->values[i];
  return rows;
}

struct Output {
  std::string_view name, type;
  double (*value)(const models::Prediction& said, const models::Metadata& metadata);
};

std::vector<Output> outputs_of(models::Task task) {
  const Output score{"score", "FP64", [](const auto& said, const auto&) { return said.score; }};
  switch (task) {
    case models::Task::kClassification:
    case models::Task::kAnomaly:
      return {score, {"positive", "BOOL", [](const auto& said, const auto& metadata) {
                        return said.score >= static_cast<double>(metadata.line) ? 1. : 0.;
                      }}};
    case models::Task::kRegression:
      return {score};
    case models::Task::kClustering:
      return {{"cluster",
               "INT64",
               [](const auto& said, const auto&) { return static_cast<double>(said.cluster); }},
              score};
  }
  return {};
}

void write_output(const Output& output,
                  std::span<const models::Prediction> said,
                  const models::Metadata& metadata,
                  json::Writer& out) {
  out.begin_object();
  out.field("name", output.name);
  out.field("datatype", output.type);
  out.key("shape");
  out.begin_array();
  out.value(said.size());
  out.end_array();
  out.key("data");
  out.begin_array();
  for (const models::Prediction& each : said) {
    const double value = output.value(each, metadata);
    if (output.type == "BOOL") {
      out.value(value != 0);
    } else if (output.type == "INT64") {
      out.value(static_cast<std::int64_t>(value));
    } else {
      out.value(value);
    }
  }
  out.end_array();
  out.end_object();
}

void write_tensor(std::string_view name,
                  std::string_view type,
                  std::int64_t width,
                  json::Writer& out) {
  out.begin_object();
  out.field("name", name);
  out.field("datatype", type);
  out.key("shape");
  out.begin_array();
  out.value(-1);
  if (width > 0) out.value(width);
  out.end_array();
  out.end_object();
}

}  // namespace

void Service::get_inference_server(const CallPtr& call) {
  json::Writer out;
  out.begin_object();
  out.field("name", "liminal");
  out.field("version", options_.version);
  out.key("extensions");
  out.begin_array();
  out.value("model_repository");
  out.end_array();
  out.end_object();
  call->answer(json_response(std::move(out)));
}

void Service::get_inference_live(const CallPtr& call) {
  json::Writer out;
  out.begin_object();
  out.field("live", true);
  out.end_object();
  call->answer(json_response(std::move(out)));
}

void Service::get_inference_ready(const CallPtr& call) {
  using Checks = std::vector<Check>;
  backend_.readiness(Call::then<Checks>(call, "the server", [call](const Checks& checks) {
    const bool ready =
        std::all_of(checks.begin(), checks.end(), [](const Check& check) { return check.ok; });
    if (!ready) return call->answer(problem(503, "the server is not ready; see /readyz?verbose"));
    json::Writer out;
    out.begin_object();
    out.field("ready", true);
    out.end_object();
    call->answer(json_response(std::move(out)));
  }));
}

/// The version in the path, if there is one. Answers, and gives nothing, when it is none.
std::optional<Predictor> Service::path_predictor(const CallPtr& call, ModelsPort& port) {
  std::optional<std::uint32_t> version;
  if (call->captured.size() > 1) {
    const std::string& text = call->captured[1];
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) {
      call->answer(problem(404, "there is no such version"));
      return std::nullopt;
    }
    version = number;
  }
  auto by = port.predictor(call->captured[0], version, "");
  if (by) return std::move(*by);
  call->answer(problem(by.error()));
  return std::nullopt;
}

void Service::get_inference_model(const CallPtr& call) {
  with_models(call, [this, call](ModelsPort& port) {
    const auto by = path_predictor(call, port);
    if (!by) return;
    const models::Metadata& metadata = by->scorer->metadata();
    json::Writer out;
    out.begin_object();
    out.field("name", call->captured[0]);
    out.key("versions");
    out.begin_array();
    for (const learn::ModelState& state : port.models()) {
      if (state.definition.name != call->captured[0]) continue;
      for (const learn::ModelVersion& version : state.versions)
        out.value(std::to_string(version.number));
    }
    out.end_array();
    out.field("platform", "onnx_onnxv1");
    out.key("inputs");
    out.begin_array();
    write_tensor(kInput, "FP32", static_cast<std::int64_t>(metadata.features.size()), out);
    out.end_array();
    out.key("outputs");
    out.begin_array();
    for (const Output& output : outputs_of(metadata.task))
      write_tensor(output.name, output.type, 0, out);
    out.end_array();
    out.end_object();
    call->answer(json_response(std::move(out)));
  });
}

void Service::get_inference_model_ready(const CallPtr& call) {
  with_models(call, [this, call](ModelsPort& port) {
    if (!path_predictor(call, port)) return;
    json::Writer out;
    out.begin_object();
    out.field("name", call->captured[0]);
    out.field("ready", true);
    out.end_object();
    call->answer(json_response(std::move(out)));
  });
}

void Service::infer(const CallPtr& call) {
  ModelsPort* const port = models_of(call);
  if (port == nullptr) return;
  const auto work = [this, call, port] {
    InferRequest request;
    if (!read_body(*call, [&](json::Fields& in) { request = read_infer(in); })) return;
    const auto by = path_predictor(call, *port);
    if (!by) return;
    const models::Metadata& metadata = by->scorer->metadata();
    Problems problems;
    const std::vector<float> rows = rows_of(request, metadata, problems);
    std::vector<Output> outputs = outputs_of(metadata.task);
    for (const std::string& wanted : request.outputs) {
      if (std::none_of(outputs.begin(), outputs.end(), [&](const Output& output) {
            return output.name == wanted;
          }))
        problems.push_back({"outputs", "has " + wanted + ", which the model does not give"});
    }
    if (!problems.empty()) return call->answer(invalid("body", problems));
    std::erase_if(outputs, [&](const Output& output) {
      const auto& wanted = request.outputs;
      return !wanted.empty() &&
             std::find(wanted.begin(), wanted.end(), output.name) == wanted.end();
    });
    ask(call, *by, [this, call, port, id = request.id, by = *by, rows, outputs] {
      std::vector<models::Prediction> said(rows.size() / by.scorer->features());
      const auto begun = clock_();
      if (const auto done = by.scorer->predict(rows, said); !done)
        return call->answer(unanswered(done.error()));
      port->predicted({call->captured[0], by, rows, said, "", clock_() - begun});
      json::Writer out;
      out.begin_object();
      out.field("model_name", call->captured[0]);
      out.field("model_version", std::to_string(by.version));
      if (!id.empty()) out.field("id", id);
      out.key("outputs");
      out.begin_array();
      for (const Output& output : outputs) write_output(output, said, by.scorer->metadata(), out);
      out.end_array();
      out.end_object();
      call->answer(json_response(std::move(out)));
    });
  };
  if (call->request.body.size() <= kInlineBytesMax) return work();
  later(
      call, [port](auto task) { return port->run(std::move(task)); }, work);
}

void Service::list_repository(const CallPtr& call) {
  bool ready_only = false;
  if (call->request.body.empty()) call->request.body = "{}";
  if (!read_body(*call, [&](json::Fields& in) {
        ready_only = in.flag("ready", json::Need::kOptional).value_or(false);
      }))
    return;
  with_models(call, [call, ready_only](ModelsPort& port) {
    json::Writer out;
    out.begin_array();
    for (const learn::ModelState& state : port.models()) {
      for (const learn::ModelVersion& version : state.versions) {
        const bool ready = state.champion == version.number;
        if (ready_only && !ready) continue;
        out.begin_object();
        out.field("name", state.definition.name);
        out.field("version", std::to_string(version.number));
        out.field("state", ready ? "READY" : "UNAVAILABLE");
        out.field("reason", ready ? "" : "it is not the champion; it answers when it is named");
        out.end_object();
      }
    }
    out.end_array();
    call->answer(json_response(std::move(out)));
  });
}

void Service::change_repository(const CallPtr& call, bool load) {
  std::optional<std::uint32_t> version;
  if (call->request.body.empty()) call->request.body = "{}";
  const auto read = [&](json::Fields& in) {
    auto parameters = in.object("parameters", json::Need::kOptional);
    if (!parameters || !load) return;
    if (const auto given = parameters->whole("version", json::Need::kOptional, 1))
      version = static_cast<std::uint32_t>(*given);
    parameters->finish();
  };
  if (!read_body(*call, read)) return;
  with_models(call, [call, load, version](ModelsPort& port) {
    if (load) {
      const auto loaded = port.load(call->captured[0], version);
      if (!loaded) return call->answer(problem(loaded.error()));
    } else {
      const auto done = port.unload(call->captured[0]);
      if (!done) return call->answer(problem(done.error()));
    }
    json::Writer out;
    out.begin_object();
    out.field("name", call->captured[0]);
    out.end_object();
    call->answer(json_response(std::move(out)));
  });
}

void Service::load_repository(const CallPtr& call) { change_repository(call, true); }
void Service::unload_repository(const CallPtr& call) { change_repository(call, false); }

}  // namespace liminal::api
