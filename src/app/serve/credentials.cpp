#include "app/serve/credentials.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <tuple>

#include "app/ciphers.hpp"
#include "app/options.hpp"
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

/// A whole file that a key names.
tl::expected<std::string, std::string> text_in(std::string_view key, const std::string& file) {
  auto text = read_file(file);
  if (!text) return Failed(fmt::format("{}: \"{}\" cannot be read", key, file));
  return std::move(*text);
}

/// The first line of one.
tl::expected<std::string, std::string> token_in(std::string_view key, const std::string& file) {
  auto text = text_in(key, file);
  if (!text) return text;
  text->resize(std::min(text->size(), text->find_first_of("\r\n")));
  if (text->empty() || !api::is_visible_ascii(*text))
    return Failed(fmt::format("{}: \"{}\" must hold visible ASCII, without blanks", key, file));
  return text;
}

template <class... Had>
Problems problems_of(const Had&... had) {
  Problems problems;
  const auto take = [&problems](const auto& one) {
    if (!one) problems.push_back(as_problem(one.error()));
  };
  (take(had), ...);
  return problems;
}

}  // namespace

std::optional<std::string> read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
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
    auto key = text_in("identity.jwt_key_file", identity.jwt_key_file);
    if (!key) return Failed(key.error());
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
  return token_in("api.token_file", configuration.api.token_file);
}

tl::expected<grpc::Options, std::string> grpc_options(const Configuration& configuration) {
  const Configuration::Scaling& scaling = configuration.scaling;
  grpc::Options options;
  options.address = scaling.grpc;
  options.streams_max = scaling.grpc_streams_max;
  if (scaling.grpc.empty()) return options;
  for (const auto& [key, file, into] :
       {std::tuple{"scaling.grpc_certificate", &scaling.grpc_certificate, &options.certificate},
        std::tuple{"scaling.grpc_key", &scaling.grpc_key, &options.key},
        std::tuple{"scaling.grpc_authorities", &scaling.grpc_authorities, &options.authorities}}) {
    if (file->empty()) continue;
    auto text = text_in(key, *file);
    if (!text) return Failed(text.error());
    *into = std::move(*text);
  }
  // What gRPC would only refuse to listen with.
  if (scaling.grpc_certificate.empty()) return options;
  if (auto pair = Ciphers::server(scaling.grpc_certificate, scaling.grpc_key); !pair)
    return Failed("scaling.grpc_certificate: " + pair.error());
  return options;
}

tl::expected<actor::Options, std::string> actors_with_tokens(const Configuration& configuration) {
  actor::Options options = actor_options(configuration);
  for (std::size_t i = 0; i < options.targets.size(); ++i) {
    const std::string& file = configuration.scaling.actors[i].token_file;
    if (file.empty()) continue;
    auto token = token_in(fmt::format("scaling.actors[{}].token_file", i), file);
    if (!token) return Failed(token.error());
    options.targets[i].token = std::move(*token);
  }
  return options;
}

Problem as_problem(const std::string& error) {
  const std::size_t key = error.find(": ");
  if (key == std::string::npos) return {"", error};
  return {error.substr(0, key), error.substr(key + 2)};
}

Problems missing_credentials(const Configuration& configuration) {
  return problems_of(
      token_verifier(configuration), gateway_ciphers(configuration), api_token(configuration));
}

Problems missing_scaling_credentials(const Configuration& configuration) {
  return problems_of(grpc_options(configuration), actors_with_tokens(configuration));
}

}  // namespace liminal::app
