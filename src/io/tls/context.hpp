#pragma once

#include <memory>
#include <string>
#include <tl/expected.hpp>

extern "C" {
struct ssl_ctx_st;
}

namespace liminal::tls {

/// What the sessions of one side share: certificates, and what is accepted of the other side.
///
/// TLS 1.2 and 1.3 only, ECDHE with authenticated encryption, no renegotiation; ALPN is `http/1.1`
/// and nothing else, because that is all that is spoken here.
///
/// Immutable: a reload makes another one, and sessions keep the one that they began with. Shared
/// by threads. Memory: some 100 KiB with the system's authorities.
class Context {
 public:
  /// In words, with the file's name: for start-up and reload.
  using Made = tl::expected<std::shared_ptr<const Context>, std::string>;

  /// For who is connected to. `certificate_file`: PEM, the server's own certificate first, then
  /// those that lead to an authority; `key_file`: its private key, PEM, without a pass phrase.
  [[nodiscard]] static Made server(const std::string& certificate_file,
                                   const std::string& key_file);

  /// For who connects. Trusts the authorities in `authorities_file` (PEM), or those of the system
  /// when it is empty. There is no way to trust everybody.
  [[nodiscard]] static Made client(const std::string& authorities_file);

  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  [[nodiscard]] ssl_ctx_st* raw() const { return raw_; }

 private:
  explicit Context(ssl_ctx_st* raw) : raw_(raw) {}
  ssl_ctx_st* const raw_;
};

}  // namespace liminal::tls
