#include "app/ciphers.hpp"

#include <utility>

#include "io/tls/session.hpp"

namespace liminal::app {
namespace {

using Failed = tl::unexpected<std::string>;

epoll::Transfer transfer(tls::Progress progress) {
  using From = tls::Progress::State;
  using To = epoll::Transfer::State;
  switch (progress.state) {
    case From::kDone:
      return {To::kDone, progress.bytes};
    case From::kBlocked:
      return {To::kBlocked, 0};
    case From::kEnd:
      return {To::kEnd, 0};
    case From::kFailed:
      break;
  }
  return {To::kFailed, 0};
}

class TlsCipher final : public epoll::Cipher {
 public:
  explicit TlsCipher(std::unique_ptr<tls::Session> session) : session_(std::move(session)) {}
  epoll::Transfer greet() override { return transfer(session_->greet()); }
  epoll::Transfer read(std::span<char> into) override { return transfer(session_->read(into)); }
  epoll::Transfer write(std::string_view bytes) override {
    return transfer(session_->write(bytes));
  }
  void finish_writing() override { session_->finish_writing(); }
  std::string problem() const override { return session_->problem(); }

 private:
  std::unique_ptr<tls::Session> session_;
};

}  // namespace

tl::expected<std::shared_ptr<const Ciphers>, std::string> Ciphers::server(
    const std::string& certificate_file, const std::string& key_file) {
  auto context = tls::Context::server(certificate_file, key_file);
  if (!context) return Failed(std::move(context.error()));
  return std::shared_ptr<const Ciphers>(new Ciphers(std::move(*context)));
}

tl::expected<std::shared_ptr<const Ciphers>, std::string> Ciphers::client(
    const std::string& authorities_file) {
  auto context = tls::Context::client(authorities_file);
  if (!context) return Failed(std::move(context.error()));
  return std::shared_ptr<const Ciphers>(new Ciphers(std::move(*context)));
}

std::unique_ptr<epoll::Cipher> Ciphers::start(const epoll::Socket& socket,
                                              const std::string& host) const {
  auto session = host.empty() ? tls::Session::accept(*context_, socket.get())
                              : tls::Session::connect(*context_, socket.get(), host);
  return session ? std::make_unique<TlsCipher>(std::move(session)) : nullptr;
}

}  // namespace liminal::app
