#include "io/json/event_reader.hpp"
#include "io/json/told_alert.hpp"
#include "io/json/traffic_writer.hpp"
#include "server/api/answers.hpp"
#include "server/api/call.hpp"

namespace liminal::api {
namespace {

/// A row may come from a clock that is so much ahead: beyond it, what is learnt by time would rest
/// until then.
constexpr Duration kRowAheadMax = std::chrono::minutes{5};

constexpr std::uint64_t kListMax = 10'000;
constexpr std::size_t kRejectionsMax = 1000;
constexpr std::size_t kRowsMax = 1000;

/// What became of the lines of one body.
struct Lines {
  std::vector<traffic::StoredEvent> events;
  std::vector<std::pair<std::uint64_t, std::string>> rejected;  ///< the first of them
  std::uint64_t rejected_count = 0;
  bool any_is_json = false;

  void take(std::uint64_t line, const json::EventResult& result) {
    if (result) {
      events.push_back(traffic::StoredEvent::report_of(*result));
      return;
    }
    any_is_json |= !result.error().what.starts_with("is not valid");
    if (++rejected_count <= kRejectionsMax) rejected.emplace_back(line, text(result.error()));
  }

  void write(std::size_t accepted, json::Writer& out) const {
    out.field("accepted", accepted);
    out.key("rejected");
    out.begin_array();
    for (const auto& entry : rejected) {
      out.begin_object();
      out.field("line", entry.first);
      out.field("reason", entry.second);
      out.end_object();
    }
    out.end_array();
    out.field("rejected_count", rejected_count);
  }
};

/// A list under its name, its length and, if it has one, its limit.
template <class Items, class Write>
http::Response list_response(std::string_view name,
                             const Items& items,
                             std::optional<std::uint64_t> limit,
                             Write write_item) {
  json::Writer out;
  out.begin_object();
  out.key(name);
  out.begin_array();
  for (const auto& item : items) write_item(item, out);
  out.end_array();
  out.field("count", items.size());
  if (limit) out.field("limit", *limit);
  out.end_object();
  return json_response(std::move(out));
}

traffic::FeatureRow read_row(json::Fields& in, SteadyTime latest) {
  using json::Need;
  traffic::FeatureRow row;
  row.user = in.text("user_id", Need::kRequired, 1, traffic::kUserBytesMax).value_or("");
  if (!in.is_null("ip_address"))
    row.address = in.text("ip_address", Need::kRequired, 1, traffic::kAddressBytesMax).value_or("");
  if (const auto at = in.time("timestamp", Need::kRequired))
    row.time = SteadyTime{at->time_since_epoch()};
  if (row.time > latest) in.wrong("timestamp", "lies more than 5 minutes ahead");
  row.features = json::read_features(in);
  in.finish();
  return row;
}

std::vector<traffic::FeatureRow> read_rows(json::Fields& in, SteadyTime latest) {
  std::vector<traffic::FeatureRow> rows;
  const auto* const list = in.array("features", json::Need::kRequired, 1, kRowsMax);
  if (list == nullptr) return rows;
  for (std::size_t i = 0; i < list->size(); ++i) {
    json::Fields fields = in.element("features", i, (*list)[i]);
    rows.push_back(read_row(fields, latest));
  }
  return rows;
}

std::optional<UserQuery::Order> order_by_name(std::string_view name) {
  if (name == "score") return UserQuery::Order::kScore;
  if (name == "messages_per_minute") return UserQuery::Order::kMessagesPerMinute;
  if (name == "last_seen") return UserQuery::Order::kLastSeen;
  if (name == "activity") return UserQuery::Order::kActivity;
  if (name == "growth") return UserQuery::Order::kGrowth;
  if (name == "salience") return UserQuery::Order::kSalience;
  return std::nullopt;
}

}  // namespace

void Service::get_status(const CallPtr& call) {
  Query query(call->query);
  if (!right(*call, query)) return;
  backend_.status(
      Call::then<Status>(call, "the status", [call, version = options_.version](Status status) {
        json::Writer out;
        write(status, version, out);
        call->answer(json_response(std::move(out)));
      }));
}

void Service::post_events(const CallPtr& call) {
  Query query(call->query);
  if (!right(*call, query)) return;
  auto lines = std::make_shared<Lines>();
  json::EventReader reader;
  const auto read = reader.read_all(
      call->request.body,
      backend_.now(),
      [&lines](std::uint64_t line, const json::EventResult& result) { lines->take(line, result); });
  call->request.body = {};
  rejected_lines_ += lines->rejected_count;
  if (!read) return call->answer(problem(400, text(read.error())));
  if (lines->events.empty()) {
    if (lines->rejected_count == 0) return call->answer(problem(400, "the body holds no event"));
    return call->answer(problem(lines->any_is_json ? 422 : 400,
                                "no line is an event; the first: " + lines->rejected[0].second,
                                [&lines](json::Writer& out) { lines->write(0, out); }));
  }
  const std::size_t accepted = lines->events.size();
  backend_.submit(std::move(lines->events),
                  Call::then<void>(call, "the request", [call, lines, accepted] {
                    json::Writer out;
                    out.begin_object();
                    lines->write(accepted, out);
                    out.end_object();
                    call->answer(json_response(std::move(out)));
                  }));
}

void Service::get_rows(const CallPtr& call) {
  Query query(call->query);
  RowQuery rows;
  rows.limit = query.whole("limit", 100, 1, kListMax);
  rows.user = query.text("user_id", 1, traffic::kUserBytesMax);
  if (!right(*call, query)) return;
  const std::size_t limit = rows.limit;
  backend_.rows(std::move(rows),
                Call::then<std::vector<traffic::FeatureRow>>(
                    call, "the rows", [call, limit](const std::vector<traffic::FeatureRow>& found) {
                      call->answer(list_response(
                          "features", found, limit, [](const auto& row, json::Writer& out) {
                            json::write(row, out);
                          }));
                    }));
}

void Service::post_rows(const CallPtr& call) {
  Query query(call->query);
  if (!right(*call, query)) return;
  std::vector<traffic::FeatureRow> rows;
  if (!read_body(*call,
                 [&](json::Fields& in) { rows = read_rows(in, engine_now() + kRowAheadMax); }))
    return;
  const std::size_t accepted = rows.size();
  backend_.take_rows(std::move(rows), Call::then<void>(call, "the rows", [call, accepted] {
                       json::Writer out;
                       out.begin_object();
                       out.field("accepted", accepted);
                       out.end_object();
                       call->answer(json_response(std::move(out)));
                     }));
}

void Service::clean_up(const CallPtr& call) {
  Query query(call->query);
  const double hours = query.number("max_age_hours", 24, 0, 87'600);
  if (!right(*call, query)) return;
  backend_.cleanup(
      from_seconds(hours * 3600),
      Call::then<CleanupReport>(call, "the clean-up", [call, hours](CleanupReport did) {
        json::Writer out;
        out.begin_object();
        out.field("removed_users", did.removed_users);
        out.field("remaining_users", did.remaining_users);
        out.field("removed_rows", did.removed_rows);
        out.field("max_age_hours", hours);
        out.end_object();
        call->answer(json_response(std::move(out)));
      }));
}

void Service::get_crowd(const CallPtr& call) {
  Query query(call->query);
  const std::uint64_t limit = query.whole("limit", 10, 1, 1'000);
  if (!right(*call, query)) return;
  backend_.crowd(Call::then<features::CrowdSummary>(
      call, "the summary", [call, limit](const features::CrowdSummary& crowd) {
        json::Writer out;
        write(crowd, limit, out);
        call->answer(json_response(std::move(out)));
      }));
}

void Service::list_users(const CallPtr& call) {
  Query query(call->query);
  UserQuery users;
  users.limit = query.whole("limit", 100, 1, kListMax);
  users.order = query.one_of("order",
                             users.order,
                             order_by_name,
                             "score, messages_per_minute, last_seen, activity, growth or salience");
  if (!right(*call, query)) return;
  backend_.users(
      users,
      Call::then<std::vector<UserSummary>>(
          call, "the users", [call, limit = users.limit](const std::vector<UserSummary>& found) {
            call->answer(
                list_response("users", found, limit, [](const auto& user, json::Writer& out) {
                  write(user, out);
                }));
          }));
}

void Service::list_audit(const CallPtr& call) {
  Query query(call->query);
  AuditQuery entries;
  entries.limit = query.whole("limit", 100, 1, kListMax);
  entries.subject = query.text("subject", 1, traffic::kUserBytesMax);
  if (!right(*call, query)) return;
  const std::size_t limit = entries.limit;
  backend_.audit_log(
      std::move(entries),
      Call::then<std::vector<traffic::AuditEntry>>(
          call, "an audit log", [call, limit](const std::vector<traffic::AuditEntry>& found) {
            call->answer(
                list_response("entries", found, limit, [](const auto& entry, json::Writer& out) {
                  out.begin_object();
                  out.field("time", entry.time);
                  out.field("actor", entry.actor);
                  out.field("action", entry.action);
                  out.field("subject", entry.subject);
                  out.field("detail", entry.detail);
                  out.end_object();
                }));
          }));
}

void Service::get_user(const CallPtr& call) {
  Query query(call->query);
  if (!right(*call, query)) return;
  if (call->captured[0].size() > traffic::kUserBytesMax)
    return call->answer(problem(404, "the user is not known"));
  backend_.user(call->captured[0],
                Call::then<UserView>(call, "the user", [this, call](const UserView& user) {
                  json::Writer out;
                  write(user, *salience_, out);
                  call->answer(json_response(std::move(out)));
                }));
}

}  // namespace liminal::api
