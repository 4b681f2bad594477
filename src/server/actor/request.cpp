#include "server/actor/request.hpp"

#include "io/http/message.hpp"
#include "io/json/writer.hpp"

namespace liminal::actor {
namespace {

std::string ray_body(std::uint32_t replicas) {
  json::Writer out;
  out.begin_object();
  out.field("target_num_replicas", replicas);
  out.end_object();
  return out.take();
}

std::string webhook_body(const Target& target, const scaling::Advice& advice, SteadyTime now) {
  json::Writer out;
  out.begin_object();
  out.field("type", "scaling.advice");
  out.field("timestamp", now);
  out.key("data");
  out.begin_object();
  out.field("service", target.service);
  out.field("action", scaling::name(advice.action));
  out.field("replicas", advice.replicas);
  out.field("confidence", advice.confidence);
  out.end_object();
  out.end_object();
  return out.take();
}

}  // namespace

Request request_for(const Target& target, const scaling::Advice& advice, SteadyTime now) {
  Request out;
  out.url = *http::parse_url(target.url);
  out.headers = {{"Content-Type", "application/json"}};
  if (!target.token.empty()) out.headers.push_back({"Authorization", "Bearer " + target.token});
  if (target.kind == Kind::kWebhook) {
    out.body = webhook_body(target, advice, now);
    return out;
  }
  while (out.url.target.ends_with('/')) out.url.target.pop_back();
  out.url.target += "/api/v1/applications/" + http::percent_encode(target.application) +
                    "/deployments/" + http::percent_encode(target.deployment) + "/scale";
  out.body = ray_body(*advice.replicas);
  return out;
}

}  // namespace liminal::actor
