#include "server/api/service.hpp"

#include <algorithm>
#include <array>
#include <exception>
#include <random>
#include <utility>

#include "core/base/hash.hpp"
#include "core/base/hex.hpp"
#include "server/api/call.hpp"
#include "server/api/router.hpp"

namespace liminal::api {
namespace {

constexpr std::size_t kIdBytesMax = 128;
constexpr std::size_t kIdempotencyKeyBytesMax = 255;

std::uint64_t random_number() {
  std::random_device random;
  return (std::uint64_t{random()} << 32) | random();
}

/// What the client calls its request, when that can be a header; else a number.
std::string request_id_of(std::string_view given, std::uint64_t otherwise) {
  const bool good = !given.empty() && given.size() <= kIdBytesMax && is_visible_ascii(given);
  return good ? std::string(given) : hex(otherwise);
}

void add_common_headers(const std::string& request_id, http::Response& response) {
  response.headers.push_back({"X-Request-Id", request_id});
  response.headers.push_back({"Cache-Control", "no-store"});
  response.headers.push_back({"X-Content-Type-Options", "nosniff"});
}

bool is_acceptable(Body body, std::optional<std::string_view> content_type) {
  // Without a Content-Type the body is taken for what the route expects.
  if (body == Body::kNone || body == Body::kOther || !content_type) return true;
  const std::string_view type = http::media_type(*content_type);
  if (http::same_name(type, kJsonType)) return true;
  if (body != Body::kEvents) return false;
  constexpr std::array<std::string_view, 3> kLines{
      "application/x-ndjson", "application/ndjson", "application/jsonl"};
  return std::any_of(kLines.begin(), kLines.end(), [type](std::string_view line_type) {
    return http::same_name(type, line_type);
  });
}

/// What the bodies of routes are read as; those of `kOther` say of themselves how they are packed.
bool is_packed(Body body, std::optional<std::string_view> encoding) {
  return (body == Body::kJson || body == Body::kEvents) && encoding &&
         !http::same_name(*encoding, "identity");
}

/// A label has few values: methods that no route has are one.
std::string_view method_label(std::string_view method) {
  for (const std::string_view known : {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"}) {
    if (method == known) return known;
  }
  return "other";
}

http::Response mismatch() {
  return invalid("header", {{"Idempotency-Key", "was used for a request with another body"}});
}

}  // namespace

Service::Service(const Options& options, Backend& backend, Clock clock)
    : options_(options),
      backend_(backend),
      clock_(std::move(clock)),
      limiter_(options.access),
      answered_({}),
      id_seed_(random_number()),
      access_(options.access) {}

Service::~Service() = default;

void Backend::remember(RememberedAnswer, Done<void> done) { done({}); }
void Backend::recall(std::string, Done<std::optional<RememberedAnswer>> done) {
  done(std::optional<RememberedAnswer>{});
}

void Service::set_token(std::string token) {
  const std::lock_guard lock(access_mutex_);
  access_.token = std::move(token);
}

AccessOptions Service::access() const {
  const std::lock_guard lock(access_mutex_);
  return access_;
}

http::Response Service::error_page(unsigned status,
                                   std::string_view detail,
                                   std::string_view request_id) {
  http::Response response = problem(status, detail);
  add_common_headers(request_id_of(request_id, random_number()), response);
  return response;
}

const Route* Service::find_route(Call& call, std::string& allowed) {
  using enum Access;
  static constexpr Route kRoutes[]{
      {"GET", "/ml/status", kRead, Body::kNone, false, &Service::get_status},
      {"POST", "/ml/events", kWrite, Body::kEvents, true, &Service::post_events},
      {"GET", "/ml/features/recent", kRead, Body::kNone, false, &Service::get_rows},
      {"POST", "/ml/features/recent", kWrite, Body::kJson, true, &Service::post_rows},
      {"GET", "/ml/crowd", kRead, Body::kNone, false, &Service::get_crowd},
      {"DELETE", "/ml/features/cleanup", kWrite, Body::kNone, false, &Service::clean_up},
      {"GET", "/ml/anomalies/recent", kRead, Body::kNone, false, &Service::list_alerts},
      {"POST", "/ml/anomalies/recent", kWrite, Body::kJson, true, &Service::post_alerts},
      {"GET", "/ml/anomalies/feedback", kRead, Body::kNone, false, &Service::list_words},
      {"POST", "/ml/anomalies/analyze", kRead, Body::kJson, false, &Service::analyze},
      {"GET", "/ml/anomalies/{id}", kRead, Body::kNone, false, &Service::get_alert},
      {"POST", "/ml/anomalies/{id}/feedback", kWrite, Body::kJson, true, &Service::give_feedback},
      {"GET", "/ml/anomalies/{id}/explain", kRead, Body::kNone, false, &Service::explain},
      {"GET", "/ml/incidents", kRead, Body::kNone, false, &Service::list_incidents},
      {"POST", "/salience", kRead, Body::kJson, false, &Service::rank_events},
      {"GET", "/ml/users", kRead, Body::kNone, false, &Service::list_users},
      {"GET", "/ml/users/{user_id}", kRead, Body::kNone, false, &Service::get_user},
      {"GET", "/ml/audit", kRead, Body::kNone, false, &Service::list_audit},
      {"POST", "/anomaly", kWrite, Body::kJson, true, &Service::post_anomaly},
      {"DELETE", "/anomaly/series/{source}", kWrite, Body::kNone, false, &Service::delete_series},
      {"DELETE",
       "/anomaly/series/{source}/{metric}",
       kWrite,
       Body::kNone,
       false,
       &Service::delete_series},
      {"GET", "/anomaly/series/{source}/{metric}", kRead, Body::kNone, false, &Service::get_series},
      {"PUT",
       "/anomaly/series/{source}/{metric}",
       kWrite,
       Body::kJson,
       false,
       &Service::put_series},
      {"POST", "/forecast", kRead, Body::kJson, false, &Service::post_forecast},
      {"GET", "/forecast", kRead, Body::kNone, false, &Service::list_forecasts},
      {"GET", "/forecast/{source}/{metric}", kRead, Body::kNone, false, &Service::get_forecast},
      {"POST", "/api/v1/write", kWrite, Body::kOther, false, &Service::post_write},
      {"GET", "/ml/limits", kRead, Body::kNone, false, &Service::get_limits},
      {"PUT", "/ml/limits", kWrite, Body::kJson, false, &Service::put_limits},
      {"DELETE", "/ml/limits", kWrite, Body::kNone, false, &Service::delete_limits},
      {"GET", "/ml/limits/{user_id}", kRead, Body::kNone, false, &Service::get_override},
      {"PUT", "/ml/limits/{user_id}", kWrite, Body::kJson, false, &Service::put_override},
      {"DELETE", "/ml/limits/{user_id}", kWrite, Body::kNone, false, &Service::delete_override},
      {"POST", "/scaling", kWrite, Body::kJson, true, &Service::post_scaling},
      {"GET", "/scaling", kRead, Body::kNone, false, &Service::list_scaling},
      {"GET", "/scaling/{service}", kRead, Body::kNone, false, &Service::get_scaling},
      {"PUT", "/scaling/{service}", kWrite, Body::kJson, false, &Service::put_scaling},
      {"DELETE", "/scaling/{service}", kWrite, Body::kNone, false, &Service::delete_scaling},
      {"GET", "/scaling/{service}/backtest", kRead, Body::kNone, false, &Service::get_backtest},
      {"GET",
       "/scaling/{service}/backtest/plot",
       kRead,
       Body::kNone,
       false,
       &Service::get_backtest_plot},
      {"GET", "/scaling/{service}/metric", kRead, Body::kNone, false, &Service::get_scaling_metric},
      {"GET", "/ml/models", kRead, Body::kNone, false, &Service::list_models},
      {"POST", "/ml/models/train", kWrite, Body::kJson, true, &Service::train_model},
      {"POST", "/ml/models/predict", kRead, Body::kJson, false, &Service::predict},
      {"GET", "/ml/models/{model_name}", kRead, Body::kNone, false, &Service::get_model},
      {"GET",
       "/ml/models/{model_name}/history",
       kRead,
       Body::kNone,
       false,
       &Service::get_model_history},
      {"GET",
       "/ml/models/{model_name}/versions/{version}/report",
       kRead,
       Body::kNone,
       false,
       &Service::get_model_report},
      {"GET",
       "/ml/models/{model_name}/versions/{version}/report.html",
       kRead,
       Body::kNone,
       false,
       &Service::get_model_report},
      {"POST",
       "/ml/models/{model_name}/versions",
       kWrite,
       Body::kOther,
       true,
       &Service::bring_model},
      {"GET",
       "/ml/models/{model_name}/versions/{version}/file",
       kRead,
       Body::kNone,
       false,
       &Service::get_model_file},
      {"POST", "/ml/models/{model_name}/load", kWrite, Body::kJson, true, &Service::load_model},
      {"GET", "/ml/learning", kRead, Body::kNone, false, &Service::list_learning},
      {"GET", "/ml/jobs", kRead, Body::kNone, false, &Service::list_jobs},
      {"GET", "/ml/jobs/{id}", kRead, Body::kNone, false, &Service::get_job},
      {"GET", "/ml/jobs/{id}/report", kRead, Body::kNone, false, &Service::get_job_report},
      {"GET", "/ml/jobs/{id}/report.html", kRead, Body::kNone, false, &Service::get_job_report},
      {"DELETE", "/ml/jobs/{id}", kWrite, Body::kNone, false, &Service::cancel_job},
      {"GET", "/ml/experiments", kRead, Body::kNone, false, &Service::list_experiments},
      {"POST", "/ml/experiments", kWrite, Body::kJson, true, &Service::begin_experiment},
      {"GET", "/ml/experiments/{id}", kRead, Body::kNone, false, &Service::get_experiment},
      {"DELETE", "/ml/experiments/{id}", kWrite, Body::kNone, false, &Service::stop_experiment},
      {"GET", "/v2", kRead, Body::kNone, false, &Service::get_inference_server},
      {"GET", "/v2/health/live", kOpen, Body::kNone, false, &Service::get_inference_live},
      {"GET", "/v2/health/ready", kOpen, Body::kNone, false, &Service::get_inference_ready},
      {"GET", "/v2/models/{model_name}", kRead, Body::kNone, false, &Service::get_inference_model},
      {"GET",
       "/v2/models/{model_name}/versions/{version}",
       kRead,
       Body::kNone,
       false,
       &Service::get_inference_model},
      {"GET",
       "/v2/models/{model_name}/ready",
       kRead,
       Body::kNone,
       false,
       &Service::get_inference_model_ready},
      {"GET",
       "/v2/models/{model_name}/versions/{version}/ready",
       kRead,
       Body::kNone,
       false,
       &Service::get_inference_model_ready},
      {"POST", "/v2/models/{model_name}/infer", kRead, Body::kJson, false, &Service::infer},
      {"POST",
       "/v2/models/{model_name}/versions/{version}/infer",
       kRead,
       Body::kJson,
       false,
       &Service::infer},
      {"POST", "/v2/repository/index", kRead, Body::kJson, false, &Service::list_repository},
      {"POST",
       "/v2/repository/models/{model_name}/load",
       kWrite,
       Body::kJson,
       false,
       &Service::load_repository},
      {"POST",
       "/v2/repository/models/{model_name}/unload",
       kWrite,
       Body::kJson,
       false,
       &Service::unload_repository},
      {"GET", "/livez", kOpen, Body::kNone, false, &Service::get_livez},
      {"GET", "/readyz", kOpen, Body::kNone, false, &Service::get_readyz},
      {"GET", "/healthz", kOpen, Body::kNone, false, &Service::get_readyz},
      {"GET", "/metrics", kRead, Body::kNone, false, &Service::get_metrics},
      {"GET", "/openapi.json", kRead, Body::kNone, false, &Service::get_openapi},
  };
  const auto target = http::parse_target(call.request.target);
  const auto segments = target ? split_path(target->path) : std::nullopt;
  if (!segments) return nullptr;
  call.query = target->query;
  for (const Route& route : kRoutes) {
    if (!matches(route.pattern, *segments, call.captured)) continue;
    call.route = route.pattern;
    if (route.method == call.method) return &route;
    allowed += (allowed.empty() ? "" : ", ") + std::string(route.method);
    if (route.method == "GET") allowed += ", HEAD";
  }
  return nullptr;
}

void Service::handle(http::Request request, http::Reply reply) {
  const auto call = std::make_shared<Call>(*this, std::move(request), std::move(reply));
  call->begun = clock_();
  call->method = call->request.method == "HEAD" ? "GET" : std::string_view(call->request.method);
  call->id = request_id_of(call->request.header("X-Request-Id").value_or(""),
                           mix64(id_seed_ + ++id_count_));
  run(call, &Service::dispatch);
}

void Service::dispatch(const CallPtr& call) {
  std::string allowed;
  const Route* route = find_route(*call, allowed);
  if (route == nullptr) {
    if (allowed.empty()) {
      return call->answer(http::parse_target(call->request.target)
                              ? problem(404, "there is nothing here; see /openapi.json")
                              : problem(400, "this is no request target"));
    }
    http::Response response = call->method == "OPTIONS"
                                  ? http::Response{204, {}, {}}
                                  : problem(405, "this can be asked by " + allowed);
    response.headers.push_back({"Allow", allowed});
    return call->answer(std::move(response));
  }
  if (auto refusal = refuse_call(*call, *route)) return call->answer(std::move(*refusal));
  if (route->idempotent && call->request.header("Idempotency-Key"))
    return begin_idempotent(call, *route);
  (this->*route->handler)(call);
}

std::optional<http::Response> Service::refuse_call(Call& call, const Route& route) {
  if (route.access != Access::kOpen && !limiter_.unlimited()) {
    call.limit = limiter_.take(call.request.peer, call.begun);
    if (!call.limit->allowed) {
      http::Response response = problem(429, "too many requests from this address");
      response.headers.push_back({"Retry-After", std::to_string(call.limit->reset_after.count())});
      return response;
    }
  }
  if (auto refusal = refuse(call.request, route.access, access())) return refusal;
  if (is_packed(route.body, call.request.header("Content-Encoding"))) {
    http::Response response =
        problem(415, "a body with a Content-Encoding is not unpacked: send it as it is");
    response.headers.push_back({"Accept-Encoding", "identity"});
    return response;
  }
  if (!is_acceptable(route.body, call.request.header("Content-Type")))
    return problem(415,
                   route.body == Body::kEvents
                       ? "the Content-Type must be application/x-ndjson or application/json"
                       : "the Content-Type must be application/json");
  return std::nullopt;
}

void Service::begin_idempotent(const CallPtr& call, const Route& route) {
  const std::string_view given = *call->request.header("Idempotency-Key");
  if (given.empty() || given.size() > kIdempotencyKeyBytesMax) {
    return call->answer(invalid("header", {{"Idempotency-Key", "must be text of 1 to 255 bytes"}}));
  }
  std::string key = call->request.target + "\n" + std::string(given);
  call->request_hash = hash64(call->request.body);
  auto outcome = answered_.begin(key, call->request_hash, call->begun);
  if (auto* response = std::get_if<http::Response>(&outcome))
    return call->answer(std::move(*response));
  if (std::holds_alternative<IdempotencyCache::Mismatch>(outcome)) return call->answer(mismatch());
  if (std::holds_alternative<IdempotencyCache::Busy>(outcome)) {
    return call->answer(
        problem(409, "the first request with this Idempotency-Key is still being worked on"));
  }
  call->idempotency_key = key;
  using Found = std::optional<RememberedAnswer>;
  // A store that cannot tell is no reason to refuse: the request itself will say so if it matters.
  backend_.recall(std::move(key), [this, call, handler = route.handler](Result<Found> found) {
    if (found && *found) return repeat(call, **found);
    run(call, handler);
  });
}

void Service::repeat(const CallPtr& call, const RememberedAnswer& remembered) {
  const std::string key = std::exchange(call->idempotency_key, {});
  if (remembered.request_hash != call->request_hash) {
    answered_.forget(key);
    return call->answer(mismatch());
  }
  const http::Response response{
      remembered.status, {{"Content-Type", remembered.content_type}}, remembered.body};
  answered_.finish(key, response);
  call->answer(response);
}

void Service::run(const CallPtr& call, void (Service::*handler)(const CallPtr&)) {
  try {
    (this->*handler)(call);
  } catch (const std::exception&) {
    // Memory, most likely. What went wrong is not the client's to know.
    call->answer(problem(500, "this request could not be worked on"));
  }
}

void Service::later(const CallPtr& call, const Runner& runner, std::function<void()> work) {
  const std::size_t bytes = call->request.body.size();
  const bool room = waiting_bytes_->fetch_add(bytes) + bytes <= options_.waiting_bytes_max;
  call->held = std::shared_ptr<void>(
      nullptr, [waiting = waiting_bytes_, bytes](void*) { *waiting -= bytes; });
  const auto busy = [call] { call->answer(problem(Error{ErrorCode::kUnavailable, 0}, "")); };
  const auto task = [this, call, busy, work = std::move(work)] {
    if (clock_() - call->begun >= options_.http.handler_timeout) return busy();
    try {
      work();
    } catch (const std::exception&) {
      call->answer(problem(500, "this request could not be worked on"));
    }
  };
  if (!room || !runner(task)) busy();
}

http::NextPiece pieces(Runner runner, std::function<http::Piece()> make) {
  using Give = std::function<void(http::Piece)>;
  return [runner = std::move(runner), make = std::move(make)](const Give& give) {
    const bool taken = runner([make, give] {
      http::Piece piece{{}, http::Piece::Then::kBroken};
      try {
        piece = make();
      } catch (const std::exception&) {
        // Memory, most likely: the answer breaks off.
      }
      give(std::move(piece));
    });
    if (!taken) give({{}, http::Piece::Then::kBroken});
  };
}

void Service::finish(Call& call, http::Response response) {
  if (call.idempotency_key.empty()) return send(call, std::move(response));
  const std::string key = std::exchange(call.idempotency_key, {});
  answered_.finish(key, response);
  if (response.status >= 300) return send(call, std::move(response));
  RememberedAnswer kept{key,
                        call.request_hash,
                        response.status,
                        std::string(response.header("Content-Type").value_or("")),
                        response.body};
  backend_.remember(std::move(kept),
                    [this, kept_alive = call.shared_from_this(), response = std::move(response)](
                        const Result<void>&) { send(*kept_alive, response); });
}

void Service::send(Call& call, http::Response response) {
  const http::Reply reply = std::exchange(call.reply, nullptr);
  if (!reply) return;
  auto& headers = response.headers;
  add_common_headers(call.id, response);
  if (call.limit) {
    headers.push_back({"RateLimit-Policy", limiter_.policy()});
    headers.push_back({"RateLimit",
                       "\"default\";r=" + std::to_string(call.limit->remaining) +
                           ";t=" + std::to_string(call.limit->reset_after.count())});
  }
  count(call, response.status);
  reply(std::move(response));
}

void Service::count(const Call& call, unsigned status) {
  const Duration took = clock_() - call.begun;
  const std::lock_guard lock(metrics_mutex_);
  ++answered_by_[{call.route, method_label(call.request.method), status}];
  took_by_[call.route].observe(took);
}

prometheus::Snapshot Service::own_metrics() const {
  using prometheus::Family;
  prometheus::Snapshot out;
  {
    const std::lock_guard lock(metrics_mutex_);
    for (const auto& [by, count] : answered_by_)
      out.add(Family::kApiRequests, count, {by.method, by.route, std::to_string(by.status)});
    for (const auto& [route, took] : took_by_) out.add(Family::kApiSeconds, took, {route});
  }
  out.add(Family::kEventsRejected, rejected_lines_.load());
  for (std::size_t i = 0; i < kWriteResults.size(); ++i)
    out.add(Family::kRemoteWrite, written_.of(i), {kWriteResults[i]});
  out.add(Family::kBuildInfo, 1, {options_.version});
  return out;
}

}  // namespace liminal::api
