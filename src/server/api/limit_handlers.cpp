#include "io/json/traffic_writer.hpp"
#include "server/api/answers.hpp"
#include "server/api/call.hpp"

namespace liminal::api {
namespace {

using traffic::Override;

constexpr std::size_t kOverridesListed = 1000;

http::Response override_response(const Override& decision, unsigned status) {
  json::Writer out;
  json::write(decision, out);
  return json_response(std::move(out), status);
}

http::Response limits_response(const HeldLimits& limits, const std::vector<Override>& overrides) {
  json::Writer out;
  out.begin_object();
  out.key("policies");
  write_policies(limits.options, out);
  out.field("set", limits.set);
  out.key("overrides");
  out.begin_array();
  for (const Override& decision : overrides) json::write(decision, out);
  out.end_array();
  out.field("count", overrides.size());
  out.end_object();
  return json_response(std::move(out));
}

}  // namespace

void Service::answer_limits(const CallPtr& call, std::size_t overrides_max) {
  const auto with_policies = [this, call, overrides_max](const HeldLimits& limits) {
    backend_.overrides(
        overrides_max,
        Call::then<std::vector<Override>>(
            call, "the overrides", [call, limits](const std::vector<Override>& overrides) {
              call->answer(limits_response(limits, overrides));
            }));
  };
  backend_.limits(Call::then<HeldLimits>(call, "the limits", with_policies));
}

void Service::get_limits(const CallPtr& call) {
  Query query(call->query);
  const std::size_t overrides_max = query.whole("limit", kOverridesListed, 1, kOverridesListMax);
  if (!right(*call, query)) return;
  answer_limits(call, overrides_max);
}

void Service::put_limits(const CallPtr& call) {
  Query query(call->query);
  if (!right(*call, query)) return;
  // What the request does not speak of stays as it is now.
  const auto with_present = [this, call](HeldLimits present) {
    limits::Options options = std::move(present.options);
    const auto read = [&options](json::Fields& in) {
      if (in.is_null("policies")) return in.wrong("policies", "must be a JSON object");
      if (auto policies = in.object("policies", json::Need::kRequired))
        read_policies(std::move(*policies), options);
    };
    if (!read_body(*call, read)) return;
    if (const Problems problems = limits::validate(options, "policies"); !problems.empty())
      return call->answer(invalid("body", problems));
    backend_.set_limits(std::move(options), Call::then<void>(call, "the limits", [this, call] {
                          answer_limits(call, kOverridesListed);
                        }));
  };
  backend_.limits(Call::then<HeldLimits>(call, "the limits", with_present));
}

void Service::delete_limits(const CallPtr& call) {
  Query query(call->query);
  if (!right(*call, query)) return;
  backend_.reset_limits(Call::then<void>(
      call, "the limits", [this, call] { answer_limits(call, kOverridesListed); }));
}

void Service::get_override(const CallPtr& call) {
  Query query(call->query);
  if (!right(*call, query)) return;
  backend_.override_of(
      call->captured[0],
      Call::then<Override>(call, "an override of this user", [call](const Override& decision) {
        call->answer(override_response(decision, 200));
      }));
}

void Service::put_override(const CallPtr& call) {
  Query query(call->query);
  if (!right(*call, query)) return;
  if (call->captured[0].size() > traffic::kUserBytesMax)
    return call->answer(invalid("path", {{"user_id", "must be text of 1 to 128 bytes"}}));
  std::optional<Override> decision;
  const auto read = [&](json::Fields& in) { decision = read_override(in, engine_now()); };
  if (!read_body(*call, read)) return;
  decision->user = call->captured[0];
  backend_.set_override(
      *decision, Call::then<bool>(call, "the override", [call, decision = *decision](bool is_new) {
        call->answer(override_response(decision, is_new ? 201 : 200));
      }));
}

void Service::delete_override(const CallPtr& call) {
  Query query(call->query);
  if (!right(*call, query)) return;
  backend_.remove_override(call->captured[0],
                           Call::then<void>(call, "an override of this user", [call] {
                             call->answer({204, {}, {}});
                           }));
}

}  // namespace liminal::api
