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

void Service::list_forecasts(const CallPtr& call) {
  AnomalyPort* const port = anomalies_of(call);
  if (port == nullptr) return;
  const std::vector<ForecastSeries> series = port->forecasts();
  json::Writer out;
  out.begin_object();
  out.key("series");
  out.begin_array();
  for (const ForecastSeries& one : series) write_summary(one, out);
  out.end_array();
  out.field("count", series.size());
  out.end_object();
  call->answer(json_response(std::move(out)));
}

void Service::get_forecast(const CallPtr& call) {
  constexpr std::uint64_t kStepsMax = forecast::TimedForecaster::kHorizon;
  Query query(call->query);
  const std::uint64_t steps = query.whole("horizon", kStepsMax, 1, kStepsMax);
  AnomalyPort* const port = anomalies_of(call, query);
  if (port == nullptr) return;
  const auto series = port->forecast(call->captured[0], call->captured[1]);
  if (!series) return call->answer(problem(series.error(), "the series"));
  json::Writer out;
  write(*series, steps, out);
  call->answer(json_response(std::move(out)));
}

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
