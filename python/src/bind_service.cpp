#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include "bind.hpp"
#include "server/api/openapi.hpp"
#include "service.hpp"

namespace liminal::python {
namespace {

using namespace nb::literals;

std::string_view bytes_of(nb::handle value, const char* field) {
  if (!PyBytes_Check(value.ptr())) raise_value(field, "must be bytes");
  return {PyBytes_AS_STRING(value.ptr()), static_cast<std::size_t>(PyBytes_GET_SIZE(value.ptr()))};
}

nb::bytes as_bytes(std::string_view text) { return nb::bytes(text.data(), text.size()); }

http::Request request_of(std::string method,
                         std::string target,
                         nb::iterable headers,
                         const nb::bytes& body,
                         std::string peer,
                         bool peer_is_local) {
  http::Request request;
  request.method = std::move(method);
  request.target = std::move(target);
  for (const nb::handle pair : headers) {
    request.headers.push_back(
        {std::string(bytes_of(pair[0], "headers")), std::string(bytes_of(pair[1], "headers"))});
  }
  request.body = std::string(body.c_str(), body.size());
  request.peer = std::move(peer);
  request.peer_is_local = peer_is_local;
  return request;
}

nb::tuple as_tuple(const http::Response& response) {
  nb::list answered;
  for (const http::Header& header : response.headers)
    answered.append(nb::make_tuple(as_bytes(header.name), as_bytes(header.value)));
  return nb::make_tuple(response.status, answered, as_bytes(response.body));
}

nb::tuple handle(HttpService& service,
                 std::string method,
                 std::string target,
                 nb::iterable headers,
                 const nb::bytes& body,
                 std::string peer,
                 bool peer_is_local) {
  http::Request request = request_of(
      std::move(method), std::move(target), headers, body, std::move(peer), peer_is_local);
  http::Response response;
  {
    nb::gil_scoped_release release;
    response = service.handle(std::move(request));
  }
  return as_tuple(response);
}

nb::tuple route_events(HttpService& service,
                       std::string method,
                       std::string target,
                       nb::iterable headers,
                       const nb::bytes& body,
                       std::string peer,
                       bool peer_is_local,
                       std::size_t owners) {
  if (owners < 1 || owners > kShards) raise_value("owners", "must be 1 to 64");
  http::Request request = request_of(
      std::move(method), std::move(target), headers, body, std::move(peer), peer_is_local);
  HttpService::Routed routed;
  {
    nb::gil_scoped_release release;
    routed = service.route_events(std::move(request), owners);
  }
  nb::list batches;
  for (const std::string& batch : routed.batches) batches.append(as_bytes(batch));
  return nb::make_tuple(as_tuple(routed.response), batches);
}

void save(HttpService& service) {
  Result<void> saved;
  {
    nb::gil_scoped_release release;
    saved = service.save();
  }
  if (!saved) raise_error("folder", saved.error());
}

ModelsAt models_at(std::string_view place, const std::string& folder) {
  ModelsAt at = ModelsAt::kNowhere;
  if (place == "here") {
    at = ModelsAt::kHere;
  } else if (place == "apart") {
    at = ModelsAt::kApart;
  } else if (place == "copies") {
    return ModelsAt::kCopies;
  } else if (!place.empty()) {
    raise_value("models", "must be here, apart, copies or empty");
  }
  if (at != ModelsAt::kNowhere && folder.empty()) raise_value("folder", "is needed for models");
  return at;
}

registry::ForeignOptions foreign_of(std::string library, std::string_view provider, int threads) {
  const auto known = onnxruntime::provider_by_name(provider);
  if (!known) raise_value("provider", "must be cpu, cuda or tensorrt");
  if (threads < 1 || threads > 64) raise_value("threads", "must be 1 to 64");
  return {std::move(library), *known, threads};
}

ModelsOf& models_of(HttpService& service) {
  if (service.models() == nullptr) raise_value("models", "are not kept by this service");
  return *service.models();
}

/// Champions as (model, version, sha256).
nb::list champions(HttpService& service) {
  nb::list out;
  for (const learn::ModelState& state : models_of(service).models()) {
    for (const learn::ModelVersion& version : state.versions) {
      if (state.champion == version.number)
        out.append(nb::make_tuple(state.definition.name, version.number, version.sha256));
    }
  }
  return out;
}

nb::list take_copies(HttpService& service, nb::iterable champions) {
  if (service.copies() == nullptr) raise_value("models", "are no copies here");
  std::vector<ModelCopy> copies;
  for (const nb::handle one : champions) {
    const std::string_view bytes = bytes_of(one[3], "champions");
    copies.push_back({nb::cast<std::string>(one[0]),
                      nb::cast<std::uint32_t>(one[1]),
                      true,
                      nb::cast<std::string>(one[2]),
                      std::string(bytes)});
  }
  const auto left_out = [&] {
    const nb::gil_scoped_release release;
    return service.copies()->take(copies);
  }();
  nb::list out;
  for (const auto& one : left_out) out.append(nb::make_tuple(one.model, one.why));
  return out;
}

void learn_from(HttpService& service, nb::iterable materials) {
  std::vector<std::string> all;
  for (const nb::handle one : materials) all.emplace_back(bytes_of(one, "materials"));
  const auto read = [&]() -> Result<void> {
    const nb::gil_scoped_release release;
    Material material;
    for (const std::string& bytes : all) {
      if (auto added = read_material(bytes, material); !added) return added;
    }
    service.learn_from(std::move(material));
    return {};
  }();
  if (!read) raise_error("materials", read.error());
}

std::uint32_t add_model(HttpService& service, const std::string& name, const nb::bytes& file) {
  ModelsOf& models = models_of(service);
  const std::string bytes(file.c_str(), file.size());
  const auto added = [&] {
    const nb::gil_scoped_release release;
    learn::Bringing bringing;
    bringing.file = "a file";
    return models.bring(name, bytes, bringing);
  }();
  if (!added && added.error().code == ErrorCode::kMissing) raise_key("model_name", name);
  if (!added) raise_value("model", added.error().text);
  return added->number;
}

}  // namespace

void bind_service(nb::module_& module) {
  nb::class_<HttpService>(
      module, "Service", R"(The HTTP API of api/openapi.yaml over an engine, without a socket.

engine: an Engine. folder: where metric streams and the loads of services are kept; "" for in memory
alone. token: the bearer token that callers need; without one only clients of this machine are served.
version: what /ml/status says. place, owners: as the engine of so many that share the shards.
models: "" for none; "here" for a registry in the folder that learns from this engine's users, "apart" for
one that learns from what ``learn_from`` is given, "copies" for champions that ``take_copies`` is given,
only to be asked. definitions: of models beside the first three, "NAME TASK TARGET FEATURE,FEATURE,…".
fits: where the trainer ray has its fits carried out (``liminal._fits``); without it is refused.
onnxruntime: the file of ONNX Runtime, which computes models of others; "" for where it usually is. provider:
what it computes with, "cpu", "cuda" or "tensorrt"; threads: that compute one call, 1 to 64. required:
copies raise RuntimeError when that is not to be had; else it is told of when a model needs it.
trust_proxy: who comes from this machine does so even where a proxy passed the request on.

Thread-safe; the interpreter is free while a request is answered.)")
      .def(
          "__init__",
          [](HttpService* self,
             std::shared_ptr<Engine> engine,
             std::string folder,
             std::string token,
             std::string version,
             std::size_t place,
             std::size_t owners,
             std::string_view models,
             std::vector<std::string> definitions,
             nb::object fits,
             std::string library,
             std::string_view provider,
             int threads,
             bool required,
             bool trust_proxy) {
            const ModelsAt at = models_at(models, folder);
            registry::ForeignOptions foreign = foreign_of(std::move(library), provider, threads);
            new (self) HttpService(std::move(engine),
                                   {std::move(folder),
                                    std::move(token),
                                    std::move(version),
                                    place,
                                    owners,
                                    at,
                                    std::move(definitions),
                                    fits.is_none() ? nullptr : std::make_shared<RemoteFits>(fits),
                                    std::move(foreign),
                                    required,
                                    trust_proxy});
          },
          "engine"_a,
          nb::kw_only(),
          "folder"_a = "",
          "token"_a = "",
          "version"_a = LIMINAL_VERSION,
          "place"_a = 0,
          "owners"_a = 1,
          "models"_a = "",
          "definitions"_a = std::vector<std::string>{},
          "fits"_a = nb::none(),
          "onnxruntime"_a = "",
          "provider"_a = "cpu",
          "threads"_a = 1,
          "required"_a = false,
          "trust_proxy"_a = false)
      .def("handle",
           &handle,
           "method"_a,
           "target"_a,
           "headers"_a,
           "body"_a,
           "peer"_a,
           "peer_is_local"_a,
           R"(Answers one request: ``(status, [(name, value)], body)``, all but the status as bytes.

target: path and query, not decoded. headers: pairs of bytes.)")
      .def("route_events",
           &route_events,
           "method"_a,
           "target"_a,
           "headers"_a,
           "body"_a,
           "peer"_a,
           "peer_is_local"_a,
           "owners"_a,
           "Answers ``POST /ml/events`` without counting: the answer, and for each of so many "
           "engines "
           "the events of its users as bytes, nothing when there are none.")
      .def("champions", &champions, "Champions as ``(model, version, sha256)``.")
      .def(
          "take_copies",
          &take_copies,
          "champions"_a,
          "Takes ``(model, version, sha256, file)`` in the place of all before; a file of no "
          "bytes is the one that is there. Gives ``(model, why)`` of those that cannot be answered "
          "by here and are left out.")
      .def("learn_from",
           &learn_from,
           "materials"_a,
           "What the next trainings learn from: what ``material`` gave of engines.")
      .def("add_model",
           &add_model,
           "model_name"_a,
           "file"_a,
           "Publishes an ONNX file as the next version of a model, as challenger; its "
           "number.\n\nRaises "
           "KeyError for a model that is not defined, and ValueError for a file that does not fit "
           "it.")
      .def(
          "compares",
          [](HttpService& service, const std::string& name) {
            return models_of(service).compares(name);
          },
          "model_name"_a,
          "Whether an experiment of the model runs.")
      .def(
          "restore_limits",
          [](HttpService& service, std::string_view policies) {
            if (const std::string wrong = service.restore_limits(policies); !wrong.empty())
              raise_value("policies", wrong);
          },
          "policies"_a,
          "Limits that were set before, as the JSON of \"policies\" in ``GET /ml/limits``.")
      .def("save", &save, "Writes what metric streams and services learnt into the folder.");
  module.def(
      "openapi_json",
      [] { return as_bytes(api::openapi_json()); },
      "The description of the API, as JSON.");
}

}  // namespace liminal::python
