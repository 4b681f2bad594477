#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "app/configuration/configuration.hpp"
#include "core/base/problem.hpp"
#include "core/base/result.hpp"
#include "server/actor/options.hpp"
#include "server/gateway/gateway.hpp"
#include "server/grpc/server.hpp"

namespace liminal::app {

/// What a configuration says of keys, certificates and tokens, read from their files: at a reload
/// again, so that new ones of the gateway and the API count from then on. What cannot be had is an
/// error in words, "KEY: what is wrong".

/// Nothing when it cannot be read.
[[nodiscard]] std::optional<std::string> read_file(const std::filesystem::path& path);

/// Null when there is nothing to verify users' tokens with.
[[nodiscard]] tl::expected<std::shared_ptr<const gateway::TokenVerifier>, std::string>
token_verifier(const Configuration& configuration);

/// The gateway's certificate, and whom it believes of upstreams.
[[nodiscard]] tl::expected<gateway::Settings::Ciphers, std::string> gateway_ciphers(
    const Configuration& configuration);

/// The API's bearer token; empty: none.
[[nodiscard]] tl::expected<std::string, std::string> api_token(const Configuration& configuration);

/// How KEDA is listened to, where it is.
[[nodiscard]] tl::expected<grpc::Options, std::string> grpc_options(
    const Configuration& configuration);

/// Who is told to scale, with their tokens.
[[nodiscard]] tl::expected<actor::Options, std::string> actors_with_tokens(
    const Configuration& configuration);

/// Of such an error.
[[nodiscard]] Problem as_problem(const std::string& error);

/// All that cannot be had of the gateway's and the API's: what a start would stop at.
[[nodiscard]] Problems missing_credentials(const Configuration& configuration);
/// Of scaling's, which a reload does not take: what only a start would stop at.
[[nodiscard]] Problems missing_scaling_credentials(const Configuration& configuration);

}  // namespace liminal::app
