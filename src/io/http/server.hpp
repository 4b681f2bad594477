#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/base/problem.hpp"
#include "core/base/result.hpp"
#include "io/http/message.hpp"

namespace liminal::http {

struct Options {
  std::string host = "127.0.0.1";  ///< an address, not a name: nothing is bound that was not told
  std::uint16_t port = 0;          ///< 0: the system picks a free one (`Server::port`)
  unsigned threads = 1;
  std::size_t header_bytes_max = 16 * 1024;       ///< beyond: 431
  std::size_t body_bytes_max = 16 * 1024 * 1024;  ///< beyond: 413
  std::size_t connections_max = 1024;             ///< beyond: the new one is closed at once
  // Looked at four times in the shortest of them, and once a second at least.
  std::chrono::milliseconds idle_timeout{60'000};     ///< between requests
  std::chrono::milliseconds receive_timeout{30'000};  ///< from a request's first byte to its last
  /// Beyond: 503; of a later piece of an answer: its connection is closed.
  std::chrono::milliseconds handler_timeout{30'000};
  std::chrono::milliseconds send_timeout{30'000};  ///< a whole answer, or a piece of one
};
[[nodiscard]] Problems validate(const Options& options);

/// Gives the answer; called once, from any thread, now or later. After the server is gone, or after
/// the handler's time is over, it does nothing.
using Reply = std::function<void(Response)>;

/// Called on one of the server's threads; must not block.
using Handler = std::function<void(Request, Reply)>;

/// Makes the answer to what the server itself refuses: 400, 413, 417, 431, 503, 505. `request_id`
/// is the request's X-Request-Id, empty when it has none or was not read so far.
using ErrorPage =
    std::function<Response(unsigned status, std::string_view detail, std::string_view request_id)>;

/// An HTTP/1.1 server: keep-alive, pipelining (requests of a connection are handled one after the
/// other, so answers keep their order), chunked bodies, `Expect: 100-continue`, HEAD. Clients of
/// HTTP/1.1 take answers in pieces: they are sent chunked, at the speed at which they are read.
///
/// A request that exceeds a bound or does not follow the grammar is answered and its connection
/// closed, because where the next request would begin is not known.
///
/// Memory: about 3 KiB an idle connection, plus its largest request so far, up to the bounds, plus
/// the answer, or one piece of it, that is being sent.
class Server {
 public:
  /// Binds and starts. Fails with kMalformed for a host that is no address, kIo with the system's
  /// error number when it cannot listen.
  [[nodiscard]] static Result<std::unique_ptr<Server>> start(const Options& options,
                                                             Handler handler,
                                                             ErrorPage error_page);

  /// Stops at once (`stop` with no patience).
  ~Server();

  [[nodiscard]] std::uint16_t port() const;
  [[nodiscard]] std::size_t connections() const;  ///< open now; any thread

  /// Accepts nothing more, closes idle connections, lets requests that were begun be answered, and
  /// after `patience` closes what is left. Blocks; not from a handler. Once.
  void stop(std::chrono::milliseconds patience);

  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

 private:
  struct Core;
  explicit Server(std::shared_ptr<Core> core);
  std::shared_ptr<Core> core_;
};

}  // namespace liminal::http
