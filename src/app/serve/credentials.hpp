#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/configuration/configuration.hpp"
#include "core/base/result.hpp"
#include "server/gateway/gateway.hpp"

namespace liminal::app {

/// What a configuration says of keys, certificates and tokens, read from their files: at a reload
/// again, so that new ones count from then on. What cannot be had is an error in words.

/// Nothing when it cannot be read.
[[nodiscard]] std::optional<std::string> read_file(const std::filesystem::path& path);
/// A file's first line.
[[nodiscard]] std::optional<std::string> read_token(const std::filesystem::path& path);

/// Null when there is nothing to verify users' tokens with.
[[nodiscard]] tl::expected<std::shared_ptr<const gateway::TokenVerifier>, std::string>
token_verifier(const Configuration& configuration);

/// The gateway's certificate, and whom it believes of upstreams.
[[nodiscard]] tl::expected<gateway::Settings::Ciphers, std::string> gateway_ciphers(
    const Configuration& configuration);

/// All that cannot be had of these, each in words: what a start would stop at.
[[nodiscard]] std::vector<std::string> missing_credentials(const Configuration& configuration);

/// The API's bearer token; empty: none.
[[nodiscard]] tl::expected<std::string, std::string> api_token(const Configuration& configuration);

}  // namespace liminal::app
