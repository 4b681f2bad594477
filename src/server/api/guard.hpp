#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/http/message.hpp"

namespace liminal::api {

/// Who may do what, from where.
struct AccessOptions {
  /// Bearer token; empty: none is needed (and only loopback may be listened on).
  std::string token{};
  /// Host names that requests without the token may be addressed to, beside addresses and
  /// localhost.
  std::vector<std::string> hosts{};
  /// Whoever a proxy on this machine lets through to here counts as a client on this machine.
  bool trust_proxy = false;
  /// Requests a second of one client address, and how many at once; 0: no limit. Generous, because
  /// a dashboard polls: it is there for loops that went wild.
  double requests_per_second = 10'000;
  std::uint32_t requests_burst = 20'000;
};

enum class Access : std::uint8_t {
  kOpen,   ///< health: anybody
  kRead,   ///< open on the same machine, else with the token
  kWrite,  ///< with the token when one is configured
};

/// Equal, in a time that depends on the lengths only.
[[nodiscard]] bool same_secret(std::string_view a, std::string_view b);

/// No blanks, no control characters, nothing beyond ASCII.
[[nodiscard]] bool is_visible_ascii(std::string_view text);

/// What is answered to who may not; nothing when they may.
///
/// A browser that shows a stranger's page is on the same machine too. So a change needs, beside
/// what is said above, no Origin of another site; and whatever is asked without the token must have
/// a Host that is an address, localhost or one of `hosts`: that page's owner could have pointed a
/// name of their own here, and then this server is of their site.
///
/// What a proxy passed on, as X-Forwarded-For, Forwarded, X-Real-IP or Via say, is not from this
/// machine, wherever the proxy is, unless it is trusted.
[[nodiscard]] std::optional<http::Response> refuse(const http::Request& request,
                                                   Access access,
                                                   const AccessOptions& options);

/// Limits each client address by GCRA. Thread-safe. Memory: 4,096 addresses at most; when there are
/// more, those with a whole allowance are forgotten, and if there is none, newcomers share one.
class ClientLimiter {
 public:
  using Time = std::chrono::steady_clock::time_point;
  explicit ClientLimiter(const AccessOptions& options);

  struct Verdict {
    bool allowed = true;
    std::uint32_t remaining = 0;         ///< requests that may come at once now
    std::chrono::seconds reset_after{};  ///< until the allowance is whole, or the next is allowed
  };
  [[nodiscard]] Verdict take(const std::string& peer, Time now);
  [[nodiscard]] bool unlimited() const { return rate_ <= 0; }
  /// The RateLimit-Policy field.
  [[nodiscard]] const std::string& policy() const { return policy_; }

 private:
  double rate_;
  double burst_;
  std::string policy_;
  std::mutex mutex_;
  std::unordered_map<std::string, Time> whole_at_;
};

}  // namespace liminal::api
