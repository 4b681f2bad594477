#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace liminal::webhook {

/// Signs deliveries, so that whoever receives them knows who sent them, what, and when.
///
/// The signature is "v1," and the Base64 of HMAC-SHA256, under the secret, of
/// "<id>.<seconds since 1970>.<body>"; it travels in `webhook-signature` beside `webhook-id` and
/// `webhook-timestamp`. A receiver compares it in constant time and refuses old timestamps and ids
/// that it has seen.
///
/// Source: the Standard Webhooks specification, version 1 (symmetric signatures).
class Signer {
 public:
  /// Nothing when what follows "whsec_" is no Base64 or is empty. Text without that prefix is the
  /// key as it is.
  [[nodiscard]] static std::optional<Signer> make(std::string_view secret);

  [[nodiscard]] std::string sign(std::string_view id,
                                 std::int64_t timestamp_seconds,
                                 std::string_view body) const;

 private:
  explicit Signer(std::string key) : key_(std::move(key)) {}
  std::string key_;
};

}  // namespace liminal::webhook
