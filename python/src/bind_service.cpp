#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>

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

}  // namespace

void bind_service(nb::module_& module) {
  nb::class_<HttpService>(
      module, "Service", R"(The HTTP API of api/openapi.yaml over an engine, without a socket.

engine: an Engine. folder: where metric streams and the loads of services are kept; "" for in memory
alone. token: the bearer token that callers need; without one only clients of this machine are served.
version: what /ml/status says. place, owners: as the engine of so many that share the shards.

Thread-safe; the interpreter is free while a request is answered.)")
      .def(
          "__init__",
          [](HttpService* self,
             std::shared_ptr<Engine> engine,
             std::string folder,
             std::string token,
             std::string version,
             std::size_t place,
             std::size_t owners) {
            new (self) HttpService(
                std::move(engine),
                {std::move(folder), std::move(token), std::move(version), place, owners});
          },
          "engine"_a,
          nb::kw_only(),
          "folder"_a = "",
          "token"_a = "",
          "version"_a = LIMINAL_VERSION,
          "place"_a = 0,
          "owners"_a = 1)
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
      .def("save", &save, "Writes what metric streams and services learnt into the folder.");
  module.def(
      "openapi_json",
      [] { return as_bytes(api::openapi_json()); },
      "The description of the API, as JSON.");
}

}  // namespace liminal::python
