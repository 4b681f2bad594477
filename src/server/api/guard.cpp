#include "server/api/guard.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "server/api/problem.hpp"

namespace liminal::api {
namespace {

constexpr std::size_t kClientsMax = 4096;

http::Response unauthorized(std::string_view detail) {
  http::Response response = problem(401, detail);
  response.headers.push_back({"WWW-Authenticate", "Bearer realm=\"liminal\""});
  return response;
}

bool has_token(const http::Request& request, const std::string& token) {
  constexpr std::string_view kScheme = "Bearer ";
  const std::string_view given = request.header("Authorization").value_or("");
  return given.size() > kScheme.size() &&
         http::same_name(given.substr(0, kScheme.size()), kScheme) &&
         same_secret(given.substr(kScheme.size()), token);
}

/// The Host field without its port.
std::string_view host_name(std::string_view host) {
  if (host.empty() || host.front() == '[') return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

bool is_address_or_localhost(std::string_view host) {
  if (http::same_name(host, "localhost") || host.starts_with('[')) return true;
  return !host.empty() && host.find_first_not_of("0123456789.") == std::string_view::npos;
}

bool is_ours(std::string_view host, const std::vector<std::string>& names) {
  return is_address_or_localhost(host) ||
         std::any_of(names.begin(), names.end(), [host](const std::string& name) {
           return http::same_name(host, name);
         });
}

/// A proxy passed it on: who asks is not known to be on this machine.
bool was_passed_on(const http::Request& request) {
  constexpr std::array<std::string_view, 4> kFields{
      "X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"};
  return std::any_of(kFields.begin(), kFields.end(), [&request](std::string_view field) {
    return request.header(field).has_value();
  });
}

/// A page of another site asks, as browsers tell it.
bool comes_from_elsewhere(const http::Request& request) {
  const auto origin = request.header("Origin");
  if (!origin) return false;
  const std::size_t scheme = origin->find("://");
  return scheme == std::string_view::npos ||
         !http::same_name(origin->substr(scheme + 3), request.header("Host").value_or(""));
}

}  // namespace

bool is_visible_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

bool same_secret(std::string_view a, std::string_view b) {
  // Volatile, so that no optimiser stops at the first difference.
  volatile unsigned char difference = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const char other = b.empty() ? '\0' : b[i % b.size()];
    difference = static_cast<unsigned char>(difference | (a[i] ^ other));
  }
  return difference == 0;
}

std::optional<http::Response> refuse(const http::Request& request,
                                     Access access,
                                     const AccessOptions& options) {
  if (access == Access::kOpen) return std::nullopt;
  if (access == Access::kWrite && comes_from_elsewhere(request))
    return problem(403, "a page of another site must not change anything here");
  if (!options.token.empty() && has_token(request, options.token)) return std::nullopt;
  const bool is_local = request.peer_is_local && (options.trust_proxy || !was_passed_on(request));
  if (options.token.empty() && !is_local)
    return problem(403, "without a configured token only clients on this machine are served");
  if (options.token.empty() || (access == Access::kRead && is_local)) {
    // Only what is no browser names no Host at all.
    const auto host = request.header("Host");
    if (!host || is_ours(host_name(*host), options.hosts)) return std::nullopt;
    return problem(
        403,
        "the Host of a request without the token must be an address, localhost or one "
        "of api.hosts: any other name could have been pointed here by a stranger's page");
  }
  if (request.header("Authorization")) return unauthorized("the token is not the right one");
  return unauthorized(access == Access::kRead ? "clients on other machines need the token"
                                              : "changes need the token");
}

ClientLimiter::ClientLimiter(const AccessOptions& options)
    : rate_(options.requests_per_second), burst_(std::max(1U, options.requests_burst)) {
  // A window in which the whole burst comes back: RateLimit-Policy: "default";q=20000;w=2
  policy_ = "\"default\";q=" + std::to_string(static_cast<std::uint64_t>(burst_)) + ";w=" +
            std::to_string(static_cast<std::uint64_t>(
                std::max(1., unlimited() ? 1. : std::ceil(burst_ / rate_))));
}

ClientLimiter::Verdict ClientLimiter::take(const std::string& peer, Time now) {
  using Seconds = std::chrono::duration<double>;
  if (unlimited()) return {};
  const std::lock_guard lock(mutex_);
  if (whole_at_.size() >= kClientsMax && !whole_at_.contains(peer))
    std::erase_if(whole_at_, [now](const auto& entry) { return entry.second <= now; });
  Time& whole_at =
      whole_at_[whole_at_.size() < kClientsMax || whole_at_.contains(peer) ? peer : ""];
  const double debt = std::max(0., Seconds(whole_at - now).count());
  const double wait = debt + (1 - burst_) / rate_;
  // A hair of rounding must not refuse the last request of a burst.
  if (wait > 1e-6)
    return {false, 0, std::chrono::seconds{static_cast<std::int64_t>(std::ceil(wait))}};
  const double after = debt + 1 / rate_;
  whole_at = now + std::chrono::duration_cast<Time::duration>(Seconds(after));
  return {true,
          static_cast<std::uint32_t>(std::max(0., std::floor(burst_ - after * rate_ + 1e-6))),
          std::chrono::seconds{static_cast<std::int64_t>(std::ceil(after))}};
}

}  // namespace liminal::api
