#pragma once

#include <string>

#include "io/http/client.hpp"
#include "server/uplink/options.hpp"

namespace liminal::uplink {

/// A client for the cluster's API: its answers may be as long as a model's file.
[[nodiscard]] http::ClientOptions client_options(const Options& options);

/// Asks the cluster's API, with its token. `body`: JSON, empty for none; `key`: of idempotence,
/// empty for none. Blocks; fails as `http::Client::send` does. `options` must be valid.
[[nodiscard]] Result<http::Response> ask(http::Client& client,
                                         const Options& options,
                                         const std::string& method,
                                         const std::string& target,
                                         std::string body = {},
                                         const std::string& key = {});

/// Why an answer is none that was hoped for: "answered 404".
[[nodiscard]] std::string words_of(const Result<http::Response>& answer);

}  // namespace liminal::uplink
