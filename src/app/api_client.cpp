#include "app/api_client.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace liminal::app {
namespace {

using Failure = tl::unexpected<std::string>;
using nlohmann::json;

/// Rows of a training may take that long to be read.
constexpr std::chrono::seconds kPatience{60};

std::string text(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

std::string words_of_problem(const HttpAnswer& answer) {
  const json problem = json::parse(answer.body, nullptr, false);
  const std::string detail = problem.is_object() ? text(problem, "detail") : std::string();
  if (detail.empty()) return fmt::format("the server answers {}", answer.status);
  std::string words = detail;
  const auto errors = problem.find("errors");
  if (errors != problem.end() && errors->is_array() && errors->size() > 1)
    for (const json& each : *errors)
      if (each.is_object())
        words += fmt::format("; {} {}", text(each, "path"), text(each, "detail"));
  const auto differences = problem.find("differences");
  if (differences != problem.end() && differences->is_array())
    for (const json& each : *differences)
      if (each.is_object())
        words += fmt::format("\n  {:<24}  {}", text(each, "feature"), text(each, "difference"));
  return words;
}

std::string path_segment(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '-';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

tl::expected<std::string, std::string> ask_text(const ClientOptions& server,
                                                const HttpQuestion& question) {
  auto answer = http_ask(server.api, question, server.token, kPatience);
  if (!answer) return Failure(answer.error());
  if (answer->status < 200 || answer->status > 299) return Failure(words_of_problem(*answer));
  return std::move(answer->body);
}

tl::expected<json, std::string> ask_json(const ClientOptions& server,
                                         std::string_view method,
                                         std::string_view path,
                                         const json& body) {
  const std::string sent = body.is_null() ? std::string() : body.dump();
  const auto answer = ask_text(server, {method, path, sent});
  if (!answer) return Failure(answer.error());
  auto parsed = json::parse(*answer, nullptr, false);
  if (!parsed.is_object()) return Failure(fmt::format("{}: the answer is no JSON", server.api));
  return parsed;
}

}  // namespace liminal::app
