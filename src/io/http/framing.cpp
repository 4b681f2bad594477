#include "io/http/framing.hpp"

#include <charconv>
#include <ctime>

#include "core/base/reason_phrase.hpp"

namespace liminal::http {
namespace {

/// IMF-fixdate, made once a second and thread.
const std::string& http_date() {
  thread_local std::time_t made = 0;
  thread_local std::string text;
  const std::time_t now = std::time(nullptr);
  if (now != made) {
    std::tm utc{};
    gmtime_r(&now, &utc);
    char buffer[64];
    text.assign(buffer, std::strftime(buffer, sizeof buffer, "%a, %d %b %Y %H:%M:%S GMT", &utc));
    made = now;
  }
  return text;
}

}  // namespace

std::string response_head(const Response& response, bool keep_alive) {
  std::string head = "HTTP/1.1 " + std::to_string(response.status) + " ";
  head.append(reason_phrase(response.status)).append("\r\n");
  for (const Header& header : response.headers)
    head.append(header.name).append(": ").append(header.value).append("\r\n");
  head.append("Date: ").append(http_date()).append("\r\n");
  if (response.rest) {
    head.append("Transfer-Encoding: chunked\r\n");
  } else if (response.status != 204 && response.status != 304) {
    head.append("Content-Length: ").append(std::to_string(response.body.size())).append("\r\n");
  }
  head.append(keep_alive ? "\r\n" : "Connection: close\r\n\r\n");
  return head;
}

std::string chunk_head(std::size_t bytes) {
  if (bytes == 0) return {};
  char digits[2 * sizeof bytes];
  const auto end = std::to_chars(digits, digits + sizeof digits, bytes, 16).ptr;
  return std::string(digits, end).append("\r\n");
}

std::string_view chunk_tail(std::size_t bytes, Piece::Then then) {
  if (then != Piece::Then::kEnd) return bytes == 0 ? "" : "\r\n";
  return bytes == 0 ? "0\r\n\r\n" : "\r\n0\r\n\r\n";
}

}  // namespace liminal::http
