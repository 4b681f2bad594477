#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/problem.hpp"
#include "core/engine/options.hpp"
#include "core/learn/retrain.hpp"
#include "core/traffic/finding.hpp"
#include "io/onnxruntime/library.hpp"
#include "io/sqlite/store.hpp"
#include "server/actor/options.hpp"
#include "server/gateway/options.hpp"
#include "server/hub/options.hpp"
#include "server/shards/model_thread.hpp"

namespace liminal::app {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };
enum class LogFormat : std::uint8_t { kText, kJson };

/// Everything that can be configured: the options of each folder, and what only the program knows.
/// A fresh one holds the defaults. docs/configuration.md describes every key.
struct Configuration {
  std::string listen = "0.0.0.0:8080";
  std::vector<std::string> upstreams;  ///< empty: the built-in hub answers
  std::string data = "data";
  /// Given to every rule, statistic and policy that has no mode of its own; not to actors.
  traffic::Mode mode = traffic::Mode::kShadow;
  std::uint32_t shards = 0;  ///< threads; 0: one a CPU
  double time_scale = 1;

  struct Api {
    std::string address = "127.0.0.1:8000";
    std::string token;
    std::string token_file;
    std::vector<std::string> hosts;  ///< names that this server has, for clients without the token
    bool trust_proxy = false;        ///< what a proxy here passes on is from this machine
    /// Of one client address; generous, because it is there for loops that went wild.
    double requests_per_second = 10'000;
    std::uint32_t requests_burst = 20'000;
  } api;

  struct Identity {
    std::vector<std::string> order{"jwt", "header", "cookie", "address"};
    std::string jwt_algorithm = "HS256";
    std::string jwt_secret;
    std::string jwt_key_file;
    std::string jwt_claim = "sub";
    std::string jwt_issuer;    ///< empty: any
    std::string jwt_audience;  ///< empty: any
    std::string header = "X-User-Id";
    std::string cookie;
    std::vector<std::string> trusted_proxies;
  } identity;

  struct Tls {
    std::string certificate;
    std::string key;
    std::string upstream_authorities;  ///< empty: the system's
  } tls;

  struct Webhook {
    std::string url;
    std::string secret;
    traffic::Severity min_severity = traffic::Severity::kHigh;
  } webhook;

  struct Cluster {
    std::string engine = "local";  ///< or ray=URL
    std::string token;
    std::string name = "gateway";
    bool limits = false;  ///< whether its policies hold here
  } cluster;

  struct Models {
    std::string folder;  ///< of files to train from; empty: "training" in the data directory
    std::vector<std::string> definitions;
    std::uint32_t workers = 2;
    std::string onnxruntime;  ///< the library's file; empty: where it usually is
    onnxruntime::Provider provider = onnxruntime::Provider::kCpu;
    std::uint32_t threads = 1;  ///< that compute one call of a foreign model
    std::string kenning;        ///< its program; empty: there is none
    // What a model may cost that is asked for messages, and gets champion by itself.
    Duration row_budget = std::chrono::microseconds{5};
    std::uint64_t memory_max = std::uint64_t{8} << 20;
    std::uint64_t rows_bytes_max = std::uint64_t{256} << 20;  ///< of a table read from a file
    std::uint32_t versions_kept = 50;                         ///< of a model, beside those in use
  } models;

  struct Learning {
    std::optional<traffic::Mode> mode;  ///< none: that of everything
    learn::RetrainOptions when;         ///< but for the time of the day
    std::string daily_at;               ///< HH:MM; empty: `when.every` counts
    Duration budget = std::chrono::seconds{60};
    bool leave_out_incidents = true;
  } learning;

  struct Log {
    LogLevel level = LogLevel::kInfo;
    LogFormat format = LogFormat::kText;
  } log;

  struct ScalingActor {
    actor::Target target;
    std::string token_file;
  };
  /// Of metric streams.
  struct Metrics {
    std::uint32_t series_max = 100'000;
    std::uint32_t source_series_max = 1024;
    double source_alarms_per_week = 0;
  } metrics;
  struct Scaling {
    std::uint32_t services_max = 256;
    std::string grpc;  ///< empty: KEDA is not listened to
    std::string grpc_certificate;
    std::string grpc_key;
    std::string grpc_authorities;
    bool grpc_open = false;
    std::uint32_t grpc_streams_max = 512;
    std::vector<ScalingActor> actors;
  } scaling;

  hub::Options hub;
  gateway::Options gateway;  ///< but for who users are, which `identity` says
  limits::Options limits;
  detect::Options detect;
  std::uint64_t buffer_size = 1'000;   ///< recent feature rows at hand
  shards::InferenceOptions inference;  ///< what `detect.model` says of time
  engine::AlertOptions alerts;
  engine::Options engine;        ///< but for the three above
  sqlite::Store::Options store;  ///< but for the directory, which `data` says
};

/// What no single value shows to be wrong: the rules of each folder's `validate`, and what belongs
/// together. Keys are those of the configuration.
[[nodiscard]] Problems validate(const Configuration& configuration);

}  // namespace liminal::app
