#pragma once

#include <gtest/gtest.h>
#include <simdjson.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/api/fake_backend.hpp"
#include "server/api/service.hpp"

/// Requests without a network, for the tests of this folder.
namespace liminal::api::testing {

/// Of a client on this machine.
inline http::Request request(std::string_view method,
                             std::string_view target,
                             std::string_view body = {},
                             std::vector<http::Header> headers = {{"Host", "localhost"}}) {
  return {std::string(method),
          std::string(target),
          std::move(headers),
          std::string(body),
          "127.0.0.1",
          true};
}

/// What is answered to a request at once.
inline http::Response answer_of(Service& service, http::Request asked) {
  const std::string what = asked.method + " " + asked.target;
  std::optional<http::Response> answer;
  service.handle(std::move(asked), [&](http::Response given) {
    EXPECT_FALSE(answer) << what << " is answered twice";
    answer = std::move(given);
  });
  EXPECT_TRUE(answer) << what;
  return std::move(answer).value_or(http::Response{});
}

/// A service over the fake backend, asked without a network.
class ServiceTest : public ::testing::Test {
 protected:
  http::Response ask(std::string_view method,
                     std::string_view target,
                     std::string_view body = {},
                     std::vector<http::Header> headers = {}) {
    headers.push_back({"Host", "localhost"});
    http::Response answer = answer_of(service, request(method, target, body, std::move(headers)));
    const auto type = answer.header("Content-Type").value_or("");
    if (answer.status >= 400) {
      EXPECT_EQ(type, "application/problem+json");
    }
    if (type.find("json") != std::string_view::npos) {
      simdjson::dom::parser parser;
      EXPECT_EQ(parser.parse(answer.body).error(), simdjson::SUCCESS) << answer.body;
    }
    return answer;
  }

  void begin(std::string_view method,
             std::string_view target,
             std::string_view body,
             std::vector<http::Header> headers,
             http::Reply reply) {
    headers.push_back({"Host", "localhost"});
    service.handle(request(method, target, body, std::move(headers)), std::move(reply));
  }

  /// "path: detail" of each error of a 422.
  static std::vector<std::string> errors(const http::Response& response) {
    EXPECT_EQ(response.status, 422U) << response.body;
    simdjson::dom::parser parser;
    std::vector<std::string> out;
    simdjson::dom::array list;
    if (parser.parse(response.body)["errors"].get(list) != simdjson::SUCCESS) return out;
    for (const simdjson::dom::element one : list) {
      out.push_back(std::string(std::string_view(one["path"])) + ": " +
                    std::string(std::string_view(one["detail"])));
    }
    return out;
  }

  Options options{.access = {.requests_per_second = 10, .requests_burst = 200}, .version = "1.2.3"};
  FakeBackend backend;
  std::chrono::steady_clock::time_point now{};
  Service service{options, backend, [this] { return now; }};
};

}  // namespace liminal::api::testing
