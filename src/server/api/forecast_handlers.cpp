#include "server/api/call.hpp"
#include "server/api/forecast_answers.hpp"

namespace liminal::api {
namespace {

void forecast_series(const std::shared_ptr<Call>& call) {
  ForecastRequest request;
  const auto read = [&request](json::Fields& in) { request = read_forecast(in); };
  if (!read_body(*call, read)) return;
  call->request.body = {};
  Problems problems;
  const auto made = make_forecast(request, problems);
  if (!made) return call->answer(invalid("body", problems));
  json::Writer out;
  write(request, *made, out);
  call->answer(json_response(std::move(out)));
}

}  // namespace

/// Milliseconds at least, which is too long for a thread that others wait for.
void Service::post_forecast(const CallPtr& call) {
  AnomalyPort* const port = anomalies_of(call);
  if (port == nullptr) return;
  later(
      call,
      [port](auto task) { return port->run(std::move(task)); },
      [call] { forecast_series(call); });
}

}  // namespace liminal::api
