#include "io/jwt/verifier.hpp"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <algorithm>
#include <exception>
#include <memory>
#include <system_error>
#include <vector>

// The library's own warnings are not ours to mend.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
#include <jwt/jwt.hpp>
#pragma GCC diagnostic pop

namespace liminal::jwt_tokens {
namespace {

/// Longer ones are nobody's session token.
constexpr std::size_t kTokenBytesMax = 8192;

bool is_public_key(const std::string& pem) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> memory(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      PEM_read_bio_PUBKEY(memory.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  return key != nullptr;
}

/// Three parts in base64url (RFC 7515, section 2), which the library takes for granted: other
/// characters lead it out of its tables.
bool is_compact_token(std::string_view token) {
  std::size_t parts = 0, length = 0;
  for (std::size_t i = 0; i <= token.size(); ++i) {
    const char c = i < token.size() ? token[i] : '.';
    const bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                        (c >= '0' && c <= '9') || c == '-' || c == '_';
    if (letter) {
      ++length;
      continue;
    }
    if (c != '.' || length == 0 || length % 4 == 1) return false;
    ++parts;
    length = 0;
  }
  return parts == 3;
}

}  // namespace

Problems validate(const Options& options) {
  Problems problems;
  const bool shared = options.algorithm == "HS256";
  if (!shared && options.algorithm != "RS256" && options.algorithm != "ES256")
    problems.push_back({"algorithm", "must be HS256, RS256 or ES256"});
  if (options.key.empty()) {
    problems.push_back({"key", "must not be empty"});
  } else if (shared && options.key.size() < 16) {
    // RFC 7518, section 3.2 asks for 32; 16 is what cannot be guessed.
    problems.push_back({"key", "must have at least 16 bytes"});
  } else if (!shared && !is_public_key(options.key)) {
    problems.push_back({"key", "must be a public key in PEM"});
  }
  if (options.claim.empty()) problems.push_back({"claim", "must not be empty"});
  return problems;
}

std::optional<std::string> Verifier::user(std::string_view token) const {
  if (token.size() > kTokenBytesMax || !is_compact_token(token)) return std::nullopt;
  try {
    namespace params = ::jwt::params;
    std::error_code error;
    const std::vector<std::string> algorithms = {options_.algorithm};
    const ::jwt::string_view text(token.data(), token.size());
    const ::jwt::jwt_object decoded = ::jwt::decode(text,
                                                    params::algorithms(algorithms),
                                                    error,
                                                    params::secret(options_.key),
                                                    params::verify(true));
    if (error) return std::nullopt;
    const auto& claims = decoded.payload().create_json_obj();
    // One text, or of `aud` a list of them (RFC 7519, 4.1.3).
    const auto is = [&](const char* name, const std::string& wanted) {
      const auto given = claims.find(name);
      if (wanted.empty()) return true;
      if (given == claims.end()) return false;
      return given->is_array() ? std::find(given->begin(), given->end(), wanted) != given->end()
                               : *given == wanted;
    };
    if (!is("iss", options_.issuer) || !is("aud", options_.audience)) return std::nullopt;
    const auto claim = claims.find(options_.claim);
    if (claim == claims.end()) return std::nullopt;
    if (claim->is_string()) return claim->get<std::string>();
    if (claim->is_number_integer()) return claim->dump();
    return std::nullopt;
  } catch (const std::exception&) {
    return std::nullopt;  // what is no token at all comes out of the library so
  }
}

}  // namespace liminal::jwt_tokens
