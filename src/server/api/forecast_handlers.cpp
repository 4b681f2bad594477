#include "server/api/call.hpp"
#include "server/api/forecast_answers.hpp"

namespace liminal::api {
namespace {

/// At once: the last one waits for the others, .3 s each at worst.
constexpr unsigned kForecastsMax = 4;

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
  const bool room = forecasts_->fetch_add(1) < kForecastsMax;
  const std::shared_ptr<void> place(nullptr, [count = forecasts_](void*) { --*count; });
  if (!room) return call->answer(problem(Error{ErrorCode::kUnavailable, 0}, ""));
  later(
      call,
      [port](auto task) { return port->compute(std::move(task)); },
      [call, place] { forecast_series(call); });
}

}  // namespace liminal::api
