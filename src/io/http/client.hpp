#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"
#include "io/http/message.hpp"

namespace liminal::http {

/// An absolute http or https URL, taken apart. User names in it are refused: they end up in logs.
struct Url {
  bool tls = false;
  std::string host;  ///< a name or an address, without brackets
  std::string port;  ///< as written, or 80 or 443
  std::string target = "/";
  friend bool operator==(const Url&, const Url&) = default;
};
[[nodiscard]] std::optional<Url> parse_url(std::string_view text);

struct ClientOptions {
  std::chrono::milliseconds timeout{10'000};  ///< from connecting to the answer's last byte
  std::size_t body_bytes_max = 64 * 1024;     ///< of an answer
  std::string ca_file;                        ///< PEM; empty: the system's certificates
};

/// Sends requests to other people's servers, each on a connection of its own, over TLS 1.2 or
/// later where the URL says https: the server's certificate must be good for its name. Redirects
/// are answers like any other.
///
/// One thread at a time, which it blocks; `cancel` may come from any thread.
class Client {
 public:
  explicit Client(ClientOptions options = {});
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Sends and waits. Host, Content-Length, Connection and User-Agent are added. `kUnavailable`
  /// with the system's error number when there is no answer (refused, timed out, bad certificate),
  /// `kMalformed` when what came is none, `kTooLarge` when it is larger than is accepted.
  [[nodiscard]] Result<Response> send(const std::string& method,
                                      const Url& url,
                                      const std::vector<Header>& headers,
                                      std::string body);

  /// Ends a `send` that waits, and every later one, with `kUnavailable`. A name that is being
  /// resolved is waited for all the same.
  void cancel();

 private:
  struct Core;
  std::unique_ptr<Core> core_;
};

}  // namespace liminal::http
