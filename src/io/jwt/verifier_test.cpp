#include "io/jwt/verifier.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <rapidcheck/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>

namespace liminal::jwt_tokens {
namespace {

constexpr std::string_view kSecret = "a secret of more than thirty-two bytes";

std::string base64url(std::string_view bytes) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    for (held += 8; held >= 6; held -= 6) out += kAlphabet[bits >> (held - 6) & 63];
  }
  if (held > 0) out += kAlphabet[bits << (6 - held) & 63];
  return out;
}

std::string signed_token(const std::string& payload,
                         const std::string& header = R"({"alg":"HS256","typ":"JWT"})",
                         std::string_view secret = kSecret) {
  const std::string text = base64url(header) + "." + base64url(payload);
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(),
       secret.data(),
       static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(text.data()),
       text.size(),
       mac,
       &size);
  return text + "." + base64url({reinterpret_cast<const char*>(mac), size});
}

std::string seconds_from_now(long seconds) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(now).count() + seconds);
}

Options shared_secret() {
  Options options;
  options.key = kSecret;
  return options;
}

TEST(Verifier, TellsTheUserOfATokenThatHolds) {
  const Verifier verifier(shared_secret());
  EXPECT_EQ(verifier.user(signed_token(R"({"sub":"alice"})")), "alice");
  EXPECT_EQ(verifier.user(signed_token(R"({"sub":"al","exp":)" + seconds_from_now(60) + "}")),
            "al");
  EXPECT_EQ(verifier.user(signed_token(R"({"sub":4711})")), "4711");
}

TEST(Verifier, BelievesNothingElse) {
  const Verifier verifier(shared_secret());
  const std::string good = signed_token(R"({"sub":"alice"})");
  const std::string body = base64url(R"({"sub":"alice"})");
  for (const std::string& token :
       {std::string(),
        std::string("a.b.c"),
        std::string(".."),
        good.substr(0, good.size() - 2),
        good + "x",
        signed_token(R"({"sub":"alice"})", R"({"alg":"HS256","typ":"JWT"})", "another secret....."),
        signed_token(R"({"sub":"alice"})", R"({"alg":"HS384","typ":"JWT"})"),
        base64url(R"({"alg":"none","typ":"JWT"})") + "." + body + ".",
        signed_token(R"({"sub":"alice","exp":)" + seconds_from_now(-60) + "}"),
        signed_token(R"({"sub":"alice","nbf":)" + seconds_from_now(600) + "}"),
        signed_token(R"({"name":"alice"})"),
        signed_token(R"({"sub":null})"),
        signed_token(R"({"sub":{"a":1}})"),
        signed_token("[]"),
        signed_token("no json"),
        std::string(10'000, 'a')})
    EXPECT_FALSE(verifier.user(token).has_value()) << token;
}

TEST(Verifier, IssuerAndAudienceMustMatchWhenConfigured) {
  Options options = shared_secret();
  options.issuer = "us";
  options.audience = "chat";
  const Verifier verifier(options);
  EXPECT_TRUE(verifier.user(signed_token(R"({"sub":"a","iss":"us","aud":"chat"})")));
  EXPECT_FALSE(verifier.user(signed_token(R"({"sub":"a","iss":"them","aud":"chat"})")));
  EXPECT_FALSE(verifier.user(signed_token(R"({"sub":"a","iss":"us"})")));
  EXPECT_TRUE(verifier.user(signed_token(R"({"sub":"a","iss":"us","aud":["mail","chat"]})")));
  EXPECT_FALSE(verifier.user(signed_token(R"({"sub":"a","iss":"us","aud":["mail","chats"]})")));
  EXPECT_FALSE(verifier.user(signed_token(R"({"sub":"a","iss":"us","aud":[]})")));
}

TEST(Verifier, ATokenSignedWithThePublicKeyAsASecretIsRefused) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> pair(EVP_EC_gen("P-256"),
                                                                 EVP_PKEY_free);
  const std::unique_ptr<BIO, decltype(&BIO_free)> memory(BIO_new(BIO_s_mem()), BIO_free);
  ASSERT_EQ(PEM_write_bio_PUBKEY(memory.get(), pair.get()), 1);
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &text);
  Options options;
  options.algorithm = "ES256";
  options.key.assign(text, static_cast<std::size_t>(size));
  ASSERT_TRUE(validate(options).empty());
  const Verifier verifier(options);
  EXPECT_FALSE(verifier.user(
      signed_token(R"({"sub":"alice"})", R"({"alg":"HS256","typ":"JWT"})", options.key)));
}

RC_GTEST_PROP(Verifier, SurvivesAnyText, (const std::string& text)) {
  const Verifier verifier(shared_secret());
  RC_ASSERT(!verifier.user(text).has_value());
  RC_ASSERT(!verifier.user(base64url(text) + "." + base64url(text) + ".AAAA").has_value());
  RC_ASSERT(!verifier.user(signed_token(text, text)).has_value());
}

TEST(JwtOptions, AllProblemsAreNamed) {
  EXPECT_TRUE(validate(shared_secret()).empty());
  Options bad;
  bad.algorithm = "none";
  bad.claim = "";
  EXPECT_EQ(validate(bad).size(), 3u);
  Options key;
  key.algorithm = "RS256";
  key.key = "no key";
  EXPECT_EQ(validate(key).front().key, "key");
}

}  // namespace
}  // namespace liminal::jwt_tokens
