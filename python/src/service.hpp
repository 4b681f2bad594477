#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "backend.hpp"
#include "io/files/file_system.hpp"
#include "io/http/message.hpp"
#include "server/api/service.hpp"

namespace liminal::python {

struct ServiceOptions {
  std::string folder;  ///< where metric streams and services are kept; empty: in memory alone
  std::string token;   ///< who shows it may do everything; empty: this machine's clients may
  std::string version;
  /// As one of several engines that share the shards: pushed rows of other engines' sources are
  /// left to them (cluster.hpp has `owner_of`).
  std::size_t place = 0, owners = 1;
};

/// The HTTP API of api/openapi.yaml over an engine in this process: the program's own handlers,
/// without a socket. Thread-safe.
class HttpService {
 public:
  HttpService(std::shared_ptr<Engine> engine, const ServiceOptions& options);
  ~HttpService();
  HttpService(const HttpService&) = delete;
  HttpService& operator=(const HttpService&) = delete;

  /// Answers one request. Blocks for as long as the answer takes: a back-test some .2 s, anything
  /// else with a small body well below a millisecond.
  [[nodiscard]] http::Response handle(http::Request request);

  struct Routed {
    http::Response response;
    std::vector<std::string> batches;  ///< one an owner (cluster.hpp)
  };
  /// Answers POST /ml/events as `handle` does, but gives the events, for each of so many engines
  /// those of its users, instead of counting them. Its answer is right once they are counted.
  [[nodiscard]] Routed route_events(http::Request request, std::size_t owners);

  /// Writes what metric streams and services learnt into the folder. Blocks on the disk.
  [[nodiscard]] Result<void> save();

  [[nodiscard]] const std::shared_ptr<Engine>& engine() const { return engine_; }

 private:
  const std::shared_ptr<Engine> engine_;
  std::mutex routing_;  ///< one request at a time is diverted
  const std::unique_ptr<files::FileSystem> files_;
  EngineBackend backend_;
  MetricsOf metrics_;
  api::Service service_;
  /// Last: its thread answers by the service, and ends first.
  ScalingOf scaling_;
};

}  // namespace liminal::python
