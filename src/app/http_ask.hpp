#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "core/base/time.hpp"

namespace liminal::app {

struct HttpAnswer {
  unsigned status = 0;
  std::string body;
};

struct HttpQuestion {
  std::string_view method = "GET";
  std::string_view path;
  std::string_view body = {};  ///< JSON; empty: none
};

/// Asks a running Liminal over HTTP/1.1 on a connection of its own, blocking, for commands that
/// people wait for. `base` is "http://HOST:PORT"; `token` may be empty. What went wrong is told in
/// words. Answers above 64 MiB are refused.
[[nodiscard]] tl::expected<HttpAnswer, std::string> http_ask(
    std::string_view base,
    const HttpQuestion& question,
    std::string_view token = {},
    Duration timeout = std::chrono::seconds{5});

[[nodiscard]] inline tl::expected<HttpAnswer, std::string> http_get(std::string_view base,
                                                                    std::string_view path,
                                                                    std::string_view token = {}) {
  return http_ask(base, {"GET", path}, token);
}

/// The head and body of a whole answer as it came: a body of chunks is joined.
[[nodiscard]] tl::expected<HttpAnswer, std::string> parse_answer(std::string_view raw);

}  // namespace liminal::app
