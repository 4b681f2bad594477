#include "core/wire/handshake_key.hpp"

#include <gtest/gtest.h>

#include <string>

namespace liminal::wire {
namespace {

std::string hex(const std::array<std::uint8_t, 20>& digest) {
  std::string out;
  for (const std::uint8_t byte : digest) {
    out.push_back("0123456789abcdef"[byte >> 4]);
    out.push_back("0123456789abcdef"[byte & 15]);
  }
  return out;
}

// The test vectors of FIPS 180-4 and RFC 3174.
TEST(Sha1, GivesThePublishedDigests) {
  EXPECT_EQ(hex(sha1("")), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  EXPECT_EQ(hex(sha1("abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(hex(sha1("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
  EXPECT_EQ(hex(sha1(std::string(1'000'000, 'a'))), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}

TEST(Sha1, PadsRightAroundTheBlockSize) {
  EXPECT_EQ(hex(sha1(std::string(55, 'x'))), "cef734ba81a024479e09eb5a75b6ddae62e6abf1");
  EXPECT_EQ(hex(sha1(std::string(56, 'x'))), "901305367c259952f4e7af8323f480d59f81335b");
  EXPECT_EQ(hex(sha1(std::string(63, 'x'))), "0ddc4e0cccd9a12850deb5abb0853a4425559fec");
  EXPECT_EQ(hex(sha1(std::string(64, 'x'))), "bb2fa3ee7afb9f54c6dfb5d021f14b1ffe40c163");
}

// The example of RFC 6455, section 1.3.
TEST(HandshakeKey, TheAcceptKeyIsThatOfTheStandard) {
  EXPECT_EQ(text(accept_key("dGhlIHNhbXBsZSBub25jZQ==")), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(HandshakeKey, IsTheCanonicalBase64OfSixteenBytes) {
  std::array<std::uint8_t, 16> random{};
  for (std::size_t i = 0; i < random.size(); ++i)
    random[i] = static_cast<std::uint8_t>(i * 17 + 200);
  EXPECT_TRUE(is_handshake_key(text(handshake_key(random))));
  EXPECT_EQ(text(handshake_key(std::array<std::uint8_t, 16>{})), "AAAAAAAAAAAAAAAAAAAAAA==");
  EXPECT_TRUE(is_handshake_key("dGhlIHNhbXBsZSBub25jZQ=="));
  for (const char* bad : {"",
                          "dGhlIHNhbXBsZSBub25jZQ=",
                          "dGhlIHNhbXBsZSBub25jZR==",
                          "dGhlIHNhbXBsZSBub25jZQ== ",
                          "dGhlIHNhbXBsZSBub25jZQAA",
                          "dGhlIHNhbXBsZSBub25j=Q==",
                          "dGhlIHNhbXBsZSBub25j Q==",
                          "dGhlIHNhbXBsZSBub25j-Q=="})
    EXPECT_FALSE(is_handshake_key(bad)) << bad;
}

}  // namespace
}  // namespace liminal::wire
