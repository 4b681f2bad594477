#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/base/problem.hpp"
#include "core/base/result.hpp"

namespace liminal::grpc {

struct Options {
  std::string address = "127.0.0.1:0";  ///< HOST:PORT; port 0: the system picks a free one
  // PEM. Empty: no TLS. With authorities, clients too must prove who they are.
  std::string certificate{};
  std::string key{};
  std::string authorities{};
  /// Beyond: RESOURCE_EXHAUSTED. KEDA holds one or two for each ScaledObject.
  std::uint32_t streams_max = 512;
  std::chrono::milliseconds refresh{5000};  ///< how often streams look for what changed
};
[[nodiscard]] Problems validate(const Options& options, std::string_view at = "grpc");

/// The instances that are advised for a service now; nothing while too little is known of it.
/// kMissing: nobody knows the service. Called from several threads; must not block.
using Advised = std::function<Result<std::optional<std::uint32_t>>(const std::string& service)>;

struct Counters {
  enum Call : std::uint8_t {
    kIsActive,
    kStreamIsActive,
    kGetMetricSpec,
    kGetMetrics,
    kStreamMetricSpec,
    kCalls
  };
  std::uint64_t answered[kCalls] = {}, failed[kCalls] = {};  ///< a stream when it is opened
  std::uint64_t streams = 0;                                 ///< open now
};
[[nodiscard]] std::string_view name(Counters::Call call);

/// Answers KEDA as an external scaler (externalscaler.proto), over gRPC.
///
/// The service that is meant is the trigger's metadata `service`, else the name of the
/// ScaledObject. There is one metric, `liminal-replicas`: the advised instances, with a target of 1
/// each, so that the autoscaler wants just as many. The specification is constant and needs no
/// forecast. The value is an error while there is no advice (NOT_FOUND, UNAVAILABLE): KEDA's
/// `fallback` holds meanwhile. A service is active unless none of its instances is advised: not to
/// know is no reason to stop it.
///
/// A peer that vanished is noticed within 80 s (keepalive), and its streams' slots come free; a
/// connection without a call is closed after five minutes.
///
/// Threads are gRPC's own and one that refreshes streams. Memory: streams are bounded by
/// `streams_max`, gRPC's buffers by 16 MiB. Nothing here bounds the number of connections: who can
/// reach the port must be kept few, by the network or by client certificates.
class Server {
 public:
  /// Binds and starts; `options` must be valid. kIo when it cannot listen or a certificate is none.
  [[nodiscard]] static Result<std::unique_ptr<Server>> start(const Options& options,
                                                             Advised advised);
  /// Ends streams, lets calls end for a second, then cuts them.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] std::uint16_t port() const;
  [[nodiscard]] Counters counters() const;

 private:
  struct Core;
  explicit Server(std::unique_ptr<Core> core);
  std::unique_ptr<Core> core_;
};

}  // namespace liminal::grpc
