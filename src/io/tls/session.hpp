#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "io/tls/context.hpp"

extern "C" {
struct ssl_st;
}

namespace liminal::tls {

/// What one call did.
struct Progress {
  enum class State {
    kDone,     ///< `bytes` moved
    kBlocked,  ///< waits for the socket
    kEnd,      ///< the other side has finished sending
    kFailed,   ///< broken, or not to be trusted: `Session::problem` says why
  };
  State state = State::kFailed;
  std::size_t bytes = 0;
};

/// One TLS connection over a non-blocking socket that somebody else owns and polls.
///
/// Guarantee: no call blocks or raises a signal. Between two calls nothing that has arrived is kept
/// here but an incomplete record, so that the socket's readiness tells all there is to tell. A
/// session that failed once fails for good.
///
/// Not thread-safe, but may move between threads. Memory: some 10 KiB, 32 more while records are
/// incomplete. Cost: an ECDHE handshake some 200 µs, then some 2 µs a record.
class Session {
 public:
  /// The largest record's content: less room than that for a read may leave a part of it here.
  static constexpr std::size_t kRecordBytes = 16 * 1024;

  /// For a connection that was accepted on `socket`. Null when memory ends.
  [[nodiscard]] static std::unique_ptr<Session> accept(const Context& server, int socket);

  /// For a connection to `host`, a name or an IP address, which the other side's certificate must
  /// be for.
  [[nodiscard]] static std::unique_ptr<Session> connect(const Context& client,
                                                        int socket,
                                                        const std::string& host);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Goes on with the handshake: `kDone` when it is over.
  [[nodiscard]] Progress greet();
  /// Reads until less than a record's room is left or the socket has no more.
  [[nodiscard]] Progress read(std::span<char> into);
  /// Takes as much as the socket does. What it did not take must be offered again, with or without
  /// more behind it.
  [[nodiscard]] Progress write(std::string_view bytes);
  /// Says that nothing more will be sent.
  void finish_writing();

  /// Why it failed: "certificate has expired", "wrong version number"; empty while it has not.
  [[nodiscard]] std::string problem() const;

 private:
  explicit Session(ssl_st* raw) : raw_(raw) {}
  [[nodiscard]] static std::unique_ptr<Session> make(const Context& context, int socket);
  Progress stopped(int outcome);

  ssl_st* const raw_;
  unsigned long error_ = 0;  ///< OpenSSL's
  bool failed_ = false;
};

}  // namespace liminal::tls
