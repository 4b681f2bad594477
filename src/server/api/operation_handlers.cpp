#include "io/prometheus/exposition.hpp"
#include "server/api/answers.hpp"
#include "server/api/call.hpp"
#include "server/api/openapi.hpp"

namespace liminal::api {
namespace {

/// The checks that are to be shown, under their name.
void write_checks(const std::vector<Check>& checks, bool verbose, json::Writer& out) {
  out.key("checks");
  out.begin_array();
  for (const Check& check : checks) {
    if (verbose || !check.ok) write(check, out);
  }
  out.end_array();
}

http::Response readiness_response(const std::vector<Check>& checks, bool verbose) {
  std::string failing;
  for (const Check& check : checks) {
    if (!check.ok) failing += (failing.empty() ? "" : ", ") + check.name;
  }
  if (!failing.empty()) {
    return problem(503, "not ready: " + failing, [&](json::Writer& out) {
      write_checks(checks, verbose, out);
    });
  }
  json::Writer out;
  out.begin_object();
  out.field("status", "ok");
  if (verbose) write_checks(checks, true, out);
  out.end_object();
  return json_response(std::move(out));
}

}  // namespace

void Service::get_livez(const CallPtr& call) {
  Query query(call->query);
  if (!right(*call, query)) return;
  json::Writer out;
  out.begin_object();
  out.field("status", "ok");
  out.end_object();
  call->answer(json_response(std::move(out)));
}

void Service::get_readyz(const CallPtr& call) {
  Query query(call->query);
  const bool verbose = query.flag("verbose");
  if (!right(*call, query)) return;
  backend_.readiness(Call::then<std::vector<Check>>(
      call, "the state", [call, verbose](const std::vector<Check>& checks) {
        call->answer(readiness_response(checks, verbose));
      }));
}

void Service::get_metrics(const CallPtr& call) {
  const auto format = prometheus::negotiate(call->request.header("Accept").value_or(""));
  backend_.metrics(Call::then<prometheus::Snapshot>(
      call, "the metrics", [this, call, format](prometheus::Snapshot snapshot) {
        snapshot.merge(own_metrics());
        prometheus::add_process(snapshot);
        call->answer({200,
                      {{"Content-Type", std::string(prometheus::content_type(format))}},
                      prometheus::expose(snapshot, format)});
      }));
}

void Service::get_openapi(const CallPtr& call) {
  Query query(call->query);
  if (!right(*call, query)) return;
  call->answer({200, {{"Content-Type", std::string(kJsonType)}}, std::string(openapi_json())});
}

}  // namespace liminal::api
