#include "server/grpc/server.hpp"

#include <grpcpp/grpcpp.h>
#include <grpcpp/resource_quota.h>

#include "server/grpc/scaler.hpp"

namespace liminal::grpc {
namespace {

/// Names of services and a little metadata.
constexpr int kRequestBytesMax = 64 * 1024;
/// Beside the streams that stay open: KEDA asks over one connection.
constexpr int kCallsPerConnection = 128;
constexpr std::size_t kBufferBytesMax = std::size_t{16} << 20;
constexpr std::chrono::seconds kPatience{1};
constexpr int kKeepaliveMs = 60'000;
constexpr int kKeepaliveTimeoutMs = 20'000;
constexpr int kIdleMsMax = 300'000;

std::shared_ptr<::grpc::ServerCredentials> credentials(const Options& options) {
  if (options.certificate.empty()) return ::grpc::InsecureServerCredentials();
  ::grpc::SslServerCredentialsOptions tls(
      options.authorities.empty() ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                                  : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  tls.pem_root_certs = options.authorities;
  tls.pem_key_cert_pairs.push_back({options.key, options.certificate});
  return ::grpc::SslServerCredentials(tls);
}

}  // namespace

Problems validate(const Options& options, std::string_view at) {
  const std::string prefix = at.empty() ? "" : std::string(at) + ".";
  Problems problems;
  if (options.certificate.empty() != options.key.empty())
    problems.push_back(
        {prefix + (options.key.empty() ? "key" : "certificate"), "is missing: TLS needs both"});
  if (options.certificate.empty() && !options.authorities.empty())
    problems.push_back({prefix + "certificate", "is missing: clients are verified over TLS"});
  if (options.streams_max < 1 || options.streams_max > 10'000)
    problems.push_back({prefix + "streams_max", "must be 1 to 10000"});
  if (options.refresh < std::chrono::milliseconds{1} || options.refresh > std::chrono::hours{1})
    problems.push_back({prefix + "refresh", "must be 1 ms to 1 h"});
  return problems;
}

std::string_view name(Counters::Call call) {
  constexpr std::string_view kNames[] = {
      "IsActive", "StreamIsActive", "GetMetricSpec", "GetMetrics", "StreamMetricSpec"};
  return call < Counters::kCalls ? kNames[call] : "unknown";
}

/// In the order in which its parts may go: streams end before the server does, the scaler outlives
/// both.
struct Server::Core {
  Core(const Options& options, Advised advised)
      : streams(options.streams_max, options.refresh), scaler(std::move(advised), streams) {}
  ~Core() {
    streams.close();
    if (!server) return;
    server->Shutdown(std::chrono::system_clock::now() + kPatience);
    server->Wait();
    server.reset();
  }

  Streams streams;
  Scaler scaler;
  int port = 0;
  std::unique_ptr<::grpc::Server> server;
};

Server::Server(std::unique_ptr<Core> core) : core_(std::move(core)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::start(const Options& options, Advised advised) {
  auto core = std::make_unique<Core>(options, std::move(advised));
  ::grpc::ServerBuilder builder;
  // Else two servers could listen on one port, and half of the calls go to the other.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                             static_cast<int>(options.streams_max) + kCallsPerConnection);
  // Else the streams of a KEDA that vanished would hold their slots for two hours.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, kIdleMsMax);
  builder.SetMaxReceiveMessageSize(kRequestBytesMax);
  ::grpc::ResourceQuota quota("liminal");
  builder.SetResourceQuota(quota.Resize(kBufferBytesMax));
  builder.AddListeningPort(options.address, credentials(options), &core->port);
  builder.RegisterService(&core->scaler);
  core->server = builder.BuildAndStart();
  if (!core->server || core->port == 0) return failure(ErrorCode::kIo);
  return std::unique_ptr<Server>(new Server(std::move(core)));
}

std::uint16_t Server::port() const { return static_cast<std::uint16_t>(core_->port); }

Counters Server::counters() const { return core_->scaler.counters(); }

}  // namespace liminal::grpc
