#include "server/actor/options.hpp"

#include <algorithm>
#include <set>

#include "core/scaling/report.hpp"
#include "io/http/client.hpp"

namespace liminal::actor {
namespace {

bool is_visible_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

}  // namespace

std::string_view name(Kind kind) { return kind == Kind::kWebhook ? "webhook" : "ray_serve"; }

Problems validate(const Options& options, std::string_view at) {
  Problems problems;
  if (options.targets.size() > kTargetsMax)
    problems.push_back({std::string(at), "must be at most " + std::to_string(kTargetsMax)});
  std::set<std::string_view> services;
  for (std::size_t i = 0; i < options.targets.size(); ++i) {
    const Target& target = options.targets[i];
    const auto require = [&](bool right, std::string_view key, std::string text) {
      if (!right)
        problems.push_back(
            {std::string(at) + "[" + std::to_string(i) + "]." + std::string(key), std::move(text)});
    };
    require(!target.service.empty() && target.service.size() <= scaling::kServiceNameMax,
            "service",
            "must be text of 1 to 128 bytes");
    require(services.insert(target.service).second, "service", "has another actor already");
    require(http::parse_url(target.url).has_value(), "url", "must be an http:// or https:// URL");
    const bool ray = target.kind == Kind::kRayServe;
    require(ray != target.application.empty(),
            "application",
            ray ? "is missing: Ray Serve scales a deployment of one" : "is of ray_serve only");
    require(ray != target.deployment.empty(),
            "deployment",
            ray ? "is missing: it is what Ray Serve scales" : "is of ray_serve only");
    require(is_visible_ascii(target.token), "token", "must be visible ASCII, without blanks");
  }
  return problems;
}

}  // namespace liminal::actor
