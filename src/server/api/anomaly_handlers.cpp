#include <algorithm>

#include "io/json/told_alert.hpp"
#include "server/api/answers.hpp"
#include "server/api/call.hpp"

namespace liminal::api {
namespace {

using traffic::Alert;

constexpr std::uint64_t kListMax = 10'000;
/// Of so many alerts at least, the latest, the most salient are found.
constexpr std::size_t kRankedMin = 1000;
constexpr std::size_t kToldMax = 1000;
/// A gateway's clock may be so much ahead: a word that is younger would outlive what is said later.
constexpr Duration kAheadMax = std::chrono::minutes{5};

/// The alert that the path names; answers 404, and gives nothing, when it cannot be one.
std::optional<AlertId> alert_of(Call& call) {
  const auto id = traffic::parse_alert_id(call.captured[0]);
  if (id && id->second > 0) return AlertId{id->first, id->second};
  call.answer(problem(404, "the alert is not known"));
  return std::nullopt;
}

std::vector<traffic::JudgedAlert> read_told(json::Fields& in, SteadyTime latest) {
  const std::string gateway =
      in.text("gateway", json::Need::kRequired, 1, traffic::kGatewayBytesMax).value_or("");
  std::vector<traffic::JudgedAlert> told;
  const auto* const list = in.array("alerts", json::Need::kRequired, 1, kToldMax);
  for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
    json::Fields fields = in.element("alerts", i, (*list)[i]);
    told.push_back(json::read_told_alert(fields, gateway, latest));
  }
  return told;
}

void write_alerts(const std::vector<Alert>& alerts,
                  const SaliencePort& salience,
                  json::Writer& out) {
  out.key("alerts");
  out.begin_array();
  for (const Alert& alert : alerts) write(alert, salience, out);
  out.end_array();
}

Backend::Done<Alert> answering_alert(const std::shared_ptr<Call>& call,
                                     const SaliencePort& salience) {
  return Call::then<Alert>(call, "the alert", [call, &salience](const Alert& alert) {
    json::Writer out;
    write(alert, salience, out);
    call->answer(json_response(std::move(out)));
  });
}

/// Whether the order is that of salience.
std::optional<bool> salience_order(std::string_view name) {
  if (name == "time") return false;
  return name == "salience" ? std::optional(true) : std::nullopt;
}

/// Orders by salience, equal ones as they are, and keeps the first so many.
void keep_most_salient(std::vector<Alert>& alerts, std::size_t limit, const SaliencePort& port) {
  std::vector<std::pair<double, std::size_t>> order;
  for (std::size_t i = 0; i < alerts.size(); ++i)
    order.emplace_back(-port.judge(alerts[i]).log_odds(), i);
  std::sort(order.begin(), order.end());
  std::vector<Alert> kept;
  for (std::size_t i = 0; i < std::min(limit, order.size()); ++i)
    kept.push_back(std::move(alerts[order[i].second]));
  alerts = std::move(kept);
}

}  // namespace

void Service::list_alerts(const CallPtr& call) {
  Query query(call->query);
  AlertQuery alerts;
  alerts.limit = query.whole("limit", 50, 1, kListMax);
  alerts.severity_min = query.one_of("min_severity",
                                     alerts.severity_min,
                                     traffic::severity_by_name,
                                     "low, medium, high or critical");
  const bool by_salience = query.one_of("order", false, salience_order, "time or salience");
  if (!right(*call, query)) return;
  const std::size_t limit = alerts.limit;
  if (by_salience) alerts.limit = std::max(alerts.limit, kRankedMin);
  backend_.alerts(
      alerts,
      Call::then<std::vector<Alert>>(call, "the alerts", [=, this](std::vector<Alert> found) {
        if (by_salience) keep_most_salient(found, limit, *salience_);
        json::Writer out;
        out.begin_object();
        write_alerts(found, *salience_, out);
        out.field("count", found.size());
        out.end_object();
        call->answer(json_response(std::move(out)));
      }));
}

void Service::post_alerts(const CallPtr& call) {
  Query query(call->query);
  if (!right(*call, query)) return;
  std::vector<traffic::JudgedAlert> told;
  if (!read_body(*call, [&](json::Fields& in) { told = read_told(in, engine_now() + kAheadMax); }))
    return;
  const std::size_t accepted = told.size();
  backend_.take_alerts(std::move(told), Call::then<void>(call, "the alerts", [call, accepted] {
                         json::Writer out;
                         out.begin_object();
                         out.field("accepted", accepted);
                         out.end_object();
                         call->answer(json_response(std::move(out)));
                       }));
}

void Service::list_words(const CallPtr& call) {
  Query query(call->query);
  const auto gateway = query.text("gateway", 1, traffic::kGatewayBytesMax);
  const std::size_t limit = query.whole("limit", 100, 1, kToldMax);
  if (!right(*call, query)) return;
  if (!gateway) return call->answer(invalid("query", {{"gateway", "is missing"}}));
  using Words = std::vector<traffic::JudgedAlert>;
  backend_.words_for(
      *gateway, limit, Call::then<Words>(call, "the words", [call](const Words& words) {
        json::Writer out;
        out.begin_object();
        out.key("feedback");
        out.begin_array();
        for (const traffic::JudgedAlert& word : words) json::write_word(word, out);
        out.end_array();
        out.field("count", words.size());
        out.end_object();
        call->answer(json_response(std::move(out)));
      }));
}

void Service::analyze(const CallPtr& call) {
  Query query(call->query);
  if (!right(*call, query)) return;
  std::optional<std::string> user;
  const auto read = [&user](json::Fields& in) {
    user = in.text("user_id", json::Need::kRequired, 1, traffic::kUserBytesMax);
  };
  if (!read_body(*call, read)) return;
  backend_.analyze(*user,
                   Call::then<std::vector<Alert>>(
                       call, "the user", [this, call](const std::vector<Alert>& found) {
                         json::Writer out;
                         out.begin_object();
                         out.field("anomalies_detected", found.size());
                         write_alerts(found, *salience_, out);
                         out.end_object();
                         call->answer(json_response(std::move(out)));
                       }));
}

void Service::get_alert(const CallPtr& call) {
  Query query(call->query);
  if (!right(*call, query)) return;
  if (const auto id = alert_of(*call)) backend_.alert(*id, answering_alert(call, *salience_));
}

void Service::give_feedback(const CallPtr& call) {
  Query query(call->query);
  if (!right(*call, query)) return;
  const auto id = alert_of(*call);
  if (!id) return;
  std::optional<traffic::FeedbackVerdict> verdict;
  std::optional<std::string> note;
  const auto read = [&](json::Fields& in) {
    verdict = in.one_of("verdict",
                        json::Need::kRequired,
                        traffic::feedback_by_name,
                        "true_positive, false_positive or expected");
    note = in.text("note", json::Need::kOptional, 0, traffic::kNoteBytesMax);
  };
  if (!read_body(*call, read)) return;
  backend_.feedback(*id, *verdict, note.value_or(""), answering_alert(call, *salience_));
}

void Service::explain(const CallPtr& call) {
  Query query(call->query);
  if (!right(*call, query)) return;
  const auto id = alert_of(*call);
  if (!id) return;
  backend_.explain(
      *id, Call::then<Explanation>(call, "the alert", [this, call](const Explanation& explanation) {
        json::Writer out;
        write(explanation, *salience_, out);
        call->answer(json_response(std::move(out)));
      }));
}

}  // namespace liminal::api
