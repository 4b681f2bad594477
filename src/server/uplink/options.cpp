#include "server/uplink/options.hpp"

#include "core/traffic/alert.hpp"
#include "io/http/client.hpp"

namespace liminal::uplink {
namespace {

constexpr std::size_t kNameBytesMax = traffic::kGatewayBytesMax;

}  // namespace

Problems validate(const Options& options, std::string_view at) {
  Problems found;
  const auto require = [&](bool right, std::string_view key, std::string text) {
    if (!right) found.push_back({std::string(at) + "." + std::string(key), std::move(text)});
  };
  const auto url = http::parse_url(options.url);
  require(url && url->target == "/",
          "engine",
          "must be local or ray= and the http:// or https:// URL of the cluster's API");
  require(!options.name.empty() && options.name.size() <= kNameBytesMax,
          "name",
          "must be 1 to 32 bytes long");
  require(options.rows_max >= 1, "rows_max", "must be at least 1");
  require(options.metric_rows_max >= 1, "metric_rows_max", "must be at least 1");
  require(options.alerts_max >= 1, "alerts_max", "must be at least 1");
  require(options.send > Duration::zero(), "send", "must be longer than zero");
  require(options.poll > Duration::zero(), "poll", "must be longer than zero");
  require(options.timeout > Duration::zero(), "timeout", "must be longer than zero");
  require(options.retry_first > Duration::zero() && options.retry_max >= options.retry_first,
          "retry_max",
          "must be at least retry_first, which must be longer than zero");
  return found;
}

}  // namespace liminal::uplink
