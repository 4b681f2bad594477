#pragma once

#include <atomic>
#include <chrono>
#include <compare>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/base/problem.hpp"
#include "io/http/server.hpp"
#include "server/api/anomaly_port.hpp"
#include "server/api/backend.hpp"
#include "server/api/guard.hpp"
#include "server/api/idempotency.hpp"
#include "server/api/salience_port.hpp"
#include "server/api/write_count.hpp"

namespace liminal::api {

struct Call;
struct Route;
class ModelsPort;
class Query;
class ScalingPort;
struct PredictRequest;
struct Predictor;

/// Does, on another thread, what would hold this one up. False when too much waits there.
using Runner = std::function<bool(std::function<void()>)>;

struct Options {
  http::Options http{.port = 8000};
  AccessOptions access;
  std::string version{};
  /// Of requests that wait to be worked on elsewhere; beyond: 503.
  std::size_t waiting_bytes_max = std::size_t{64} << 20;
};
/// Everything wrong, with paths as in the configuration: also to listen on other than a loopback
/// address without a token.
[[nodiscard]] Problems validate(const Options& options, std::string_view at = "api");

/// The HTTP API of api/openapi.yaml: routing, access, validation, errors as RFC 9457; what is asked
/// for comes from the backend.
///
/// Thread-safe: `handle` may be called from several threads. It must outlive every call that it was
/// given and that is not answered yet: stop the server before it is destroyed, and the backend too.
class Service {
 public:
  using Clock = std::function<std::chrono::steady_clock::time_point()>;

  /// `clock` is for tests; limits and repetitions count in it.
  Service(const Options& options, Backend& backend, Clock clock = &std::chrono::steady_clock::now);
  ~Service();

  // Parts that a program may have beside the backend; each is attached before the first request and
  // must outlive the service.

  /// Who ranks alerts and events. Without, they are ranked by what they say of themselves alone.
  void attach(SaliencePort& port) { salience_ = &port; }
  /// Who judges metric streams. Without, those calls are 503.
  void attach(AnomalyPort& port) { anomalies_ = &port; }
  /// Who keeps services' histories. Without, those calls are 503.
  void attach(ScalingPort& port) { scaling_ = &port; }
  /// Who trains and serves models. Without, those calls are 503.
  void attach(ModelsPort& port) { models_ = &port; }

  /// Answers one request: the handler of a `http::Server`.
  void handle(http::Request request, http::Reply reply);

  /// What counts from the next request on; a reload of the configuration may change it. Any thread.
  void set_token(std::string token);

  /// Makes the answers to what the server refuses by itself.
  [[nodiscard]] static http::Response error_page(unsigned status,
                                                 std::string_view detail,
                                                 std::string_view request_id);

  /// How often which route was answered how, and how long it took.
  [[nodiscard]] prometheus::Snapshot own_metrics() const;

 private:
  using CallPtr = std::shared_ptr<Call>;
  friend struct Call;
  friend struct Route;
  /// The route of a call; nothing when there is none, and then `allowed` lists the path's methods.
  static const Route* find_route(Call& call, std::string& allowed);

  void dispatch(const CallPtr& call);
  [[nodiscard]] std::optional<http::Response> refuse_call(Call& call, const Route& route);
  void begin_idempotent(const CallPtr& call, const Route& route);
  /// Gives the remembered answer, if it is one to the same request.
  void repeat(const CallPtr& call, const RememberedAnswer& remembered);
  void run(const CallPtr& call, void (Service::*handler)(const CallPtr&));
  /// Has `runner` do what would hold this thread up. 503 when too much waits; not done at all when
  /// the server has answered for it meanwhile, because it waited for too long.
  void later(const CallPtr& call, const Runner& runner, std::function<void()> work);
  void finish(Call& call, http::Response response);
  void send(Call& call, http::Response response);
  void count(const Call& call, unsigned status);

