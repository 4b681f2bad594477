#include <algorithm>
#include <numeric>

#include "core/salience/alert.hpp"
#include "io/json/incident_writer.hpp"
#include "io/json/salience_event.hpp"
#include "server/api/call.hpp"
#include "server/api/salience_port.hpp"

namespace liminal::api {
namespace {

constexpr std::size_t kEventsMax = 10'000;
/// Larger bodies are worked on elsewhere, so that other requests do not wait for them.
constexpr std::size_t kBodyAtOnce = 32 * 1024;
constexpr std::size_t kProblemsMax = 100;
constexpr std::uint64_t kIncidentsMax = 500;
constexpr std::string_view kModel = "salience", kVersion = "1";

/// "1", or "1.3" with the weights of version 3 of the ranking that was learnt.
std::string version_of(const SaliencePort& port) {
  const std::uint32_t learnt = port.weights_version();
  return std::string(kVersion) + (learnt > 0 ? "." + std::to_string(learnt) : "");
}

struct Request {
  std::vector<json::SalienceEvent> events;
  std::vector<std::string> ignored;
  Problems problems;
};

/// The events of a body that is an object with `features`.
void read_events(const json::Value& body, Request& request) {
  const auto* members = body.as<json::Value::Object>();
  if (members == nullptr) {
    request.problems.push_back({"", "must be a JSON object"});
    return;
  }
  const json::Value* features = nullptr;
  for (const auto& [name, value] : *members) {
    if (name != "features") {
      request.problems.push_back({name, "is not known"});
    } else if (features != nullptr) {
      request.problems.push_back({name, "given twice"});
    } else {
      features = &value;
    }
  }
  const auto* list = features == nullptr ? nullptr : features->as<json::Value::Array>();
  if (list == nullptr) {
    request.problems.push_back({"features", features ? "must be an array" : "is missing"});
    return;
  }
  if (list->size() > kEventsMax) {
    request.problems.push_back(
        {"features", "must be at most " + std::to_string(kEventsMax) + " events"});
    return;
  }
  request.events.reserve(list->size());
  for (std::size_t i = 0; i < list->size() && request.problems.size() < kProblemsMax; ++i) {
    request.events.push_back(json::read_salience_event(
        (*list)[i], "features[" + std::to_string(i) + "]", request.ignored, request.problems));
  }
}

std::vector<salience::Judgement> judge(const Request& request, const SaliencePort& port) {
  std::vector<SaliencePort::Asked> asked;
  asked.reserve(request.events.size());
  for (const json::SalienceEvent& event : request.events)
    asked.push_back({event.type, event.user.empty() ? event.source : event.user, event.fields});
  return port.judge(asked);
}

void write_texts(std::string_view key, const std::vector<std::string>& texts, json::Writer& out) {
  out.key(key);
  out.begin_array();
  for (const std::string& text : texts) out.value(text);
  out.end_array();
}

void write_answer(const Request& request,
                  const std::vector<salience::Judgement>& judged,
                  const std::string& version,
                  json::Writer& out) {
  out.begin_object();
  out.key("scores");
  out.begin_array();
  for (const salience::Judgement& one : judged) out.value(one.salience());
  out.end_array();
  std::vector<std::size_t> ranking(judged.size());
  std::iota(ranking.begin(), ranking.end(), std::size_t{0});
  std::stable_sort(ranking.begin(), ranking.end(), [&](std::size_t a, std::size_t b) {
    return judged[a].log_odds() > judged[b].log_odds();
  });
  out.key("ranking");
  out.begin_array();
  for (const std::size_t place : ranking) out.value(place);
  out.end_array();
  out.key("explanations");
  out.begin_array();
  for (std::size_t i = 0; i < judged.size(); ++i)
    json::write_explanation(request.events[i], judged[i], out);
  out.end_array();
  write_texts("ignored", request.ignored, out);
  out.field("model", kModel);
  out.field("version", version);
  out.end_object();
}

http::Response answer(std::string_view body, const SaliencePort& port) {
  const Result<json::Value> value = json::parse(body);
  if (!value)
    return problem(400,
                   value.error().code == ErrorCode::kTooLarge ? "the body is nested too deep"
                                                              : "the body is not valid JSON");
  Request request;
  read_events(*value, request);
  if (!request.problems.empty()) return invalid("body", request.problems);
  json::Writer out;
  write_answer(request, judge(request, port), version_of(port), out);
  return json_response(std::move(out));
}

enum class Scopes : std::uint8_t { kAll, kGlobal, kUser };

std::optional<Scopes> scopes_by_name(std::string_view name) {
  if (name == "all") return Scopes::kAll;
  if (name == "global") return Scopes::kGlobal;
  if (name == "user") return Scopes::kUser;
  return std::nullopt;
}

}  // namespace

void Service::rank_events(const CallPtr& call) {
  Query query(call->query);
  if (!right(*call, query)) return;
  if (call->request.body.size() <= kBodyAtOnce)
    return call->answer(answer(call->request.body, *salience_));
  later(
      call,
      [this](auto task) { return salience_->later(std::move(task)); },
      [this, call] { call->answer(answer(call->request.body, *salience_)); });
}

void Service::list_incidents(const CallPtr& call) {
  Query query(call->query);
  const std::uint64_t limit = query.whole("limit", 20, 1, kIncidentsMax);
  const Scopes scopes = query.one_of("scope", Scopes::kAll, scopes_by_name, "all, global or user");
  if (!right(*call, query)) return;
  std::optional<salience::Scope> scope;
  if (scopes == Scopes::kGlobal) scope = salience::Scope::kGlobal;
  if (scopes == Scopes::kUser) scope = salience::Scope::kSource;
  const auto incidents = salience_->incidents(scope, static_cast<std::size_t>(limit));
  json::Writer out;
  out.begin_object();
  out.key("incidents");
  out.begin_array();
  for (const salience::Incident& incident : incidents) json::write(incident, out);
  out.end_array();
  out.field("count", incidents.size());
  out.end_object();
  call->answer(json_response(std::move(out)));
}

}  // namespace liminal::api
