#include "server/grpc/scaler.hpp"

#include <utility>

namespace liminal::grpc {
namespace {

using externalscaler::GetMetricSpecResponse;
using externalscaler::IsActiveResponse;
using externalscaler::ScaledObjectRef;
using ::grpc::CallbackServerContext;
using ::grpc::ServerUnaryReactor;
using ::grpc::ServerWriteReactor;
using ::grpc::Status;
using ::grpc::StatusCode;

constexpr const char* kServiceKey = "service";

std::string service_of(const ScaledObjectRef& object) {
  const auto named = object.scalermetadata().find(kServiceKey);
  return named != object.scalermetadata().end() && !named->second.empty() ? named->second
                                                                          : object.name();
}

void write_spec(GetMetricSpecResponse& response) {
  externalscaler::MetricSpec& spec = *response.add_metricspecs();
  spec.set_metricname(std::string(kMetricName));
  spec.set_targetsize(1);
  spec.set_targetsizefloat(1);
}

}  // namespace

bool Scaler::is_active(const std::string& service) const {
  const auto replicas = advised_(service);
  return !replicas || !*replicas || **replicas > 0;
}

void Scaler::count(Counters::Call call, const Status& status) {
  ++(status.ok() ? answered_ : failed_)[call];
}

ServerUnaryReactor* Scaler::finish(CallbackServerContext* context,
                                   Counters::Call call,
                                   const Status& status) {
  count(call, status);
  ServerUnaryReactor* const reactor = context->DefaultReactor();
  reactor->Finish(status);
  return reactor;
}

ServerUnaryReactor* Scaler::IsActive(CallbackServerContext* context,
                                     const ScaledObjectRef* request,
                                     IsActiveResponse* response) {
  response->set_result(is_active(service_of(*request)));
  return finish(context, Counters::kIsActive, Status::OK);
}

ServerWriteReactor<IsActiveResponse>* Scaler::StreamIsActive(CallbackServerContext*,
                                                             const ScaledObjectRef* request) {
  return MessageStream<IsActiveResponse>::open(
      streams_,
      [this,
       service = service_of(*request),
       said = std::optional<bool>()]() mutable -> std::optional<IsActiveResponse> {
        const bool active = is_active(service);
        if (std::exchange(said, active) == active) return std::nullopt;
        IsActiveResponse message;
        message.set_result(active);
        return message;
      },
      [this](const Status& taken) { count(Counters::kStreamIsActive, taken); });
}

ServerUnaryReactor* Scaler::GetMetricSpec(CallbackServerContext* context,
                                          const ScaledObjectRef*,
                                          GetMetricSpecResponse* response) {
  write_spec(*response);
  return finish(context, Counters::kGetMetricSpec, Status::OK);
}

ServerWriteReactor<GetMetricSpecResponse>* Scaler::StreamMetricSpec(CallbackServerContext*,
                                                                    const ScaledObjectRef*) {
  return MessageStream<GetMetricSpecResponse>::open(
      streams_,
      [said = false]() mutable -> std::optional<GetMetricSpecResponse> {
        if (std::exchange(said, true)) return std::nullopt;
        GetMetricSpecResponse message;
        write_spec(message);
        return message;
      },
      [this](const Status& taken) { count(Counters::kStreamMetricSpec, taken); });
}

Status Scaler::metrics(const externalscaler::GetMetricsRequest& request,
                       externalscaler::GetMetricsResponse& response) const {
  if (!request.metricname().empty() && request.metricname() != kMetricName)
    return {StatusCode::INVALID_ARGUMENT, "the metric is " + std::string(kMetricName)};
  const std::string service = service_of(request.scaledobjectref());
  const auto replicas = advised_(service);
  if (!replicas) return {StatusCode::NOT_FOUND, "nobody told of the service \"" + service + "\""};
  if (!*replicas)
    return {StatusCode::UNAVAILABLE, "too little is known of \"" + service + "\" for an advice"};
  externalscaler::MetricValue& value = *response.add_metricvalues();
  value.set_metricname(std::string(kMetricName));
  value.set_metricvalue(**replicas);
  value.set_metricvaluefloat(**replicas);
  return Status::OK;
}

ServerUnaryReactor* Scaler::GetMetrics(CallbackServerContext* context,
                                       const externalscaler::GetMetricsRequest* request,
                                       externalscaler::GetMetricsResponse* response) {
  return finish(context, Counters::kGetMetrics, metrics(*request, *response));
}

Counters Scaler::counters() const {
  Counters out;
  for (std::size_t i = 0; i < Counters::kCalls; ++i) {
    out.answered[i] = answered_[i];
    out.failed[i] = failed_[i];
  }
  out.streams = streams_.size();
  return out;
}

}  // namespace liminal::grpc
