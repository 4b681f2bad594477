#include "server/gateway/identity.hpp"

#include <algorithm>

namespace liminal::gateway {
namespace {

constexpr std::string_view kForwardedFor = "X-Forwarded-For";

/// A token where clients can put one: browsers set neither headers nor cookies of another site.
std::optional<std::string_view> token(const wire::UpgradeRequest& request, std::string_view name) {
  if (const auto parameter = wire::query_parameter(request.target, name)) return parameter;
  if (const auto field = request.fields.find("Authorization")) {
    constexpr std::string_view kBearer = "bearer ";
    if (field->size() > kBearer.size() &&
        wire::same_name(field->substr(0, kBearer.size()), kBearer))
      return field->substr(kBearer.size());
    return std::nullopt;  // another scheme is the upstream's business
  }
  std::optional<std::string_view> found;
  if (const auto offered = request.fields.find("Sec-WebSocket-Protocol")) {
    (void)wire::for_each_item(*offered, [&](std::string_view item) {
      if (std::count(item.begin(), item.end(), '.') == 2 && item.substr(0, 2) == "ey") found = item;
      return !found;
    });
  }
  return found;
}

std::string client_address(const wire::UpgradeRequest& request,
                           const epoll::Address& peer,
                           const Options& options) {
  std::string address = peer.host();
  if (!is_trusted(options, peer)) return address;
  std::vector<std::string_view> reported;
  for (const wire::Field& field : request.fields) {
    if (!wire::same_name(field.name, kForwardedFor)) continue;
    (void)wire::for_each_item(field.value, [&](std::string_view item) {
      reported.push_back(item);
      return true;
    });
  }
  for (auto each = reported.rbegin(); each != reported.rend(); ++each) {
    // Only what is an address: the text becomes a name in the engine and in metrics.
    const bool six = each->find(':') != std::string_view::npos;
    const auto parsed =
        epoll::Address::parse(six ? "[" + std::string(*each) + "]:0" : std::string(*each) + ":0");
    if (each->empty() || !parsed) break;
    address = parsed->host();
    if (!is_trusted(options, *parsed)) break;
  }
  return address;
}

/// Whether an identity header stands there more than once, `_` for `-` too: what stands behind may
/// not tell those apart, and believe the other one.
bool says_twice(const wire::UpgradeRequest& request, const Options& options) {
  return std::any_of(
      options.identity.begin(), options.identity.end(), [&](const IdentitySource& source) {
        if (source.kind != IdentitySource::Kind::kHeader) return false;
        return std::count_if(
                   request.fields.begin(), request.fields.end(), [&](const wire::Field& field) {
                     return wire::alike_name(field.name, source.name);
                   }) > 1;
      });
}

}  // namespace

bool is_trusted(const Options& options, const epoll::Address& peer) {
  return std::any_of(options.trusted_proxies.begin(),
                     options.trusted_proxies.end(),
                     [&](const epoll::Network& network) { return network.contains(peer); });
}

Claim identify(const wire::UpgradeRequest& request,
               const epoll::Address& peer,
               const Options& options,
               const TokenVerifier* tokens) {
  Claim claim{{}, client_address(request, peer, options), is_trusted(options, peer)};
  claim.ambiguous = claim.trusted && says_twice(request, options);
  if (claim.ambiguous) return claim;
  const auto accept = [&](std::string_view user) {
    if (user.empty() || user.size() > traffic::kUserBytesMax) return false;
    claim.user = user;
    return true;
  };
  for (const IdentitySource& source : options.identity) {
    std::optional<std::string_view> text;
    switch (source.kind) {
      case IdentitySource::Kind::kToken:
        if (const auto presented = token(request, source.name); presented && tokens != nullptr) {
          const std::optional<std::string> user = tokens->user(*presented);
          if (user) (void)accept(*user);
          return claim;
        }
        break;
      case IdentitySource::Kind::kHeader:
        if (claim.trusted) text = request.fields.find(source.name);
        break;
      case IdentitySource::Kind::kCookie:
        if (const auto cookies = request.fields.find("Cookie"))
          text = wire::cookie(*cookies, source.name);
        break;
      case IdentitySource::Kind::kAddress:
        text = claim.address;
        break;
    }
    if (text && !text->empty()) {
      (void)accept(*text);
      return claim;
    }
  }
  return claim;
}

std::vector<std::string_view> untrusted_fields(const Options& options) {
  std::vector<std::string_view> names = {
      kForwardedFor, "X-Real-IP", "Forwarded", "X-Forwarded-Host", "X-Forwarded-Proto"};
  for (const IdentitySource& source : options.identity)
    if (source.kind == IdentitySource::Kind::kHeader) names.push_back(source.name);
  return names;
}

}  // namespace liminal::gateway
