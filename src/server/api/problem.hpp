#pragma once

#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/problem.hpp"
#include "core/base/result.hpp"
#include "io/http/message.hpp"
#include "io/json/writer.hpp"

namespace liminal::api {

inline constexpr std::string_view kJsonType = "application/json";

/// An error as RFC 9457 has it: application/problem+json with type, title, status and detail.
/// `more` writes further members.
[[nodiscard]] http::Response problem(unsigned status, std::string_view detail);

template <class More>
[[nodiscard]] http::Response problem(unsigned status, std::string_view detail, More&& more);

/// 422 with each offending field. `in` is "body", "query", "path" or "header".
/// Names the first `named_max` and counts all.
[[nodiscard]] http::Response invalid(
    std::string_view in,
    const Problems& problems,
    std::size_t named_max = std::numeric_limits<std::size_t>::max());

/// What a failure of the backend means to a client; `subject` is what it asked for ("the user").
[[nodiscard]] http::Response problem(const Error& error, std::string_view subject);

/// 200 and so on, with a JSON body.
[[nodiscard]] http::Response json_response(json::Writer&& body, unsigned status = 200);
/// The same, or the first piece of one.
[[nodiscard]] http::Response json_response(std::string body, unsigned status = 200);

// -------------------------------------------------------------------------------------------------

namespace internal {
void begin_problem(unsigned status, std::string_view detail, json::Writer& out);
[[nodiscard]] http::Response end_problem(unsigned status, json::Writer& out);
}  // namespace internal

template <class More>
http::Response problem(unsigned status, std::string_view detail, More&& more) {
  json::Writer out;
  internal::begin_problem(status, detail, out);
  more(out);
  return internal::end_problem(status, out);
}

}  // namespace liminal::api
