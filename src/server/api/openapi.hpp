#pragma once

#include <string_view>

namespace liminal::api {

/// api/openapi.yaml as JSON, with this build's version; made at build time (tools/embed_openapi).
[[nodiscard]] std::string_view openapi_json();

}  // namespace liminal::api
