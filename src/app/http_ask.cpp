#include "app/http_ask.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include "io/epoll/socket.hpp"

namespace liminal::app {
namespace {

constexpr std::size_t kAnswerBytesMax = 64 << 20;
using Failure = tl::unexpected<std::string>;
using Clock = std::chrono::steady_clock;

/// Waits until the socket can be read or written. False when the time is over.
bool wait(const epoll::Socket& socket, short what, Clock::time_point end) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
  pollfd waited{socket.get(), what, 0};
  return left > 0 && poll(&waited, 1, static_cast<int>(left)) == 1;
}

tl::expected<std::string, std::string> exchange(const epoll::Socket& socket,
                                                std::string_view request,
                                                Clock::time_point end) {
  while (!request.empty()) {
    if (!wait(socket, POLLOUT, end)) return Failure("does not answer in time");
    if (socket.take_error() != 0) return Failure("nobody listens there");
    const epoll::Transfer sent = socket.write(request);
    if (sent.state == epoll::Transfer::State::kFailed) return Failure("the connection broke off");
    request.remove_prefix(sent.bytes);
  }
  std::string answer;
  std::array<char, 16 * 1024> bytes;
  for (;;) {
    if (!wait(socket, POLLIN, end)) return Failure("does not answer in time");
    const epoll::Transfer got = socket.read(bytes);
    if (got.state == epoll::Transfer::State::kEnd) return answer;
    if (got.state == epoll::Transfer::State::kFailed) return Failure("the connection broke off");
    answer.append(bytes.data(), got.bytes);
    if (answer.size() > kAnswerBytesMax) return Failure("the answer is too large");
  }
}

bool has_chunks(std::string_view head) {
  std::string lower(head);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  return lower.find("\r\ntransfer-encoding: chunked") != std::string::npos;
}

tl::expected<std::string, std::string> join_chunks(std::string_view raw) {
  std::string body;
  for (;;) {
    std::size_t size = 0;
    const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), size, 16);
    const std::size_t line = raw.find("\r\n");
    if (error != std::errc{} || line == std::string_view::npos || size > raw.size() - line)
      return Failure("the answer is cut off");
    if (size == 0) return body;
    body.append(raw.substr(line + 2, size));
    raw.remove_prefix(std::min(line + 2 + size + 2, raw.size()));
  }
}

}  // namespace

tl::expected<HttpAnswer, std::string> parse_answer(std::string_view raw) {
  const std::size_t head = raw.find("\r\n\r\n");
  if (!raw.starts_with("HTTP/1.") || head == std::string_view::npos || head < 12)
    return Failure("what answers there is no HTTP server");
  HttpAnswer answer;
  std::from_chars(raw.data() + 9, raw.data() + 12, answer.status);
  const std::string_view body = raw.substr(head + 4);
  if (!has_chunks(raw.substr(0, head))) {
    answer.body = body;
    return answer;
  }
  auto joined = join_chunks(body);
  if (!joined) return Failure(joined.error());
  answer.body = std::move(*joined);
  return answer;
}

tl::expected<HttpAnswer, std::string> http_ask(std::string_view base,
                                               const HttpQuestion& question,
                                               std::string_view token,
                                               Duration timeout) {
  constexpr std::string_view kScheme = "http://";
  std::string_view host = base;
  if (host.starts_with(kScheme)) host.remove_prefix(kScheme.size());
  while (host.ends_with('/')) host.remove_suffix(1);
  const auto addresses = epoll::resolve(host);
  if (!addresses || addresses->empty())
    return Failure(fmt::format("{}: is no http://HOST:PORT", base));
  auto socket = epoll::connect(addresses->front());
  if (!socket) return Failure(fmt::format("{}: nobody listens there", base));
  std::string request = fmt::format(
      "{} {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", question.method, question.path, host);
  if (!token.empty()) request += fmt::format("Authorization: Bearer {}\r\n", token);
  if (!question.body.empty())
    request += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n",
                           question.body.size());
  request += fmt::format("\r\n{}", question.body);
  const auto raw = exchange(*socket, request, Clock::now() + timeout);
  if (!raw) return Failure(fmt::format("{}: {}", base, raw.error()));
  auto answer = parse_answer(*raw);
  if (!answer) return Failure(fmt::format("{}: {}", base, answer.error()));
  return answer;
}

}  // namespace liminal::app
