#include "server/uplink/ask.hpp"

#include <cstring>
#include <utility>
#include <vector>

namespace liminal::uplink {
namespace {

/// A model's file at most, as the registry takes it.
constexpr std::size_t kAnswerBytesMax = std::size_t{256} << 20;

}  // namespace

http::ClientOptions client_options(const Options& options) {
  return {.timeout = std::chrono::duration_cast<std::chrono::milliseconds>(options.timeout),
          .body_bytes_max = kAnswerBytesMax,
          .ca_file = {}};
}

Result<http::Response> ask(http::Client& client,
                           const Options& options,
                           const std::string& method,
                           const std::string& target,
                           std::string body,
                           const std::string& key) {
  http::Url url = *http::parse_url(options.url);
  url.target = target;
  std::vector<http::Header> headers;
  if (!options.token.empty()) headers.push_back({"Authorization", "Bearer " + options.token});
  if (!body.empty()) headers.push_back({"Content-Type", "application/json"});
  if (!key.empty()) headers.push_back({"Idempotency-Key", key});
  return client.send(method, url, headers, std::move(body));
}

std::string words_of(const Result<http::Response>& answer) {
  if (answer) return "answered " + std::to_string(answer->status);
  if (answer.error().code != ErrorCode::kUnavailable)
    return "answered nothing that can be read (" + std::string(name(answer.error().code)) + ")";
  const auto number = static_cast<int>(answer.error().position);
  return number == 0 ? std::string("does not answer") : std::string(std::strerror(number));
}

}  // namespace liminal::uplink
