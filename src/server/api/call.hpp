#pragma once

#include <chrono>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/http/server.hpp"
#include "io/json/fields.hpp"
#include "server/api/guard.hpp"
#include "server/api/problem.hpp"
#include "server/api/query.hpp"
#include "server/api/service.hpp"

namespace liminal::api {

/// What a request's body may be; of `kOther` the handler says it.
enum class Body : std::uint8_t { kNone, kJson, kEvents, kOther };

/// One line of the routing table.
struct Route {
  std::string_view method;
  std::string_view pattern;
  Access access = Access::kRead;
  Body body = Body::kNone;
  bool idempotent = false;  ///< a POST that changes state: Idempotency-Key counts
  void (Service::*handler)(const Service::CallPtr&) = nullptr;
};

/// One request on its way to an answer.
struct Call : std::enable_shared_from_this<Call> {
  Call(Service& by, http::Request asked, http::Reply to)
      : service(by), request(std::move(asked)), reply(std::move(to)) {}

  Service& service;
  http::Request request;
  http::Reply reply;
  std::string id;
  std::string_view method;  ///< of the route: GET for a HEAD
  std::string_view route = "unknown";
  std::vector<std::string> captured;
  Query::Pairs query;
  std::optional<ClientLimiter::Verdict> limit;  ///< none: it is not limited
  std::string idempotency_key;                  ///< empty: nothing is remembered
  std::uint64_t request_hash = 0;
  std::chrono::steady_clock::time_point begun;
  /// Counts its body among those that wait, for as long as somebody has it.
  std::shared_ptr<void> held;

  /// Once. What every answer carries is added.
  void answer(http::Response response) { service.finish(*this, std::move(response)); }

  /// Gives the backend's answer to `good`, or answers with its error.
  template <class T, class Good>
  static auto then(const std::shared_ptr<Call>& call, std::string subject, Good good) {
    return [call, subject = std::move(subject), good = std::move(good)](Result<T> result) {
      if (!result) return call->answer(problem(result.error(), subject));
      if constexpr (std::is_void_v<T>) {
        good();
      } else {
        good(std::move(*result));
      }
    };
  }
};

/// What follows of an answer: `make` writes a piece on `runner` each time that the client has the
/// one before. When too much waits there the answer breaks off.
[[nodiscard]] http::NextPiece pieces(Runner runner, std::function<http::Piece()> make);

/// Whether the answer may be given in pieces: that of a body which was large enough to be worked on
/// elsewhere, unless it is remembered under a key, which must be whole.
[[nodiscard]] inline bool may_be_in_pieces(const Call& call) {
  return call.held.use_count() > 0 && call.request.takes_pieces && call.idempotency_key.empty();
}

/// Reads the body as one JSON object by `read(Fields&)`. Answers, and returns false, when it is
/// none or `read` reported a problem; the answer names so many of these.
template <class Read>
bool read_body(Call& call,
               Read read,
               std::size_t named_max = std::numeric_limits<std::size_t>::max()) {
  const Result<json::Value> value = json::parse(call.request.body);
  if (!value) {
    call.answer(problem(400,
                        value.error().code == ErrorCode::kTooLarge ? "the body is nested too deep"
                                                                   : "the body is not valid JSON"));
    return false;
  }
  Problems problems;
  json::Fields fields(*value, "", problems);
  read(fields);
  fields.finish();
  if (problems.empty()) return true;
  call.answer(invalid("body", problems, named_max));
  return false;
}

/// Answers, and returns false, when a query parameter is wrong.
[[nodiscard]] inline bool right(Call& call, Query& query) {
  const Problems problems = query.finish();
  if (problems.empty()) return true;
  call.answer(invalid("query", problems));
  return false;
}

}  // namespace liminal::api
