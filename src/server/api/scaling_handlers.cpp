#include "server/api/call.hpp"
#include "server/api/own_names.hpp"
#include "server/api/scaling_answers.hpp"
#include "server/api/scaling_port.hpp"

namespace liminal::api {
namespace {

/// Larger bodies are read where they hold up nobody.
constexpr std::size_t kInlineBytesMax = 32 * 1024;

http::Response too_early(const Error& error) {
  if (error.code == ErrorCode::kOutOfRange)
    return problem(409, "what an instance of the service can take is not known yet");
  if (error.code == ErrorCode::kConflict)
    return problem(
        409,
        "the service needs " + std::to_string(error.position) + " minutes of history for that");
  return problem(error, "the service");
}

http::Response refusal(const Error& error) {
  if (error.code == ErrorCode::kTooLarge)
    return problem(503, "no more services can be kept: all that are have settings of their own");
  return problem(error, "the service");
}

}  // namespace

ScalingPort* Service::scaling_of(const CallPtr& call) {
  Query query(call->query);
  return scaling_of(call, query);
}

ScalingPort* Service::scaling_of(const CallPtr& call, Query& query) {
  if (!right(*call, query)) return nullptr;
  if (!call->captured.empty() && call->captured[0].size() > scaling::kServiceNameMax) {
    call->answer(invalid("path", {{"service", "must be text of 1 to 128 bytes"}}));
    return nullptr;
  }
  if (scaling_ == nullptr) call->answer(problem(503, "scaling is not there"));
  return scaling_;
}

void Service::post_scaling(const CallPtr& call) {
  ScalingPort* const port = scaling_of(call);
  if (port == nullptr) return;
  const auto work = [this, call, port] {
    scaling::Report report;
    const auto read = [&](json::Fields& in) { report = read_report(in, backend_.now()); };
    // Ten thousand rows with the same mistake are one mistake.
    constexpr std::size_t kNamedMax = 10;
    if (!read_body(*call, read, kNamedMax)) return;
    port->advise(std::move(report), [call](const Result<scaling::Advice>& advice) {
      if (!advice) return call->answer(refusal(advice.error()));
      json::Writer out;
      write(*advice, out);
      call->answer(json_response(std::move(out)));
    });
  };
  if (call->request.body.size() <= kInlineBytesMax) return work();
  later(
      call, [port](auto task) { return port->run(std::move(task)); }, work);
}

void Service::list_scaling(const CallPtr& call) {
  Query query(call->query);
  const std::uint64_t limit = query.whole("limit", 1000, 1, 100'000);
  ScalingPort* const port = scaling_of(call, query);
  if (port == nullptr) return;
  using Summaries = std::vector<scaling::ServiceSummary>;
  const auto write = [call](const Summaries& services) {
    json::Writer out;
    out.begin_object();
    out.key("services");
    out.begin_array();
    for (const scaling::ServiceSummary& one : services) {
      out.begin_object();
      out.field("service", one.name);
      out.field("minutes", one.minutes);
      out.field("load", one.load);
      out.field("replicas", one.replicas);
      out.field("action", name(one.action));
      out.field("recommended_replicas", one.recommended);
      out.end_object();
    }
    out.end_array();
    out.field("count", services.size());
    out.end_object();
    call->answer(json_response(std::move(out)));
  };
  port->services(backend_.now(), limit, Call::then<Summaries>(call, "the services", write));
}

void Service::get_scaling(const CallPtr& call) {
  Query query(call->query);
  const double asked = query.number("load", -1, 0, scaling::LoadModel::kLoadMax);
  const auto load = asked >= 0 ? std::optional(asked) : std::nullopt;
  ScalingPort* const port = scaling_of(call, query);
  if (port == nullptr) return;
  using scaling::ServiceState;
  port->state(
      call->captured[0],
      Call::then<ServiceState>(call, "the service", [this, call, load](const ServiceState& state) {
        json::Writer out;
        write(state, backend_.now(), load, out);
        call->answer(json_response(std::move(out)));
      }));
}

void Service::put_scaling(const CallPtr& call) {
  ScalingPort* const port = scaling_of(call);
  if (port == nullptr) return;
  if (!is_service_name(call->captured[0]))
    return call->answer(invalid("path", {{"service", std::string(kServiceNameRule)}}));
  scaling::ChangeOptions change;
  const auto read = [&change](json::Fields& in) { change = read_settings(in); };
  if (!read_body(*call, read)) return;
  // What the request does not speak of stays as it is when the change is made.
  port->change_options(
      call->captured[0], std::move(change), [call](const Result<scaling::OptionsChanged>& changed) {
        if (!changed) return call->answer(refusal(changed.error()));
        if (!changed->problems.empty()) return call->answer(invalid("body", changed->problems));
        json::Writer out;
        write(changed->options, out);
        call->answer(json_response(std::move(out), changed->is_new ? 201 : 200));
      });
}

void Service::delete_scaling(const CallPtr& call) {
  ScalingPort* const port = scaling_of(call);
  if (port == nullptr) return;
  port->forget(call->captured[0], Call::then<void>(call, "the service", [call] {
                 call->answer({204, {}, {}});
               }));
}

void Service::get_backtest(const CallPtr& call) {
  ScalingPort* const port = scaling_of(call);
  if (port == nullptr) return;
  port->backtest(call->captured[0], [call](const Result<scaling::Backtest>& found) {
    if (!found) return call->answer(too_early(found.error()));
    json::Writer out;
    write(*found, out);
    call->answer(json_response(std::move(out)));
  });
}

void Service::get_backtest_plot(const CallPtr& call) {
  ScalingPort* const port = scaling_of(call);
  if (port == nullptr) return;
  port->backtest(call->captured[0], [call](const Result<scaling::Backtest>& found) {
    if (!found) return call->answer(too_early(found.error()));
    call->answer({200, {{"Content-Type", "image/svg+xml"}}, plot(*found, call->captured[0])});
  });
}

void Service::get_scaling_metric(const CallPtr& call) {
  ScalingPort* const port = scaling_of(call);
  if (port == nullptr) return;
  port->advice(
      call->captured[0],
      backend_.now(),
      Call::then<scaling::Advice>(call, "the service", [call](const scaling::Advice& advice) {
        if (!advice.replicas)
          return call->answer(problem(409, "too little is known of the service for an advice"));
        json::Writer out;
        out.begin_object();
        out.field("service", call->captured[0]);
        out.field("value", *advice.replicas);
        out.end_object();
        call->answer(json_response(std::move(out)));
      }));
}

}  // namespace liminal::api
