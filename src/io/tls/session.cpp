#include "io/tls/session.hpp"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <limits>

namespace liminal::tls {
namespace {

using State = Progress::State;

// OpenSSL's own way to a socket writes by `write`, which raises SIGPIPE where the peer is gone.

int socket_of(BIO* bio) {
  return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
}

int moved(BIO* bio, ssize_t count, int retry) {
  BIO_clear_retry_flags(bio);
  if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
    BIO_set_flags(bio, retry | BIO_FLAGS_SHOULD_RETRY);
  return static_cast<int>(count);
}

int bio_write(BIO* bio, const char* bytes, int size) {
  const ssize_t count = ::send(socket_of(bio), bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL);
  return moved(bio, count, BIO_FLAGS_WRITE);
}

int bio_read(BIO* bio, char* into, int size) {
  const ssize_t count = ::recv(socket_of(bio), into, static_cast<std::size_t>(size), 0);
  if (count == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  return moved(bio, count, BIO_FLAGS_READ);
}

long bio_control(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_FLUSH) return 1;
  if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
  return 0;
}

BIO_METHOD* socket_method() {
  static BIO_METHOD* const kMethod = [] {
    BIO_METHOD* const method =
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket without signals");
    if (method == nullptr) return method;
    BIO_meth_set_write(method, bio_write);
    BIO_meth_set_read(method, bio_read);
    BIO_meth_set_ctrl(method, bio_control);
    return method;
  }();
  return kMethod;
}

bool is_address(const std::string& host) {
  in6_addr unused{};
  return ::inet_pton(AF_INET, host.c_str(), &unused) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), &unused) == 1;
}

/// Whom the certificate must be for. A name is also told to the server (SNI), which may have
/// several; an address must not be (RFC 6066).
bool expect(SSL* ssl, const std::string& host) {
  if (is_address(host))
    return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1;
  SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return !host.empty() && SSL_set_tlsext_host_name(ssl, host.c_str()) == 1 &&
         SSL_set1_host(ssl, host.c_str()) == 1;
}

int as_int(std::size_t size) {
  return static_cast<int>(
      std::min<std::size_t>(size, static_cast<std::size_t>(std::numeric_limits<int>::max())));
}

}  // namespace

std::unique_ptr<Session> Session::make(const Context& context, int socket) {
  SSL* const ssl = SSL_new(context.raw());
  if (ssl == nullptr) return nullptr;
  std::unique_ptr<Session> session(new Session(ssl));
  BIO* const bio = socket_method() == nullptr ? nullptr : BIO_new(socket_method());
  if (bio == nullptr) return nullptr;
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(socket)));
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl, bio, bio);
  return session;
}

std::unique_ptr<Session> Session::accept(const Context& server, int socket) {
  std::unique_ptr<Session> session = make(server, socket);
  if (session) SSL_set_accept_state(session->raw_);
  return session;
}

std::unique_ptr<Session> Session::connect(const Context& client,
                                          int socket,
                                          const std::string& host) {
  std::unique_ptr<Session> session = make(client, socket);
  if (!session || !expect(session->raw_, host)) return nullptr;
  SSL_set_connect_state(session->raw_);
  return session;
}

Session::~Session() { SSL_free(raw_); }

/// What a call that moved nothing means.
Progress Session::stopped(int outcome) {
  switch (SSL_get_error(raw_, outcome)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return {State::kBlocked, 0};
    case SSL_ERROR_ZERO_RETURN:
      return {State::kEnd, 0};
    default:
      failed_ = true;
      error_ = ERR_peek_error();
      ERR_clear_error();
      return {State::kFailed, 0};
  }
}

Progress Session::greet() {
  if (failed_) return {};
  // What another session of this thread left behind would be taken for this one's.
  ERR_clear_error();
  const int outcome = SSL_do_handshake(raw_);
  if (outcome == 1) return {State::kDone, 0};
  const Progress progress = stopped(outcome);
  if (progress.state != State::kEnd) return progress;
  failed_ = true;
  return {};
}

Progress Session::read(std::span<char> into) {
  if (failed_) return {};
  std::size_t bytes = 0;
  while (bytes == 0 || into.size() - bytes >= kRecordBytes) {
    ERR_clear_error();
    const int count = SSL_read(raw_, into.data() + bytes, as_int(into.size() - bytes));
    if (count > 0) {
      bytes += static_cast<std::size_t>(count);
      continue;
    }
    // What came before an end or a failure is told first: the next call meets it again.
    if (bytes == 0) return stopped(count);
    (void)stopped(count);
    break;
  }
  return {State::kDone, bytes};
}

Progress Session::write(std::string_view bytes) {
  if (failed_) return {};
  std::size_t written = 0;
  while (written < bytes.size()) {
    ERR_clear_error();
    const int count = SSL_write(raw_, bytes.data() + written, as_int(bytes.size() - written));
    if (count > 0) {
      written += static_cast<std::size_t>(count);
      continue;
    }
    const Progress progress = stopped(count);
    if (progress.state == State::kBlocked) break;
    failed_ = true;
    return {};
  }
  return {written > 0 || bytes.empty() ? State::kDone : State::kBlocked, written};
}

void Session::finish_writing() {
  if (failed_ || SSL_is_init_finished(raw_) == 0) return;
  ERR_clear_error();
  // A notice that finds no room is left out: the end of the stream says the same.
  (void)SSL_shutdown(raw_);
  ERR_clear_error();
}

std::string Session::problem() const {
  if (!failed_) return {};
  const long verified = SSL_get_verify_result(raw_);
  if (verified != X509_V_OK) return X509_verify_cert_error_string(verified);
  const char* const reason = error_ == 0 ? nullptr : ERR_reason_error_string(error_);
  return reason == nullptr ? "the other side hung up" : reason;
}

}  // namespace liminal::tls
