#include "server/api/guard.hpp"
#include "server/api/service.hpp"

namespace liminal::api {
namespace {

bool is_loopback(std::string_view host) { return host.starts_with("127.") || host == "::1"; }

}  // namespace

Problems validate(const Options& options, std::string_view at) {
  const std::string prefix = at.empty() ? std::string() : std::string(at) + ".";
  Problems problems;
  for (Problem& problem : http::validate(options.http))
    problems.push_back({prefix + problem.key, std::move(problem.text)});
  if (options.access.token.empty() && !is_loopback(options.http.host))
    problems.push_back({prefix + "token", "is needed to listen on other than a loopback address"});
  if (!is_visible_ascii(options.access.token))
    problems.push_back({prefix + "token", "must be visible ASCII, without blanks"});
  if (!(options.access.requests_per_second >= 0 && options.access.requests_per_second <= 1e9))
    problems.push_back({prefix + "requests_per_second", "must be 0 (no limit) to 1e9"});
  if (options.waiting_bytes_max < options.http.body_bytes_max)
    problems.push_back({prefix + "waiting_bytes_max", "must be at least http.body_bytes_max"});
  if (options.access.requests_burst < 1)
    problems.push_back({prefix + "requests_burst", "must be at least 1"});
  return problems;
}

}  // namespace liminal::api
