#include <algorithm>
#include <limits>
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
/// An answer is written, and sent, so many bytes of explanations at a time.
constexpr std::size_t kPieceBytes = 64 * 1024;
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

/// The events of a request, judged, and the answer's text as it grows.
class RankedEvents {
 public:
  RankedEvents(Request request, const SaliencePort& port)
      : request_(std::move(request)), judged_(judge(request_, port)), version_(version_of(port)) {
    write_scores();
  }

  [[nodiscard]] bool done() const { return next_ > judged_.size(); }
  [[nodiscard]] std::string take() { return out_.take(); }

  /// Explains the next events, until the text has so many bytes.
  void step(std::size_t bytes_enough) {
    for (; next_ < judged_.size() && out_.text().size() < bytes_enough; ++next_)
      json::write_explanation(request_.events[next_], judged_[next_], out_);
    if (next_ == judged_.size()) end();
  }

 private:
  void write_scores() {
    out_.begin_object();
    out_.key("scores");
    out_.begin_array();
    for (const salience::Judgement& one : judged_) out_.value(one.salience());
    out_.end_array();
    std::vector<std::size_t> ranking(judged_.size());
    std::iota(ranking.begin(), ranking.end(), std::size_t{0});
    std::stable_sort(ranking.begin(), ranking.end(), [&](std::size_t a, std::size_t b) {
      return judged_[a].log_odds() > judged_[b].log_odds();
    });
    out_.key("ranking");
    out_.begin_array();
    for (const std::size_t place : ranking) out_.value(place);
    out_.end_array();
    out_.key("explanations");
    out_.begin_array();
  }

  void end() {
    out_.end_array();
    write_texts("ignored", request_.ignored, out_);
    out_.field("model", kModel);
    out_.field("version", version_);
    out_.end_object();
    ++next_;
  }

  Request request_;
  std::vector<salience::Judgement> judged_;
  std::string version_;
  std::size_t next_ = 0;  ///< of `judged_`; beyond them all: it is done
  json::Writer out_;
};

void rank(const std::shared_ptr<Call>& call, SaliencePort& port) {
  const Result<json::Value> value = json::parse(call->request.body);
  call->request.body = {};
  if (!value)
    return call->answer(problem(400,
                                value.error().code == ErrorCode::kTooLarge
                                    ? "the body is nested too deep"
                                    : "the body is not valid JSON"));
  Request request;
  read_events(*value, request);
  if (!request.problems.empty()) return call->answer(invalid("body", request.problems));
  const auto ranked = std::make_shared<RankedEvents>(std::move(request), port);
  ranked->step(may_be_in_pieces(*call) ? kPieceBytes : std::numeric_limits<std::size_t>::max());
  http::Response response = json_response(ranked->take());
  if (!ranked->done()) {
    const auto runner = [&port](auto task) { return port.later(std::move(task)); };
    response.rest = pieces(runner, [ranked, held = call->held] {
      using Then = http::Piece::Then;
      ranked->step(kPieceBytes);
      return http::Piece{ranked->take(), ranked->done() ? Then::kEnd : Then::kMore};
    });
  }
  call->answer(std::move(response));
}

enum class Scopes : std::uint8_t { kAll, kGlobal, kUser };

std::optional<Scopes> scopes_by_name(std::string_view name) {
  if (name == "all") return Scopes::kAll;
  if (name == "global") return Scopes::kGlobal;
  if (name == "user") return Scopes::kUser;
  return std::nullopt;
}

std::optional<salience::IncidentStatus> status_by_name(std::string_view name) {
  for (const auto status : {salience::IncidentStatus::kOpen, salience::IncidentStatus::kEnded}) {
    if (name == salience::name(status)) return status;
  }
  return std::nullopt;
}

}  // namespace

void Service::rank_events(const CallPtr& call) {
  Query query(call->query);
  if (!right(*call, query)) return;
  if (call->request.body.size() <= kBodyAtOnce) return rank(call, *salience_);
  later(
      call,
      [this](auto task) { return salience_->later(std::move(task)); },
      [this, call] { rank(call, *salience_); });
}

void Service::list_incidents(const CallPtr& call) {
  Query query(call->query);
  salience::IncidentQuery asked;
  asked.count = query.whole("limit", 20, 1, kIncidentsMax);
  asked.status = query.one_of(
      "status",
      asked.status,
      [](std::string_view name) -> std::optional<decltype(asked.status)> {
        if (const auto status = status_by_name(name)) return status;
        return std::nullopt;
      },
      "open or ended");
  if (const auto since = query.time("since")) asked.since = SteadyTime{since->time_since_epoch()};
  const Scopes scopes = query.one_of("scope", Scopes::kAll, scopes_by_name, "all, global or user");
  if (!right(*call, query)) return;
  if (scopes == Scopes::kGlobal) asked.scope = salience::Scope::kGlobal;
  if (scopes == Scopes::kUser) asked.scope = salience::Scope::kSource;
  const auto incidents = salience_->incidents(asked, SteadyTime{backend_.now().time_since_epoch()});
  json::Writer out;
  out.begin_object();
  out.key("incidents");
  out.begin_array();
  for (const salience::Incident& incident : incidents)
    json::write(incident, backend_.gateways_of(incident.ids), out);
  out.end_array();
  out.field("count", incidents.size());
  out.end_object();
  call->answer(json_response(std::move(out)));
}

}  // namespace liminal::api
