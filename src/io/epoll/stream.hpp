#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "io/epoll/socket.hpp"

namespace liminal::epoll {

/// What stands between a socket and its plain bytes, such as TLS. Like the socket it never blocks
/// and raises no signal.
///
/// It keeps nothing back that the socket's readiness would not tell of again, when reads have room
/// for 16 KiB.
class Cipher {
 public:
  Cipher() = default;
  Cipher(const Cipher&) = delete;
  Cipher& operator=(const Cipher&) = delete;
  virtual ~Cipher() = default;

  /// Goes on with the greeting: `kDone` when plain bytes can flow, `kBlocked` when it waits for
  /// the other side.
  [[nodiscard]] virtual Transfer greet() = 0;
  [[nodiscard]] virtual Transfer read(std::span<char> into) = 0;
  [[nodiscard]] virtual Transfer write(std::string_view bytes) = 0;
  /// Says that nothing more will be sent.
  virtual void finish_writing() = 0;
  /// Why a call failed, in words; empty while none has.
  [[nodiscard]] virtual std::string problem() const = 0;
};

/// A socket, plain or under a cipher. 16 bytes; a plain one costs a branch.
class Stream {
 public:
  Stream() = default;
  explicit Stream(Socket socket, std::unique_ptr<Cipher> cipher = nullptr)
      : socket_(std::move(socket)), cipher_(std::move(cipher)) {}

  [[nodiscard]] const Socket& socket() const { return socket_; }
  [[nodiscard]] bool open() const { return socket_.open(); }
  [[nodiscard]] bool ciphered() const { return cipher_ != nullptr; }

  [[nodiscard]] Transfer greet() const {
    return cipher_ ? cipher_->greet() : Transfer{Transfer::State::kDone, 0};
  }
  [[nodiscard]] Transfer read(std::span<char> into) const {
    return cipher_ ? cipher_->read(into) : socket_.read(into);
  }
  /// Whether a read that brought `bytes` of the `room` there was may have left some. A read that
  /// was not filled took all a socket had; a cipher may have stopped before an end that it has
  /// seen.
  [[nodiscard]] bool may_have_more(std::size_t bytes, std::size_t room) const {
    return cipher_ != nullptr || bytes == room;
  }
  [[nodiscard]] Transfer write(std::string_view bytes) const {
    return cipher_ ? cipher_->write(bytes) : socket_.write(bytes);
  }
  void finish_writing() const {
    if (cipher_) cipher_->finish_writing();
    socket_.finish_writing();
  }
  /// Why the cipher failed; empty when it did not, or there is none.
  [[nodiscard]] std::string problem() const { return cipher_ ? cipher_->problem() : std::string(); }
  /// Puts an open socket under a cipher, from its next byte on.
  void put_under(std::unique_ptr<Cipher> cipher) { cipher_ = std::move(cipher); }
  void close() {
    cipher_.reset();
    socket_.close();
  }
  /// Closes without sending what the system still holds.
  void reset() {
    cipher_.reset();
    socket_.reset();
  }

 private:
  Socket socket_;
  std::unique_ptr<Cipher> cipher_;
};

}  // namespace liminal::epoll