  // One function a route. traffic_handlers.cpp
  void get_status(const CallPtr& call);
  void post_events(const CallPtr& call);
  void get_rows(const CallPtr& call);
  void post_rows(const CallPtr& call);
  void clean_up(const CallPtr& call);
  void get_crowd(const CallPtr& call);
  void list_users(const CallPtr& call);
  void get_user(const CallPtr& call);
  void list_audit(const CallPtr& call);
  // anomaly_handlers.cpp
  void list_alerts(const CallPtr& call);
  void post_alerts(const CallPtr& call);
  void list_words(const CallPtr& call);
  void analyze(const CallPtr& call);
  void get_alert(const CallPtr& call);
  void give_feedback(const CallPtr& call);
  void explain(const CallPtr& call);
  // metric_handlers.cpp
  AnomalyPort* anomalies_of(const CallPtr& call);
  AnomalyPort* anomalies_of(const CallPtr& call, Query& query);
  void post_anomaly(const CallPtr& call);
  [[nodiscard]] static bool series_of(const CallPtr& call);
  void put_series(const CallPtr& call);
  void get_series(const CallPtr& call);
  void delete_series(const CallPtr& call);
  // forecast_handlers.cpp
  void post_forecast(const CallPtr& call);
  void list_forecasts(const CallPtr& call);
  void get_forecast(const CallPtr& call);
  // write_handlers.cpp
  void post_write(const CallPtr& call);
  void learn_write(const CallPtr& call);
  // salience_handlers.cpp
  void rank_events(const CallPtr& call);
  void list_incidents(const CallPtr& call);
  // limit_handlers.cpp
  void get_limits(const CallPtr& call);
  void put_limits(const CallPtr& call);
  void delete_limits(const CallPtr& call);
  void get_override(const CallPtr& call);
  void put_override(const CallPtr& call);
  void delete_override(const CallPtr& call);
  void answer_limits(const CallPtr& call, std::size_t overrides_max);
  // scaling_handlers.cpp
  ScalingPort* scaling_of(const CallPtr& call);
  ScalingPort* scaling_of(const CallPtr& call, Query& query);
  void post_scaling(const CallPtr& call);
  void list_scaling(const CallPtr& call);
  void get_scaling(const CallPtr& call);
  void put_scaling(const CallPtr& call);
  void delete_scaling(const CallPtr& call);
  void get_backtest(const CallPtr& call);
  void get_backtest_plot(const CallPtr& call);
  void get_scaling_metric(const CallPtr& call);
  // model_handlers.cpp
  ModelsPort* models_of(const CallPtr& call);
  void with_models(const CallPtr& call, std::function<void(ModelsPort&)> work);
  void list_models(const CallPtr& call);
  void get_model(const CallPtr& call);
  void get_model_history(const CallPtr& call);
  void get_model_report(const CallPtr& call);
  void get_job_report(const CallPtr& call);
  void bring_model(const CallPtr& call);
  void get_model_file(const CallPtr& call);
  void load_model(const CallPtr& call);
  void train_model(const CallPtr& call);
  void list_learning(const CallPtr& call);
  void list_jobs(const CallPtr& call);
  void answer_job(const CallPtr& call, bool cancel);
  void get_job(const CallPtr& call);
  void cancel_job(const CallPtr& call);
  void predict(const CallPtr& call);
  void ask(const CallPtr& call, const Predictor& by, std::function<void()> work);
  void answer_predictions(const CallPtr& call,
                          const PredictRequest& request,
                          const Predictor& by,
                          std::span<const float> rows);
  // experiment_handlers.cpp
  void list_experiments(const CallPtr& call);
  void begin_experiment(const CallPtr& call);
  void answer_experiment(const CallPtr& call, bool stop);
  void get_experiment(const CallPtr& call);
  void stop_experiment(const CallPtr& call);
  // inference_handlers.cpp
  std::optional<Predictor> path_predictor(const CallPtr& call, ModelsPort& port);
  void get_inference_server(const CallPtr& call);
  void get_inference_live(const CallPtr& call);
  void get_inference_ready(const CallPtr& call);
  void get_inference_model(const CallPtr& call);
  void get_inference_model_ready(const CallPtr& call);
  void infer(const CallPtr& call);
  void list_repository(const CallPtr& call);
  void change_repository(const CallPtr& call, bool load);
  void load_repository(const CallPtr& call);
  void unload_repository(const CallPtr& call);
  // operation_handlers.cpp
  void get_livez(const CallPtr& call);
  void get_readyz(const CallPtr& call);
  void get_metrics(const CallPtr& call);
  void get_openapi(const CallPtr& call);

  [[nodiscard]] SteadyTime engine_now() const {
    return SteadyTime{backend_.now().time_since_epoch()};
  }

  [[nodiscard]] AccessOptions access() const;

  const Options options_;
  Backend& backend_;
  AnomalyPort* anomalies_ = nullptr;
  ModelsPort* models_ = nullptr;
  ScalingPort* scaling_ = nullptr;
  SaliencePort no_history_;
  SaliencePort* salience_ = &no_history_;
  const Clock clock_;
  ClientLimiter limiter_;
  IdempotencyCache answered_;
  const std::uint64_t id_seed_;
  std::atomic<std::uint64_t> id_count_{0};
  std::atomic<std::uint64_t> rejected_lines_{0};
  WriteCount written_;
  /// Of bodies; shared with those who wait, who may go after the service.
  const std::shared_ptr<std::atomic<std::size_t>> waiting_bytes_ =
      std::make_shared<std::atomic<std::size_t>>(0);
  /// That wait or are made.
  const std::shared_ptr<std::atomic<unsigned>> forecasts_ =
      std::make_shared<std::atomic<unsigned>>(0);
  mutable std::mutex access_mutex_;
  AccessOptions access_;
  /// Texts are those of the tables of routes and methods.
  struct AnsweredBy {
    std::string_view route, method;
    unsigned status = 0;
    auto operator<=>(const AnsweredBy&) const = default;
  };
  mutable std::mutex metrics_mutex_;  // of what follows
  std::map<AnsweredBy, std::uint64_t> answered_by_;
  std::map<std::string_view, prometheus::Histogram> took_by_;
};

}  // namespace liminal::api
