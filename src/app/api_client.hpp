#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "app/client_options.hpp"
#include "app/http_ask.hpp"

namespace liminal::app {

/// What a running server answers to a command's question, whole; else why not, in words: what kept
/// the question from it, or its problem. Blocks for a minute at most.
[[nodiscard]] tl::expected<std::string, std::string> ask_text(const ClientOptions& server,
                                                              const HttpQuestion& question);

/// The same for JSON. `body` is null for none.
[[nodiscard]] tl::expected<nlohmann::json, std::string> ask_json(const ClientOptions& server,
                                                                 std::string_view method,
                                                                 std::string_view path,
                                                                 const nlohmann::json& body);

/// What an answer that is no success says: its detail, each field that is wrong, the rows that are
/// missing; its status, if it says nothing.
[[nodiscard]] std::string words_of_problem(const HttpAnswer& answer);

/// A text as one part of a path.
[[nodiscard]] std::string path_segment(std::string_view text);

}  // namespace liminal::app
