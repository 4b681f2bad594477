#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "core/base/result.hpp"
#include "io/epoll/address.hpp"

namespace liminal::epoll {

/// Owns a file descriptor. Everything below makes it non-blocking and close-on-exec. Errors are
/// `kIo` with errno as the position.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      close();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Descriptor() { close(); }

  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool open() const { return fd_ >= 0; }
  void close();

 private:
  int fd_ = -1;
};

/// What one read or write did.
struct Transfer {
  enum class State {
    kDone,     ///< `bytes` moved
    kBlocked,  ///< nothing moved: come back at the next readiness
    kEnd,      ///< the other side has finished sending (reads only)
    kFailed,   ///< the connection is broken
  };
  State state = State::kFailed;
  std::size_t bytes = 0;
};

/// A connected or connecting stream socket.
class Socket : public Descriptor {
 public:
  using Descriptor::Descriptor;

  /// One `recv`. Fewer bytes than asked for means that no more were there.
  [[nodiscard]] Transfer read(std::span<char> into) const;
  /// One `send`; raises no signal.
  [[nodiscard]] Transfer write(std::string_view bytes) const;
  /// Says that nothing more will be sent; reading goes on.
  void finish_writing() const;
  /// How an unfinished `connect` ended: 0, or errno.
  [[nodiscard]] int take_error() const;
  [[nodiscard]] Address peer() const;
  /// Sends small messages at once instead of collecting them (TCP only).
  void send_at_once() const;
  /// Closes with a reset, so that nothing lingers.
  void reset();
};

/// Begins to connect; writability tells when it is done, `take_error` how.
[[nodiscard]] Result<Socket> connect(const Address& to);

/// What the system says about an errno, such as the position of an error of a socket. Thread-safe.
[[nodiscard]] std::string system_words(std::uint64_t error_number);

/// Accepts connections.
class Listener : public Descriptor {
 public:
  using Descriptor::Descriptor;

  struct Options {
    int backlog = 4096;
    /// Several listeners on one port, among which the system spreads connections (TCP only).
    bool share_port = false;
  };
  /// A Unix socket's file is replaced when nobody listens on it any more.
  [[nodiscard]] static Result<Listener> open_at(const Address& at, const Options& options);
  [[nodiscard]] static Result<Listener> open_at(const Address& at) { return open_at(at, {}); }
  /// Fails with EADDRINUSE while anybody listens there: those who share a port do not notice each
  /// other, so that two programs would split the connections between them.
  [[nodiscard]] static Result<void> check_free(const Address& at);

  /// The next waiting connection. Fails with EAGAIN as position when there is none.
  [[nodiscard]] Result<std::pair<Socket, Address>> accept() const;
  /// Where it listens; tells the port that was picked for port 0.
  [[nodiscard]] Address local() const;

 private:
  using Descriptor::open;
};

}  // namespace liminal::epoll
