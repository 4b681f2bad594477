#pragma once

#include <memory>
#include <string>

#include "app/configuration/configuration.hpp"
#include "core/base/problem.hpp"
#include "core/base/result.hpp"
#include "server/actor/options.hpp"
#include "server/gateway/gateway.hpp"
#include "server/grpc/server.hpp"

namespace liminal::app {

/// What a configuration says of keys, certificates and tokens, read from their files: at a reload
/// again, so that new ones of the gateway and the API count from then on. What cannot be had is a
/// problem of its key.

/// Null when there is nothing to verify users' tokens with.
[[nodiscard]] tl::expected<std::shared_ptr<const gateway::TokenVerifier>, Problem> token_verifier(
    const Configuration& configuration);

/// The gateway's certificate, and whom it believes of upstreams.
[[nodiscard]] tl::expected<gateway::Settings::Ciphers, Problem> gateway_ciphers(
    const Configuration& configuration);

/// The API's bearer token; empty: none.
[[nodiscard]] tl::expected<std::string, Problem> api_token(const Configuration& configuration);

/// How KEDA is listened to, where it is.
[[nodiscard]] tl::expected<grpc::Options, Problem> grpc_options(const Configuration& configuration);

/// Who is told to scale, with their tokens.
[[nodiscard]] tl::expected<actor::Options, Problem> actors_with_tokens(
    const Configuration& configuration);

/// All that cannot be had of the gateway's and the API's: what a start would stop at.
[[nodiscard]] Problems missing_credentials(const Configuration& configuration);
/// Of scaling's, which a reload does not take: what only a start would stop at.
[[nodiscard]] Problems missing_scaling_credentials(const Configuration& configuration);

}  // namespace liminal::app
