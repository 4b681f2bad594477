#include "server/api/problem.hpp"

#include <algorithm>
#include <utility>

namespace liminal::api {

namespace internal {

void begin_problem(unsigned status, std::string_view detail, json::Writer& out) {
  out.begin_object();
  // "about:blank": the status says it all, and the title is its name (RFC 9457, 4.2.1).
  out.field("type", "about:blank");
  out.field("title", http::reason_phrase(status));
  out.field("status", status);
  if (!detail.empty()) out.field("detail", detail);
}

http::Response end_problem(unsigned status, json::Writer& out) {
  out.end_object();
  return {status, {{"Content-Type", "application/problem+json"}}, out.take()};
}

}  // namespace internal

http::Response problem(unsigned status, std::string_view detail) {
  return problem(status, detail, [](json::Writer&) {});
}

http::Response invalid(std::string_view in, const Problems& problems, std::size_t named_max) {
  std::string detail;
  if (problems.size() == 1) {
    detail = problems[0].key + (problems[0].key.empty() ? "" : ": ") + problems[0].text;
  } else {
    detail = std::to_string(problems.size()) + " fields are wrong";
    if (problems.size() > named_max)
      detail += ", of which the first " + std::to_string(named_max) + " are named";
  }
  return problem(422, detail, [&](json::Writer& out) {
    out.key("errors");
    out.begin_array();
    for (std::size_t i = 0; i < std::min(problems.size(), named_max); ++i) {
      const Problem& one = problems[i];
      out.begin_object();
      out.field("in", in);
      out.field("path", one.key);
      out.field("detail", one.text);
      out.end_object();
    }
    out.end_array();
  });
}

http::Response problem(const Error& error, std::string_view subject) {
  const std::string what(subject);
  switch (error.code) {
    case ErrorCode::kMissing:
      return problem(404, what + " is not known");
    case ErrorCode::kConflict:
      return problem(409, what + " conflicts with what is already there");
    case ErrorCode::kOutOfRange:
      return problem(422, what + " is out of range");
    case ErrorCode::kUnavailable: {
      http::Response busy = problem(503, "too much to do right now: try again soon");
      busy.headers.push_back({"Retry-After", "1"});
      return busy;
    }
    default:
      return problem(500, std::string(name(error.code)));
  }
}

http::Response json_response(json::Writer&& body, unsigned status) {
  return json_response(body.take(), status);
}

http::Response json_response(std::string body, unsigned status) {
  return {status, {{"Content-Type", std::string(kJsonType)}}, std::move(body)};
}

}  // namespace liminal::api
