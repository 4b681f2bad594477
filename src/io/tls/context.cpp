#include "io/tls/context.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <string_view>

namespace liminal::tls {
namespace {

using Failed = tl::unexpected<std::string>;

/// "http/1.1" as ALPN writes it: its length, then the name.
constexpr std::string_view kProtocols("\x08http/1.1", 9);

/// What OpenSSL noted first: the cause. What follows it are its consequences.
std::string cause() {
  std::array<char, 256> text{};
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "not usable";
  ERR_error_string_n(code, text.data(), text.size());
  const std::string_view all(text.data());
  return std::string(all.substr(all.rfind(':') + 1));
}

/// A key under a pass phrase is refused: nobody is there to type it.
int no_pass_phrase(char*, int, int, void*) { return 0; }

int choose_protocol(SSL*,
                    const unsigned char** chosen,
                    unsigned char* chosen_bytes,
                    const unsigned char* offered,
                    unsigned int offered_bytes,
                    void*) {
  unsigned char* found = nullptr;
  const auto* ours = reinterpret_cast<const unsigned char*>(kProtocols.data());
  const int outcome = SSL_select_next_proto(&found,
                                            chosen_bytes,
                                            ours,
                                            static_cast<unsigned int>(kProtocols.size()),
                                            offered,
                                            offered_bytes);
  if (outcome != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

void set_common(SSL_CTX* context) {
  (void)SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  // Of TLS 1.2; the suites of 1.3 are all of this kind.
  (void)SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20");
  // An end without a close_notify is an end: most clients leave so, and a WebSocket has its own
  // close frame, which shows what was cut off.
  (void)SSL_CTX_set_options(context,
                            SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                SSL_OP_PRIORITIZE_CHACHA);
  // What could not be sent is offered again from another place in memory; an idle session keeps
  // no buffers.
  (void)SSL_CTX_set_mode(context,
                         SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                             SSL_MODE_RELEASE_BUFFERS);
  // Resumption goes by tickets, which the clients keep.
  (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
}

}  // namespace

Context::~Context() { SSL_CTX_free(raw_); }

Context::Made Context::server(const std::string& certificate_file, const std::string& key_file) {
  ERR_clear_error();
  SSL_CTX* const raw = SSL_CTX_new(TLS_server_method());
  if (raw == nullptr) return Failed("TLS: " + cause());
  std::shared_ptr<const Context> context(new Context(raw));
  set_common(raw);
  SSL_CTX_set_default_passwd_cb(raw, no_pass_phrase);
  SSL_CTX_set_alpn_select_cb(raw, choose_protocol, nullptr);
  if (SSL_CTX_use_certificate_chain_file(raw, certificate_file.c_str()) != 1)
    return Failed("certificate \"" + certificate_file + "\": " + cause());
  // A key that is not the certificate's is refused here, too.
  if (SSL_CTX_use_PrivateKey_file(raw, key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(raw) != 1)
    return Failed("key \"" + key_file + "\": " + cause());
  return context;
}

Context::Made Context::client(const std::string& authorities_file) {
  ERR_clear_error();
  SSL_CTX* const raw = SSL_CTX_new(TLS_client_method());
  if (raw == nullptr) return Failed("TLS: " + cause());
  std::shared_ptr<const Context> context(new Context(raw));
  set_common(raw);
  SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nullptr);
  // Gives 0 for success, unlike its neighbours.
  if (SSL_CTX_set_alpn_protos(raw,
                              reinterpret_cast<const unsigned char*>(kProtocols.data()),
                              static_cast<unsigned int>(kProtocols.size())) != 0)
    return Failed("TLS: " + cause());
  const bool trusts = authorities_file.empty()
                          ? SSL_CTX_set_default_verify_paths(raw) == 1
                          : SSL_CTX_load_verify_file(raw, authorities_file.c_str()) == 1;
  if (!trusts)
    return Failed(authorities_file.empty()
                      ? "the system's certificate authorities: " + cause()
                      : "certificate authorities \"" + authorities_file + "\": " + cause());
  return context;
}

}  // namespace liminal::tls
