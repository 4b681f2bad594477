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

using Failed = tl::unexpected<Problem>;

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
tl::expected<std::string, Problem> text_in(std::string_view key, const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return Failed(Problem{std::string(key), fmt::format("\"{}\" cannot be read", file)});
  return std::string(std::istreambuf_iterator<char>(in), {});
}

/// The first line of one.
tl::expected<std::string, Problem> token_in(std::string_view key, const std::string& file) {
  auto text = text_in(key, file);
  if (!text) return text;
  text->resize(std::min(text->size(), text->find_first_of("\r\n")));
  if (text->empty() || !api::is_visible_ascii(*text))
    return Failed(Problem{std::string(key),
                          fmt::format("\"{}\" must hold visible ASCII, without blanks", file)});
  return text;
}

template <class... Had>
Problems problems_of(const Had&... had) {
  Problems problems;
  const auto take = [&problems](const auto& one) {
    if (!one) problems.push_back(one.error());
  };
  (take(had), ...);
  return problems;
}

}  // namespace

tl::expected<std::shared_ptr<const gateway::TokenVerifier>, Problem> token_verifier(
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
  if (const Problems problems = jwt_tokens::validate(options); !problems.empty()) {
    const Problem& first = problems.front();
    const std::string key = first.key != "key"              ? "identity.jwt_" + first.key
                            : identity.jwt_key_file.empty() ? "identity.jwt_secret"
                                                            : "identity.jwt_key_file";
    return Failed(Problem{key, first.text});
  }
  return std::make_shared<const JwtVerifier>(std::move(options));
}

tl::expected<gateway::Settings::Ciphers, Problem> gateway_ciphers(
    const Configuration& configuration) {
  const Configuration::Tls& tls = configuration.tls;
  gateway::Settings::Ciphers ciphers;
  if (!tls.certificate.empty()) {
    auto made = Ciphers::server(tls.certificate, tls.key);
    if (!made) return Failed(Problem{"tls.certificate", made.error()});
    ciphers.clients = std::move(*made);
  }
  const auto ciphered = [](const std::string& url) { return url.starts_with("wss://"); };
  if (std::any_of(configuration.upstreams.begin(), configuration.upstreams.end(), ciphered)) {
    auto made = Ciphers::client(tls.upstream_authorities);
    if (!made) return Failed(Problem{"tls.upstream_authorities", made.error()});
    ciphers.upstreams = std::move(*made);
  }
  return ciphers;
}

tl::expected<std::string, Problem> api_token(const Configuration& configuration) {
  if (configuration.api.token_file.empty()) return configuration.api.token;
  return token_in("api.token_file", configuration.api.token_file);
}

tl::expected<grpc::Options, Problem> grpc_options(const Configuration& configuration) {
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
    return Failed(Problem{"scaling.grpc_certificate", pair.error()});
  return options;
}

tl::expected<actor::Options, Problem> actors_with_tokens(const Configuration& configuration) {
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

Problems missing_credentials(const Configuration& configuration) {
  return problems_of(
      token_verifier(configuration), gateway_ciphers(configuration), api_token(configuration));
}

Problems missing_scaling_credentials(const Configuration& configuration) {
  return problems_of(grpc_options(configuration), actors_with_tokens(configuration));
}

}  // namespace liminal::app
