#include "server/webhook/options.hpp"

#include <utility>

#include "io/http/client.hpp"
#include "server/webhook/signature.hpp"

namespace liminal::webhook {

Problems validate(const Options& options, std::string_view at) {
  Problems found;
  const auto require = [&](bool right, std::string_view key, std::string text) {
    if (!right) found.push_back({std::string(at) + "." + std::string(key), std::move(text)});
  };
  require(options.url.empty() || http::parse_url(options.url),
          "url",
          "must be an http:// or https:// URL without a user name");
  require(options.secret.empty() || Signer::make(options.secret),
          "secret",
          "after whsec_ must be Base64");
  require(options.queue_max >= 1, "queue_max", "must be at least 1");
  require(options.retry_first > Duration::zero(), "retry_first", "must be longer than zero");
  require(options.retry_max >= options.retry_first && options.retry_max <= std::chrono::hours{24},
          "retry_max",
          "must be retry_first to 24h");
  require(options.attempts_max >= 1, "attempts_max", "must be at least 1");
  require(options.timeout > Duration::zero(), "timeout", "must be longer than zero");
  return found;
}

}  // namespace liminal::webhook
