#include "io/epoll/socket.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace liminal::epoll {
namespace {

tl::unexpected<Error> system_failure() {
  return failure(ErrorCode::kIo, static_cast<std::uint64_t>(errno));
}

Transfer outcome(ssize_t count) {
  if (count >= 0) return {Transfer::State::kDone, static_cast<std::size_t>(count)};
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
    return {Transfer::State::kBlocked, 0};
  return {Transfer::State::kFailed, 0};
}

/// Removes the file of a Unix socket that nobody serves, as a killed process leaves it.
void remove_stale(const Address& at) {
  const std::string path = at.host().substr(5);
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) return;
  const Socket probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::connect(probe.get(), at.raw(), at.size()) != 0 && errno == ECONNREFUSED)
    ::unlink(path.c_str());
}

}  // namespace

void Descriptor::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Transfer Socket::read(std::span<char> into) const {
  const Transfer done = outcome(::recv(get(), into.data(), into.size(), 0));
  if (done.state == Transfer::State::kDone && done.bytes == 0 && !into.empty())
    return {Transfer::State::kEnd, 0};
  return done;
}

Transfer Socket::write(std::string_view bytes) const {
  return outcome(::send(get(), bytes.data(), bytes.size(), MSG_NOSIGNAL));
}

void Socket::finish_writing() const { (void)::shutdown(get(), SHUT_WR); }

int Socket::take_error() const {
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

Address Socket::peer() const {
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  if (::getpeername(get(), reinterpret_cast<sockaddr*>(&name), &size) != 0) return {};
  return {reinterpret_cast<const sockaddr*>(&name), size};
}

void Socket::send_at_once() const {
  const int on = 1;
  (void)::setsockopt(get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void Socket::reset() {
  const linger at_once{1, 0};
  (void)::setsockopt(get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close();
}

Result<Socket> connect(const Address& to) {
  Socket socket(::socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.open()) return system_failure();
  if (!to.is_unix()) socket.send_at_once();
  if (::connect(socket.get(), to.raw(), to.size()) != 0 && errno != EINPROGRESS)
    return system_failure();
  return socket;
}

Result<Listener> Listener::open_at(const Address& at, const Options& options) {
  Listener listener(::socket(at.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener.open()) return system_failure();
  const int on = 1;
  if (at.is_unix()) {
    remove_stale(at);
  } else {
    (void)::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (options.share_port &&
        ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0)
      return system_failure();
  }
  if (::bind(listener.get(), at.raw(), at.size()) != 0 ||
      ::listen(listener.get(), options.backlog) != 0)
    return system_failure();
  return listener;
}

Result<void> Listener::check_free(const Address& at) {
  const Socket probe(::socket(at.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe.open()) return system_failure();
  const int on = 1;
  (void)::setsockopt(probe.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(probe.get(), at.raw(), at.size()) != 0) return system_failure();
  return {};
}

std::string system_words(std::uint64_t error_number) {
  return std::generic_category().message(static_cast<int>(error_number));
}

Result<std::pair<Socket, Address>> Listener::accept() const {
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  const int fd =
      ::accept4(get(), reinterpret_cast<sockaddr*>(&name), &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return system_failure();
  Socket socket(fd);
  const Address from(reinterpret_cast<const sockaddr*>(&name), size);
  if (!from.is_unix()) socket.send_at_once();
  return std::pair<Socket, Address>(std::move(socket), from);
}

Address Listener::local() const {
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  if (::getsockname(get(), reinterpret_cast<sockaddr*>(&name), &size) != 0) return {};
  return {reinterpret_cast<const sockaddr*>(&name), size};
}

}  // namespace liminal::epoll
