#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/traffic/event.hpp"
#include "core/wire/upgrade_request.hpp"
#include "io/epoll/address.hpp"
#include "server/gateway/options.hpp"
#include "server/gateway/ports.hpp"

namespace liminal::gateway {

/// Whose connection it is. Owns its texts; does not move, since events borrow from it.
class Identity {
 public:
  Identity(std::string user, std::string address)
      : user_text_(std::move(user)),
        address_text_(std::move(address)),
        user_(user_text_),
        address_(address_text_) {}
  Identity(const Identity&) = delete;
  Identity& operator=(const Identity&) = delete;

  [[nodiscard]] const traffic::Name& user() const { return user_; }
  [[nodiscard]] const traffic::Name& address() const { return address_; }
  [[nodiscard]] ShardId shard() const { return shard_of(user_.hash); }

 private:
  std::string user_text_, address_text_;
  traffic::Name user_, address_;
};

/// What a request says about its user.
struct Claim {
  std::string user;      ///< empty: nobody that may come in
  std::string address;   ///< of the client, behind all trusted proxies
  bool trusted = false;  ///< the peer is a trusted proxy
  /// An identity header is there more than once: a proxy that adds its own behind the client's
  /// leaves nobody to be believed.
  bool ambiguous = false;
};

/// Finds the user of a request that came from `peer`, by the configured sources in their order. A
/// token that is there and not valid ends the search with nobody, whatever comes after it.
///
/// `X-Forwarded-For` is read from its end: each address that a trusted proxy reports is believed,
/// up to the first that is no trusted proxy itself.
[[nodiscard]] Claim identify(const wire::UpgradeRequest& request,
                             const epoll::Address& peer,
                             const Options& options,
                             const TokenVerifier* tokens);

[[nodiscard]] bool is_trusted(const Options& options, const epoll::Address& peer);

/// The client's fields that the upstream must not see, because it would believe them: identity
/// headers and reported addresses of somebody who is not trusted.
[[nodiscard]] std::vector<std::string_view> untrusted_fields(const Options& options);

}  // namespace liminal::gateway
