#pragma once

#include <memory>
#include <string>
#include <tl/expected.hpp>

#include "io/tls/context.hpp"
#include "server/gateway/ports.hpp"
#include "server/player/target.hpp"

namespace liminal::app {

/// Puts sockets under TLS: what `io/tls` knows, in the shape that loops read and write.
/// Immutable, shared by threads; a reload makes another one.
class Ciphers final : public gateway::CipherFactory {
 public:
  /// For those who connect to us.
  [[nodiscard]] static tl::expected<std::shared_ptr<const Ciphers>, std::string> server(
      const std::string& certificate_file, const std::string& key_file);
  /// For those whom we connect to. An empty file: the system's authorities.
  [[nodiscard]] static tl::expected<std::shared_ptr<const Ciphers>, std::string> client(
      const std::string& authorities_file);

  [[nodiscard]] std::unique_ptr<epoll::Cipher> start(const epoll::Socket& socket,
                                                     const std::string& host) const override;

 private:
  explicit Ciphers(std::shared_ptr<const tls::Context> context) : context_(std::move(context)) {}
  std::shared_ptr<const tls::Context> context_;
};

}  // namespace liminal::app
