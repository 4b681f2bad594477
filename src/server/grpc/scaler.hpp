#pragma once

#include <externalscaler.grpc.pb.h>

#include <array>
#include <atomic>
#include <string_view>

#include "server/grpc/server.hpp"
#include "server/grpc/streams.hpp"

namespace liminal::grpc {

inline constexpr std::string_view kMetricName = "liminal-replicas";

/// The calls of externalscaler.proto. Thread-safe; outlives the gRPC server that calls it.
class Scaler final : public externalscaler::ExternalScaler::CallbackService {
 public:
  Scaler(Advised advised, Streams& streams) : advised_(std::move(advised)), streams_(streams) {}

  ::grpc::ServerUnaryReactor* IsActive(::grpc::CallbackServerContext* context,
                                       const externalscaler::ScaledObjectRef* request,
                                       externalscaler::IsActiveResponse* response) override;
  ::grpc::ServerWriteReactor<externalscaler::IsActiveResponse>* StreamIsActive(
      ::grpc::CallbackServerContext* context,
      const externalscaler::ScaledObjectRef* request) override;
  ::grpc::ServerUnaryReactor* GetMetricSpec(
      ::grpc::CallbackServerContext* context,
      const externalscaler::ScaledObjectRef* request,
      externalscaler::GetMetricSpecResponse* response) override;
  ::grpc::ServerUnaryReactor* GetMetrics(::grpc::CallbackServerContext* context,
                                         const externalscaler::GetMetricsRequest* request,
                                         externalscaler::GetMetricsResponse* response) override;
  ::grpc::ServerWriteReactor<externalscaler::GetMetricSpecResponse>* StreamMetricSpec(
      ::grpc::CallbackServerContext* context,
      const externalscaler::ScaledObjectRef* request) override;

  [[nodiscard]] Counters counters() const;

 private:
  [[nodiscard]] bool is_active(const std::string& service) const;
  [[nodiscard]] ::grpc::Status metrics(const externalscaler::GetMetricsRequest& request,
                                       externalscaler::GetMetricsResponse& response) const;
  void count(Counters::Call call, const ::grpc::Status& status);
  ::grpc::ServerUnaryReactor* finish(::grpc::CallbackServerContext* context,
                                     Counters::Call call,
                                     const ::grpc::Status& status);

  const Advised advised_;
  Streams& streams_;
  std::array<std::atomic<std::uint64_t>, Counters::kCalls> answered_{}, failed_{};
};

}  // namespace liminal::grpc
