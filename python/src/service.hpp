#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "backend.hpp"
#include "io/files/file_system.hpp"
#include "io/http/message.hpp"
#include "models.hpp"
#include "server/api/service.hpp"

namespace liminal::python {

/// Where a service has its models.
enum class ModelsAt : std::uint8_t {
  kNowhere,  ///< it has none, and says so
  kHere,     ///< in its folder, learnt from its own engine's users
  kApart,    ///< in its folder, learnt from what is given by `learn_from`
  kCopies,   ///< copies of another process's, only to be asked
};

struct ServiceOptions {
  std::string folder;  ///< where metric streams and services are kept; empty: in memory alone
  std::string token;   ///< who shows it may do everything; empty: this machine's clients may
  std::string version;
  /// As one of several engines that share the shards: pushed rows of other engines' sources are
  /// left to them (cluster.hpp has `owner_of`).
  std::size_t place = 0, owners = 1;
  ModelsAt models = ModelsAt::kNowhere;
  std::vector<std::string> definitions;  ///< of models, beside the first three
  std::shared_ptr<RemoteFits> fits;      ///< where the trainer ray has its fits; null: nowhere
  registry::ForeignOptions foreign{};    ///< what computes models of others
  bool foreign_required = false;         ///< copies are not begun without it
  /// A caller on this machine is believed to be one even where a proxy passed its request on.
  bool trust_proxy = false;
};

/// The HTTP API of api/openapi.yaml over an engine in this process: the program's own handlers,
/// without a socket. Thread-safe.
class HttpService {
 public:
  /// Throws std::runtime_error when the models' folder cannot be had, or an ONNX Runtime that is
  /// required for copies; one that is not, is told of when a model needs it.
  HttpService(std::shared_ptr<Engine> engine, const ServiceOptions& options);
  /// Whoever holds the interpreter lets go of it meanwhile: a training may have to end first.
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

  /// Limits as `GET /ml/limits` tells them ("policies"), which somebody set before this process
  /// was: nothing new, so the audit log has none of it. What is wrong with them, and then nothing
  /// changes.
  [[nodiscard]] std::string restore_limits(std::string_view policies);

  /// Null unless there are some.
  [[nodiscard]] ModelsOf* models() { return models_.get(); }
  [[nodiscard]] ModelCopies* copies() { return copies_.get(); }
  /// What models learn from, in the place of what was given before; `kApart`.
  void learn_from(Material material);

  /// Writes what metric streams and services learnt into the folder. Blocks on the disk.
  [[nodiscard]] Result<void> save();

  [[nodiscard]] const std::shared_ptr<Engine>& engine() const { return engine_; }

 private:
  void open_models(const ServiceOptions& options);

  /// First: what ends after it ends without the interpreter.
  std::optional<nb::gil_scoped_release> ending_;
  const std::shared_ptr<Engine> engine_;
  std::mutex routing_;  ///< one request at a time is diverted
  const std::unique_ptr<files::FileSystem> files_;
  EngineBackend backend_;
  MetricsOf metrics_;
  std::mutex material_mutex_;
  Material material_;
  std::unique_ptr<ModelsOf> models_;
  std::unique_ptr<ModelCopies> copies_;
  api::Service service_;
  /// Last: its thread answers by the service, and ends first.
  ScalingOf scaling_;
};

}  // namespace liminal::python
