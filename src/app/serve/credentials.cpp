#include "app/serve/credentials.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "app/ciphers.hpp"
#include "io/jwt/verifier.hpp"
#include "server/api/guard.hpp"

namespace liminal::app {
namespace {

using Failed = tl::unexpected<std::string>;

/// What the gateway asks about tokens.
class JwtVerifier final : public gateway::TokenVerifier {
 public:
  explicit JwtVerifier(jwt_tokens::Options options) : verifier_(std::move(options)) {}
  std::optional<std::string> user(std::string_view token) const override {
    return verifier_.user(token);
  }

 private:
  jwt_tokens::Verifier verifier_;
};

}  // namespace

std::optional<std::string> read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::optional<std::string> read_token(const std::filesystem::path& path) {
  const auto text = read_file(path);
  if (!text) return std::nullopt;
  return text->substr(0, text->find_first_of("\r\n"));
}

tl::expected<std::shared_ptr<const gateway::TokenVerifier>, std::string> token_verifier(
    const Configuration& configuration) {
  const Configuration::Identity& identity = configuration.identity;
  if (identity.jwt_secret.empty() && identity.jwt_key_file.empty()) return nullptr;
  jwt_tokens::Options options;
  options.algorithm = identity.jwt_algorithm;
  options.claim = identity.jwt_claim;
  options.issuer = identity.jwt_issuer;
  options.audience = identity.jwt_audience;
  options.key = identity.jwt_secret;
  if (!identity.jwt_key_file.empty()) {
    auto key = read_file(identity.jwt_key_file);
    if (!key)
      return Failed("identity.jwt_key_file: \"" + identity.jwt_key_file + "\" cannot be read");
    options.key = std::move(*key);
  }
  if (const Problems problems = jwt_tokens::validate(options); !problems.empty())
    return Failed("identity.jwt: " + problems.front().key + " " + problems.front().text);
  return std::make_shared<const JwtVerifier>(std::move(options));
}

tl::expected<gateway::Settings::Ciphers, std::string> gateway_ciphers(
    const Configuration& configuration) {
  const Configuration::Tls& tls = configuration.tls;
  gateway::Settings::Ciphers ciphers;
  if (!tls.certificate.empty()) {
    auto made = Ciphers::server(tls.certificate, tls.key);
    if (!made) return Failed("tls: " + made.error());
    ciphers.clients = std::move(*made);
  }
  const auto ciphered = [](const std::string& url) { return url.starts_with("wss://"); };
  if (std::any_of(configuration.upstreams.begin(), configuration.upstreams.end(), ciphered)) {
    auto made = Ciphers::client(tls.upstream_authorities);
    if (!made) return Failed("tls.upstream_authorities: " + made.error());
    ciphers.upstreams = std::move(*made);
  }
  return ciphers;
}

tl::expected<std::string, std::string> api_token(const Configuration& configuration) {
  if (configuration.api.token_file.empty()) return configuration.api.token;
  auto token = read_token(configuration.api.token_file);
  if (!token)
    return Failed("api.token_file: \"" + configuration.api.token_file + "\" cannot be read");
  if (token->empty() || !api::is_visible_ascii(*token))
    return Failed("api.token_file: \"" + configuration.api.token_file +
                  "\" must hold visible ASCII, without blanks");
  return std::move(*token);
}

std::vector<std::string> missing_credentials(const Configuration& configuration) {
  std::vector<std::string> missing;
  const auto take = [&missing](const auto& had) {
    if (!had) missing.push_back(had.error());
  };
  take(token_verifier(configuration));
  take(gateway_ciphers(configuration));
  take(api_token(configuration));
  return missing;
}

}  // namespace liminal::app
